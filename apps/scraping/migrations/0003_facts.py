"""Raw pages are append-only; the role `spai_retention` alone may delete them, and old visits with them."""

from django.db import migrations

FORWARD = """
-- Roles belong to the whole server: another database may have made it, or be making it now.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'spai_retention') THEN
        CREATE ROLE spai_retention NOLOGIN;
    END IF;
    EXECUTE format('GRANT spai_retention TO %I', current_user);
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'spai_retention is not made: have a superuser run CREATE ROLE spai_retention; GRANT spai_retention '
            'TO the user of this database. Until then nothing is ever pruned.';
END $$;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'spai_retention') THEN
        GRANT SELECT, DELETE ON scraping_snapshot, scraping_scraperun TO spai_retention;
    END IF;
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON scraping_snapshot
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
"""

REVERSE = """
DROP TRIGGER append_only ON scraping_snapshot;
"""


class Migration(migrations.Migration):
    dependencies = [("scraping", "0002_raw_pages_and_lanes"), ("matches", "0002_append_only")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
