"""Facts are append-only, and PostgreSQL says so: only the role `spai_retention` may delete them."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION spai_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'spai_retention' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION spai_event_numbered_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.number IS NULL AND NEW.number IS NOT NULL
       AND (NEW.id, NEW.topic, NEW.key, NEW.payload, NEW.created_at)
         = (OLD.id, OLD.topic, OLD.key, OLD.payload, OLD.created_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'matches_event is append-only: only its number is set, once' USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION spai_event_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY spai_event;
    RETURN NULL;
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON matches_matchchange
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
CREATE TRIGGER append_only BEFORE DELETE ON matches_event
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
CREATE TRIGGER numbered_once BEFORE UPDATE ON matches_event
    FOR EACH ROW EXECUTE FUNCTION spai_event_numbered_once();
CREATE TRIGGER notify AFTER INSERT ON matches_event
    FOR EACH STATEMENT EXECUTE FUNCTION spai_event_notify();
"""

REVERSE = """
DROP TRIGGER notify ON matches_event;
DROP TRIGGER numbered_once ON matches_event;
DROP TRIGGER append_only ON matches_event;
DROP TRIGGER append_only ON matches_matchchange;
DROP FUNCTION spai_event_notify();
DROP FUNCTION spai_event_numbered_once();
DROP FUNCTION spai_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("matches", "0001_initial")]

    operations = [migrations.RunSQL(FUNCTION, REVERSE)]
