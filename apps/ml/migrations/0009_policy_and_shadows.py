"""The policy of promotion and retraining, the decisions on retraining, and forecasts in shadow."""

import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_policyrevision
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_shadowforecast
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();

-- Left out and not refused: one match that kicks off meanwhile must not cost the shadows of all others.
CREATE FUNCTION spai_shadow_before_kickoff() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ml_prediction AS made JOIN matches_match AS match ON match.id = made.match_id
        WHERE made.id = NEW.prediction_id AND match.kickoff_at <= clock_timestamp()
    ) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER before_kickoff BEFORE INSERT ON ml_shadowforecast
    FOR EACH ROW EXECUTE FUNCTION spai_shadow_before_kickoff();
"""

REVERSE = """
DROP TRIGGER before_kickoff ON ml_shadowforecast;
DROP FUNCTION spai_shadow_before_kickoff();
DROP TRIGGER append_only ON ml_shadowforecast;
DROP TRIGGER append_only ON ml_policyrevision;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ml", "0008_ledger"),
    ]

    operations = [
        migrations.AddField(
            model_name="modelversion",
            name="sources_sha256",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Of the code that its numbers depend on; older ones have none.",
                max_length=64,
            ),
        ),
        migrations.CreateModel(
            name="PolicyRevision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("world", models.CharField(choices=[("real", "real"), ("sandbox", "sandbox")], max_length=7)),
                ("changes", models.JSONField(help_text="Dotted name → value, of all that differs from params.yaml.")),
                ("decided_by", models.CharField(help_text="The user name.", max_length=150)),
                ("reason", models.CharField(max_length=400)),
                ("decided_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "policy",
                "verbose_name_plural": "policies",
                "indexes": [models.Index(fields=["world", "-id"], name="policyrevision_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="policyrevision_has_reason"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RetrainingDecision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("world", models.CharField(choices=[("real", "real"), ("sandbox", "sandbox")], max_length=7)),
                ("answer", models.CharField(choices=[("run", "a run was queued"), ("no", "no")], max_length=3)),
                (
                    "cause",
                    models.CharField(
                        help_text="What decided it; a “no” for another cause has its own row.", max_length=200
                    ),
                ),
                ("reason", models.TextField(help_text="In one sentence, with the latest numbers.")),
                (
                    "triggers",
                    models.JSONField(help_text="[{name, is_due, value, bound, reason}], as of the latest time."),
                ),
                ("times", models.PositiveIntegerField(default=1, help_text="How often it was decided in a row.")),
                ("decided_at", models.DateTimeField(help_text="The first time.")),
                ("latest_at", models.DateTimeField(help_text="The latest time.")),
                (
                    "run",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="retraining_decision",
                        to="ml.pipelinerun",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["world", "-id"], name="retrainingdecision_newest")],
            },
        ),
        migrations.CreateModel(
            name="ShadowForecast",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "p_home",
                    models.FloatField(
                        validators=[
                            django.core.validators.MinValueValidator(0.0),
                            django.core.validators.MaxValueValidator(1.0),
                        ]
                    ),
                ),
                (
                    "p_draw",
                    models.FloatField(
                        validators=[
                            django.core.validators.MinValueValidator(0.0),
                            django.core.validators.MaxValueValidator(1.0),
                        ]
                    ),
                ),
                (
                    "p_away",
                    models.FloatField(
                        validators=[
                            django.core.validators.MinValueValidator(0.0),
                            django.core.validators.MaxValueValidator(1.0),
                        ]
                    ),
                ),
                ("made_at", models.DateTimeField()),
                (
                    "prediction",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shadows",
                        to="ml.prediction",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="shadows", to="ml.modelversion"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("prediction", "version"), name="shadowforecast_identity_unique"),
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
                        name="shadowforecast_sums_to_one",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
