"""Runs that back-test the champion, what they forecast, and the gap to the closing line beside the live one."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ml", "0019_weaknesses")]

    operations = [
        migrations.AddField(
            model_name="pipelinerun",
            name="kind",
            field=models.CharField(
                choices=[("training", "Training"), ("back-test", "Back-test")],
                db_default="training",
                default="training",
                help_text="Training makes versions; a back-test forecasts the latest finished seasons again.",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="pipelinerun",
            name="back_test_of",
            field=models.ForeignKey(
                blank=True,
                help_text="Of a back-test: the version whose estimator and parameters it has.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                db_index=False,
                related_name="back_test_runs",
                to="ml.modelversion",
            ),
        ),
        migrations.AddConstraint(
            model_name="pipelinerun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("back_test_of__isnull", False), ("kind", "back-test")),
                    models.Q(("back_test_of__isnull", True), ("kind", "training")),
                    _connector="OR",
                ),
                name="pipelinerun_back_test_has_version",
            ),
        ),
        migrations.AddField(
            model_name="backtest",
            name="run",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="The back-test that made it; none for the run that trained the version.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="ml.pipelinerun",
            ),
        ),
        migrations.CreateModel(
            name="BackTestForecasts",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="back_tested",
                        serialize=False,
                        to="ml.pipelinerun",
                    ),
                ),
                (
                    "forecasts",
                    models.BinaryField(help_text="Calibrated out-of-sample forecasts of the tested seasons, parquet."),
                ),
                ("seasons", models.JSONField(help_text="{slug of a competition: season}: what was tested.")),
                ("data_snapshot", models.BigIntegerField(help_text="The data snapshot that was exported.")),
                ("created_at", models.DateTimeField()),
            ],
            options={"verbose_name_plural": "forecasts of back-tests"},
        ),
        migrations.CreateModel(
            name="ClosingGap",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "world",
                    models.CharField(choices=[("real", "real"), ("sandbox", "sandbox")], max_length=7, unique=True),
                ),
                (
                    "content",
                    models.JSONField(help_text="As `forecasting.closing_gap.comparison` returns it."),
                ),
                ("computed_at", models.DateTimeField(help_text="It has the scores of this moment.")),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The back-test.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="ml.pipelinerun",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The champion that was back-tested; none before its first back-test.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="ml.modelversion",
                    ),
                ),
            ],
        ),
    ]
