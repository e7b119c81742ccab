"""Back-tests of the champions, and the record of forecasts, computed in advance."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

# Not named append_only, which leaves a table without the right to delete: the next champion's rows replace these.
FORWARD = """
CREATE TRIGGER unchanged BEFORE UPDATE ON ml_backtest FOR EACH ROW EXECUTE FUNCTION spai_append_only();
"""

REVERSE = "DROP TRIGGER unchanged ON ml_backtest;"


class Migration(migrations.Migration):
    dependencies = [
        ("matches", "0015_application_role"),
        ("ml", "0013_ledger_of_the_sandbox"),
    ]

    operations = [
        migrations.CreateModel(
            name="BackTest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("as_of", models.DateTimeField(help_text="It used facts known before this moment.")),
                ("p_home", models.FloatField()),
                ("p_draw", models.FloatField()),
                ("p_away", models.FloatField()),
                (
                    "match",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="matches.match",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="ml.modelversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("match", "version"), name="backtest_identity_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("p_away__gte", 0),
                            ("p_draw__gte", 0),
                            ("p_home__gte", 0),
                            (
                                "p_home__lte",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.Value(1.000000001), "-", models.F("p_draw")
                                    ),
                                    "-",
                                    models.F("p_away"),
                                ),
                            ),
                            (
                                "p_home__gte",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.Value(0.999999999), "-", models.F("p_draw")
                                    ),
                                    "-",
                                    models.F("p_away"),
                                ),
                            ),
                        ),
                        name="backtest_sums_to_one",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RecordSummary",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("world", models.CharField(choices=[("real", "real"), ("sandbox", "sandbox")], max_length=7)),
                ("is_back_tested", models.BooleanField()),
                ("content", models.JSONField()),
                ("computed_at", models.DateTimeField(help_text="It has the scores of this moment.")),
                ("seconds", models.FloatField(help_text="Time that the computation took.")),
                (
                    "version",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Whose back-tests they are; none for published forecasts, which several versions made.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="ml.modelversion",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "record summaries",
                "constraints": [
                    models.UniqueConstraint(fields=("world", "is_back_tested"), name="recordsummary_identity_unique")
                ],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
