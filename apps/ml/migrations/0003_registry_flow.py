"""Catalogues, dossiers and comparisons; what was decided in a comparison is append-only."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_comparison
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_featurecatalogue
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
"""

REVERSE = """
DROP TRIGGER append_only ON ml_featurecatalogue;
DROP TRIGGER append_only ON ml_comparison;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ml", "0002_facts"),
    ]

    operations = [
        migrations.CreateModel(
            name="FeatureCatalogue",
            fields=[
                (
                    "sha256",
                    models.CharField(
                        help_text="Of the rows as canonical JSON.", max_length=64, primary_key=True, serialize=False
                    ),
                ),
                (
                    "features",
                    models.JSONField(help_text="[{name, family, side, scope, window, unit, meaning, inputs}]."),
                ),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="modelversion",
            name="columns",
            field=models.JSONField(blank=True, default=list, help_text="Names of the features that the model reads."),
        ),
        migrations.CreateModel(
            name="Dossier",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("forecasts", models.BinaryField(help_text="Its calibrated out-of-sample forecasts, parquet.")),
                ("forecasts_sha256", models.CharField(max_length=64)),
                ("report", models.BinaryField(help_text="report.html of its evaluation, gzip.")),
                ("created_at", models.DateTimeField()),
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="dossier", to="ml.modelversion"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="modelversion",
            name="catalogue",
            field=models.ForeignKey(
                blank=True,
                help_text="What its features mean; none for versions that are older than the catalogues.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="versions",
                to="ml.featurecatalogue",
            ),
        ),
        migrations.CreateModel(
            name="Comparison",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("world", models.CharField(choices=[("real", "real"), ("sandbox", "sandbox")], max_length=7)),
                (
                    "verdict",
                    models.CharField(
                        choices=[("challenger", "may take over"), ("candidate", "stays a candidate")], max_length=10
                    ),
                ),
                ("reason", models.TextField(help_text="The verdict in one sentence.")),
                (
                    "criteria",
                    models.JSONField(
                        help_text="[{name, candidate, champion, difference, low, high, bound, passed, reason}]."
                    ),
                ),
                ("n", models.PositiveIntegerField(help_text="Matches that both forecast out of sample.")),
                ("rules", models.JSONField(help_text="Section `compare` of the parameters, as it was applied.")),
                ("key", models.CharField(help_text="sha256 of both versions' files and the rules.", max_length=64)),
                ("decided_at", models.DateTimeField()),
                (
                    "candidate",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="comparisons", to="ml.modelversion"
                    ),
                ),
                (
                    "champion",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ml.modelversion"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["candidate", "champion", "-id"], name="comparison_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="comparison_has_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("candidate", models.F("champion")), _negated=True), name="comparison_of_two"
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
