"""The rights of the application's role, which owns nothing; `manage.py migrate` grants them (docs/postgresql.md)."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION spai_analyze(VARIADIC tables regclass[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- The right to analyse cannot be granted before PostgreSQL 17.
    EXECUTE 'ANALYZE ' || (SELECT string_agg(each::text, ', ') FROM unnest(tables) AS each);
END $$;

CREATE FUNCTION spai_hold_forecasts() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- It needs the right to change rows.
    LOCK TABLE public.ml_prediction IN SHARE MODE;
END $$;

CREATE FUNCTION spai_grant_application() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    relation record;
    passes text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'spai_application') THEN
        RETURN;
    END IF;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO spai_application;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO spai_application;
    FOR relation IN
        SELECT oid::regclass AS name, relkind, relname = 'django_migrations' AS is_read,
               EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = 'append_only') AS is_fact
        FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')
          AND pg_get_userbyid(relowner) = current_user
    LOOP
        IF relation.relkind = 'S' THEN
            EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO spai_application', relation.name);
        ELSIF relation.is_read THEN
            EXECUTE format('REVOKE ALL ON %s FROM spai_application', relation.name);
            EXECUTE format('GRANT SELECT ON %s TO spai_application', relation.name);
        ELSIF relation.is_fact THEN
            EXECUTE format('REVOKE ALL ON %s FROM spai_application', relation.name);
            EXECUTE format('GRANT SELECT, INSERT ON %s TO spai_application', relation.name);
            -- What its trigger lets pass: numbering, two matches that are one, an account that is deleted.
            passes := CASE relation.name::text
                WHEN 'matches_event' THEN 'number'
                WHEN 'matches_matchchange' THEN 'match_id'
                WHEN 'ml_promotion' THEN 'user_id'
            END;
            IF passes IS NOT NULL THEN
                EXECUTE format('GRANT UPDATE (%I) ON %s TO spai_application', passes, relation.name);
            END IF;
        ELSE
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO spai_application', relation.name);
        END IF;
    END LOOP;
END $$;
"""

REVERSE = """
DROP FUNCTION spai_grant_application();
DROP FUNCTION spai_hold_forecasts();
DROP FUNCTION spai_analyze(regclass[]);
"""


class Migration(migrations.Migration):
    dependencies = [("matches", "0014_retention")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
