"""Promotions, predictions and scores are append-only; a prediction after kick-off is refused by the database's clock."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION spai_prediction_before_kickoff() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kickoff timestamptz;
BEGIN
    SELECT kickoff_at INTO kickoff FROM matches_match WHERE id = NEW.match_id FOR SHARE;
    IF kickoff <= clock_timestamp() THEN
        RAISE EXCEPTION 'match % has kicked off: its forecast is frozen', NEW.match_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER before_kickoff BEFORE INSERT ON ml_prediction
    FOR EACH ROW EXECUTE FUNCTION spai_prediction_before_kickoff();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_prediction
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_score
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
-- An account that is deleted empties the link to it; what it decided, when and why stays.
CREATE FUNCTION spai_promotion_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.user_id IS NULL
       AND (NEW.id, NEW.world, NEW.version_id, NEW.previous_id, NEW.kind, NEW.decided_by, NEW.reason, NEW.decided_at)
           IS NOT DISTINCT FROM
           (OLD.id, OLD.world, OLD.version_id, OLD.previous_id, OLD.kind, OLD.decided_by, OLD.reason, OLD.decided_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'ml_promotion is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_promotion
    FOR EACH ROW EXECUTE FUNCTION spai_promotion_append_only();
"""

REVERSE = """
DROP TRIGGER append_only ON ml_promotion;
DROP FUNCTION spai_promotion_append_only();
DROP TRIGGER append_only ON ml_score;
DROP TRIGGER append_only ON ml_prediction;
DROP TRIGGER before_kickoff ON ml_prediction;
DROP FUNCTION spai_prediction_before_kickoff();
"""


class Migration(migrations.Migration):
    dependencies = [("ml", "0001_initial"), ("matches", "0002_append_only")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
