"""Reports on drift, one a day for the champion of a world."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ml", "0009_policy_and_shadows")]

    operations = [
        migrations.CreateModel(
            name="DriftReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("world", models.CharField(choices=[("real", "real"), ("sandbox", "sandbox")], max_length=7)),
                ("day", models.DateField()),
                ("data_snapshot", models.BigIntegerField(help_text="The data snapshot that was checked.")),
                ("is_drifted", models.BooleanField(help_text="Whether any test found drift.")),
                (
                    "score",
                    models.FloatField(help_text="Largest statistic over its threshold: 1 and more is drift."),
                ),
                (
                    "features",
                    models.JSONField(help_text="Recent matches against those that the model was trained on."),
                ),
                (
                    "predictions",
                    models.JSONField(help_text="Published forecasts against those of the evaluation."),
                ),
                (
                    "concept",
                    models.JSONField(help_text="Log loss of graded forecasts against what was expected."),
                ),
                (
                    "page",
                    models.BinaryField(
                        help_text="The report of Evidently, gzip; empty once it is old, or without Evidently."
                    ),
                ),
                ("computed_at", models.DateTimeField()),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drift_reports",
                        to="ml.modelversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("world", "day", "version"), name="driftreport_identity_unique")
                ],
                "indexes": [models.Index(fields=["world", "-computed_at"], name="driftreport_latest")],
            },
        ),
    ]
