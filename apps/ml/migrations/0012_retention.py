"""The role of retention may delete forecasts that were replaced before kick-off, with their shadows; versions can lose
their files.
"""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION spai_prediction_kept() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kickoff timestamptz;
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'spai_retention' THEN
        SELECT kickoff_at INTO kickoff FROM matches_match WHERE id = OLD.match_id;
        IF kickoff < clock_timestamp() - interval '1 day'
           AND NOT EXISTS (SELECT FROM ml_score WHERE prediction_id = OLD.id)
           AND EXISTS (SELECT FROM ml_ledgerleaf WHERE prediction_id = OLD.id)
           AND EXISTS (
               SELECT FROM ml_prediction AS later
               WHERE later.match_id = OLD.match_id AND later.version_id = OLD.version_id
                 AND later.published_at < kickoff AND (later.published_at, later.id) > (OLD.published_at, OLD.id)
           ) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'ml_prediction is append-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'Retention deletes forecasts in the ledger that the same version replaced before kick-off.';
END $$;
DROP TRIGGER append_only ON ml_prediction;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_prediction
    FOR EACH ROW EXECUTE FUNCTION spai_prediction_kept();
CREATE FUNCTION spai_shadow_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'spai_retention' AND EXISTS (
        SELECT FROM ml_prediction AS made
        JOIN matches_match AS match ON match.id = made.match_id
        JOIN ml_prediction AS later ON later.match_id = made.match_id AND later.version_id = made.version_id
        WHERE made.id = OLD.prediction_id
          AND match.kickoff_at < clock_timestamp() - interval '1 day'
          AND later.published_at < match.kickoff_at
          AND (later.published_at, later.id) > (made.published_at, made.id)
          AND NOT EXISTS (SELECT FROM ml_score WHERE prediction_id = made.id)
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'ml_shadowforecast is append-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'Retention deletes shadows of forecasts that were replaced before kick-off.';
END $$;
DROP TRIGGER append_only ON ml_shadowforecast;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_shadowforecast
    FOR EACH ROW EXECUTE FUNCTION spai_shadow_kept();
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'spai_retention') THEN
        GRANT SELECT, DELETE ON ml_prediction, ml_shadowforecast TO spai_retention;
        GRANT SELECT ON matches_match, ml_score, ml_ledgerleaf TO spai_retention;
    END IF;
END $$;
"""

REVERSE = """
DROP TRIGGER append_only ON ml_prediction;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_prediction
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
DROP FUNCTION spai_prediction_kept();
DROP TRIGGER append_only ON ml_shadowforecast;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_shadowforecast
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
DROP FUNCTION spai_shadow_kept();
"""


def refuse_after_retention(apps: Any, schema_editor: Any) -> None:
    """Refuse the way back when rows are gone that the schema before demands."""
    leaves = apps.get_model("ml", "LedgerLeaf").objects
    versions = apps.get_model("ml", "ModelVersion").objects
    predictions = apps.get_model("ml", "Prediction").objects
    has_prediction = models.Exists(predictions.filter(pk=models.OuterRef("prediction_id")))
    if versions.filter(files_deleted_at__isnull=False).exists() or leaves.filter(~has_prediction).exists():
        raise RuntimeError(
            "Retention has deleted forecasts or model files, which the schema before ml 0012 demands. Nothing was "
            "changed. To go back, restore a backup from before the first retention run."
        )


class Migration(migrations.Migration):
    dependencies = [("ml", "0011_run_control"), ("matches", "0014_retention")]

    operations = [
        migrations.AddField(
            model_name="modelversion",
            name="files_deleted_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When retention deleted its bundle, report and MLflow run; it cannot serve.",
                null=True,
            ),
        ),
        migrations.RemoveConstraint(model_name="modelversion", name="version_world_key_unique"),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("files_deleted_at__isnull", True)),
                fields=("world", "key"),
                name="version_world_key_unique",
            ),
        ),
        migrations.AddField(
            model_name="pipelinerun",
            name="trace",
            field=models.CharField(
                blank=True,
                db_default="",
                editable=False,
                help_text="traceparent of what requested it.",
                max_length=55,
            ),
        ),
        migrations.AlterField(
            model_name="ledgerleaf",
            name="prediction",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                primary_key=True,
                related_name="ledger_leaf",
                serialize=False,
                to="ml.prediction",
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
        migrations.RunPython(migrations.RunPython.noop, refuse_after_retention),
    ]
