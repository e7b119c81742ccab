"""Events carry what clients filter by, each filter with an index in the order of a replay; older ones are filled in."""

from django.db import migrations, models
from django.db.models import Q

NUMBERED_ONCE = """
CREATE OR REPLACE FUNCTION spai_event_numbered_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.number IS NULL AND NEW.number IS NOT NULL AND to_jsonb(NEW) - 'number' = to_jsonb(OLD) - 'number' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'matches_event is append-only: only its number is set, once' USING ERRCODE = 'restrict_violation';
END $$;
"""

BEFORE = """
CREATE OR REPLACE FUNCTION spai_event_numbered_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.number IS NULL AND NEW.number IS NOT NULL
       AND (NEW.id, NEW.topic, NEW.key, NEW.payload, NEW.created_at)
         = (OLD.id, OLD.topic, OLD.key, OLD.payload, OLD.created_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'matches_event is append-only: only its number is set, once' USING ERRCODE = 'restrict_violation';
END $$;
"""

FILL = """
ALTER TABLE matches_event DISABLE TRIGGER numbered_once;
UPDATE matches_event AS event
SET match_id = match.id, world = match.world, competition = competition.slug, home_team = home.slug, away_team = away.slug
FROM matches_match AS match, matches_competition AS competition, matches_team AS home, matches_team AS away
WHERE event.topic IN ('match.changed', 'prediction.published', 'score.settled') AND event.key ~ '^[0-9]{1,18}$'
  AND match.id = CASE WHEN event.key ~ '^[0-9]{1,18}$' THEN event.key::bigint END
  AND competition.id = match.competition_id AND home.id = match.home_team_id AND away.id = match.away_team_id;
UPDATE matches_event SET world = key WHERE topic IN ('promotion.made', 'comparison.made') AND key IN ('real', 'sandbox');
UPDATE matches_event SET world = payload ->> 'world'
WHERE topic = 'run.changed' AND payload ->> 'world' IN ('real', 'sandbox');
ALTER TABLE matches_event ENABLE TRIGGER numbered_once;
"""


def slug(text: str) -> models.CharField:
    return models.CharField(blank=True, db_default="", help_text=text, max_length=160)


class Migration(migrations.Migration):
    dependencies = [("matches", "0011_how_names_were_found")]

    operations = [
        migrations.AddField(
            model_name="event",
            name="world",
            field=models.CharField(
                blank=True, db_default="", help_text="Empty where it belongs to both.", max_length=7
            ),
        ),
        migrations.AddField(
            model_name="event",
            name="match_id",
            field=models.BigIntegerField(blank=True, help_text="The match, for events of one.", null=True),
        ),
        migrations.AddField(model_name="event", name="competition", field=slug("Slug.")),
        migrations.AddField(model_name="event", name="home_team", field=slug("Slug.")),
        migrations.AddField(model_name="event", name="away_team", field=slug("Slug.")),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL(NUMBERED_ONCE, BEFORE),
        *(
            migrations.AddIndex(
                model_name="event",
                index=models.Index(
                    fields=[*columns, "number"], condition=Q(("number__isnull", False)), name=f"event_by_{name}"
                ),
            )
            for name, columns in (
                ("match", ["match_id"]),
                ("competition", ["competition"]),
                ("home_team", ["home_team"]),
                ("away_team", ["away_team"]),
                ("topic", ["topic", "world"]),
                ("world", ["world"]),
            )
        ),
    ]
