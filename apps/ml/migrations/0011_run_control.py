"""Runs that people steer: chosen parameters, notes and tags, cancelled and repeated runs, a log for each stage."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ml", "0010_drift"),
    ]

    operations = [
        migrations.AddField(
            model_name="pipelinerun",
            name="cancelled_by",
            field=models.CharField(blank=True, help_text="The user name.", max_length=150),
        ),
        migrations.AddField(
            model_name="pipelinerun",
            name="first_stage",
            field=models.CharField(
                blank=True, help_text="Of a retry: the stages before it are those of the run it repeats.", max_length=40
            ),
        ),
        migrations.AddField(
            model_name="pipelinerun",
            name="notes",
            field=models.TextField(blank=True, max_length=4000),
        ),
        migrations.AddField(
            model_name="pipelinerun",
            name="overrides",
            field=models.JSONField(
                blank=True, default=dict, help_text="{dotted name: value}: what was chosen in place of params.yaml."
            ),
        ),
        migrations.AddField(
            model_name="pipelinerun",
            name="retry_of",
            field=models.ForeignKey(
                blank=True,
                help_text="The run it repeats.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="retries",
                to="ml.pipelinerun",
            ),
        ),
        migrations.AddField(
            model_name="pipelinerun",
            name="tags",
            field=models.JSONField(
                blank=True, default=list, help_text="Words by which the list of runs can be filtered."
            ),
        ),
        migrations.AlterField(
            model_name="pipelinerun",
            name="status",
            field=models.CharField(
                choices=[
                    ("queued", "Queued"),
                    ("running", "Running"),
                    ("interrupted", "Interrupted, resumes"),
                    ("succeeded", "Succeeded"),
                    ("unchanged", "Unchanged"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                ],
                default="queued",
                max_length=11,
            ),
        ),
        migrations.CreateModel(
            name="StageLog",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stage", models.CharField(max_length=60)),
                ("text", models.TextField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="stage_logs", to="ml.pipelinerun"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("run", "stage"), name="stagelog_unique")],
            },
        ),
    ]
