"""Periods and runs of retention; the role of retention may delete old events, but never the newest one."""

import django.core.validators
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION spai_event_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'spai_retention' AND OLD.created_at < clock_timestamp() - interval '1 day'
       AND OLD.number < (SELECT max(number) FROM matches_event) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'matches_event is append-only: DELETE refused'
        USING ERRCODE = 'restrict_violation', HINT = 'Retention deletes numbered events that are a day old.';
END $$;
DROP TRIGGER append_only ON matches_event;
CREATE TRIGGER append_only BEFORE DELETE ON matches_event
    FOR EACH ROW EXECUTE FUNCTION spai_event_kept();
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'spai_retention') THEN
        GRANT SELECT, DELETE ON matches_event TO spai_retention;
    END IF;
END $$;
"""

REVERSE = """
DROP TRIGGER append_only ON matches_event;
CREATE TRIGGER append_only BEFORE DELETE ON matches_event
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
DROP FUNCTION spai_event_kept();
"""


class Migration(migrations.Migration):
    dependencies = [("matches", "0013_audit")]

    operations = [
        migrations.AddField(
            model_name="event",
            name="trace",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="traceparent of the work that published it; not sent.",
                max_length=55,
            ),
        ),
        migrations.CreateModel(
            name="RetentionPeriod",
            fields=[
                (
                    "kind",
                    models.CharField(max_length=30, primary_key=True, serialize=False),
                ),
                (
                    "days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How long it is kept; 0 for ever, empty for the default.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(36500)],
                    ),
                ),
                (
                    "newest",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How many of each world stay whatever their age; empty for the default.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(36500)],
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RetentionRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField()),
                (
                    "finished_at",
                    models.DateTimeField(help_text="Empty while it works, and when it was killed.", null=True),
                ),
                ("requested_by", models.CharField(help_text="The timetable, or a user's name.", max_length=150)),
                ("deleted", models.JSONField(default=dict, help_text="{kind: {rows, files, bytes}}.")),
                (
                    "errors",
                    models.JSONField(blank=True, default=dict, help_text="{kind: why nothing more of it was deleted}."),
                ),
                (
                    "sizes",
                    models.JSONField(blank=True, default=dict, help_text="{name: bytes on disk} after it."),
                ),
                (
                    "free_bytes",
                    models.BigIntegerField(help_text="Free space of the disk after it.", null=True),
                ),
            ],
            options={"indexes": [models.Index(fields=["-started_at"], name="retentionrun_newest")]},
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
