"""The role of retention may delete leaves of the simulated world's ledger."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION spai_leaf_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'spai_retention' AND EXISTS (
        SELECT FROM ml_ledgerday
        WHERE id = OLD.day_id AND world = 'sandbox' AND day < (clock_timestamp() AT TIME ZONE 'UTC')::date - 1
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'ml_ledgerleaf is append-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'Retention deletes old leaves of the sandbox.';
END $$;
DROP TRIGGER append_only ON ml_ledgerleaf;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_ledgerleaf
    FOR EACH ROW EXECUTE FUNCTION spai_leaf_kept();
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'spai_retention') THEN
        GRANT SELECT, DELETE ON ml_ledgerleaf TO spai_retention;
        GRANT SELECT ON ml_ledgerday TO spai_retention;
    END IF;
END $$;
"""

REVERSE = """
DROP TRIGGER append_only ON ml_ledgerleaf;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_ledgerleaf
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
DROP FUNCTION spai_leaf_kept();
"""


class Migration(migrations.Migration):
    dependencies = [("ml", "0012_retention")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
