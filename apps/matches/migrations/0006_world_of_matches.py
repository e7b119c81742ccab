"""Matches carry their competition and world, which PostgreSQL copies from the season and keeps equal to it.

The columns are computed while the table of matches is rewritten once: an UPDATE of 280,000 rows would leave as many dead
ones in the table and in each index.
"""

import django.db.models.deletion
from django.db import migrations, models

WORLDS = [("real", "real"), ("sandbox", "sandbox")]

FILL = """
SET CONSTRAINTS ALL IMMEDIATE;

CREATE FUNCTION spai_world_of_competition(bigint) RETURNS text LANGUAGE sql STABLE AS
    'SELECT world FROM matches_competition WHERE id = $1';
ALTER TABLE matches_season ALTER COLUMN world TYPE varchar(7) USING spai_world_of_competition(competition_id);
DROP FUNCTION spai_world_of_competition(bigint);

CREATE FUNCTION spai_competition_of_season(bigint) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT competition_id FROM matches_season WHERE id = $1';
CREATE FUNCTION spai_world_of_season(bigint) RETURNS text LANGUAGE sql STABLE AS
    'SELECT world FROM matches_season WHERE id = $1';
ALTER TABLE matches_match
    ALTER COLUMN competition_id TYPE bigint USING spai_competition_of_season(season_id),
    ALTER COLUMN world TYPE varchar(7) USING spai_world_of_season(season_id);
DROP FUNCTION spai_competition_of_season(bigint);
DROP FUNCTION spai_world_of_season(bigint);
"""

KEEP = """
CREATE FUNCTION spai_season_follows_competition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT world INTO NEW.world FROM matches_competition WHERE id = NEW.competition_id;
    RETURN NEW;
END $$;
CREATE FUNCTION spai_match_follows_season() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT competition_id, world INTO NEW.competition_id, NEW.world FROM matches_season WHERE id = NEW.season_id;
    RETURN NEW;
END $$;

CREATE TRIGGER follows_competition BEFORE INSERT ON matches_season
    FOR EACH ROW EXECUTE FUNCTION spai_season_follows_competition();
CREATE TRIGGER still_follows_competition BEFORE UPDATE OF competition_id, world ON matches_season
    FOR EACH ROW WHEN ((NEW.competition_id, NEW.world) IS DISTINCT FROM (OLD.competition_id, OLD.world))
    EXECUTE FUNCTION spai_season_follows_competition();
-- Who stores many matches gives both columns; the foreign key below checks them, and no query a row is needed.
CREATE TRIGGER follows_season BEFORE INSERT ON matches_match
    FOR EACH ROW WHEN (coalesce(NEW.competition_id, 0) = 0 OR coalesce(NEW.world, '') = '')
    EXECUTE FUNCTION spai_match_follows_season();
CREATE TRIGGER still_follows_season BEFORE UPDATE OF season_id, competition_id, world ON matches_match
    FOR EACH ROW WHEN (
        (NEW.season_id, NEW.competition_id, NEW.world) IS DISTINCT FROM (OLD.season_id, OLD.competition_id, OLD.world)
    )
    EXECUTE FUNCTION spai_match_follows_season();

ALTER TABLE matches_season ADD CONSTRAINT season_of_competition
    FOREIGN KEY (competition_id, world) REFERENCES matches_competition (id, world) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE matches_match ADD CONSTRAINT match_of_season
    FOREIGN KEY (season_id, competition_id, world) REFERENCES matches_season (id, competition_id, world)
    DEFERRABLE INITIALLY DEFERRED;
"""

KEEP_NO_MORE = """
ALTER TABLE matches_match DROP CONSTRAINT match_of_season;
ALTER TABLE matches_season DROP CONSTRAINT season_of_competition;
DROP TRIGGER still_follows_season ON matches_match;
DROP TRIGGER follows_season ON matches_match;
DROP TRIGGER still_follows_competition ON matches_season;
DROP TRIGGER follows_competition ON matches_season;
DROP FUNCTION spai_match_follows_season();
DROP FUNCTION spai_season_follows_competition();
"""


def _open_matches(owner: str) -> migrations.AddIndex:
    return migrations.AddIndex(
        model_name="match",
        index=models.Index(
            condition=models.Q(("status", "finished"), _negated=True),
            fields=[owner, "status", "kickoff_at", "id"],
            name=f"match_open_by_{owner}",
        ),
    )


def _in_order_of_id_too(owner: str) -> list[migrations.RemoveIndex | migrations.AddIndex]:
    name = f"match_by_{owner}"
    index = models.Index(fields=[owner, "kickoff_at", "id"], name=name)
    return [
        migrations.RemoveIndex(model_name="match", name=name),
        migrations.AddIndex(model_name="match", index=index),
    ]


class Migration(migrations.Migration):
    dependencies = [("matches", "0005_merges")]

    operations = [
        migrations.AddField(
            model_name="competition",
            name="world",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(is_simulated=True, then=models.Value("sandbox")), default=models.Value("real")
                ),
                output_field=models.CharField(choices=WORLDS, max_length=7),
            ),
        ),
        migrations.AddConstraint(
            model_name="competition",
            constraint=models.UniqueConstraint(fields=("id", "world"), name="competition_world_unique"),
        ),
        migrations.AddField(
            model_name="season",
            name="world",
            field=models.CharField(
                choices=WORLDS,
                db_default=models.Value(""),
                editable=False,
                help_text="Of the competition; the database fills it.",
                max_length=7,
            ),
        ),
        migrations.AddField(
            model_name="match",
            name="competition",
            field=models.ForeignKey(
                db_constraint=False,
                db_default=models.Value(0),
                db_index=False,
                editable=False,
                help_text="Of the season; the database fills it.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="matches",
                to="matches.competition",
            ),
        ),
        migrations.AddField(
            model_name="match",
            name="world",
            field=models.CharField(
                choices=WORLDS,
                db_default=models.Value(""),
                editable=False,
                help_text="Of the competition; the database fills it.",
                max_length=7,
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="season",
            constraint=models.UniqueConstraint(
                fields=("id", "competition", "world"), name="season_competition_world_unique"
            ),
        ),
        migrations.AlterField(
            model_name="season",
            name="competition",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="seasons",
                to="matches.competition",
            ),
        ),
        migrations.AlterField(
            model_name="match",
            name="season",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="matches",
                to="matches.season",
            ),
        ),
        migrations.RunSQL(KEEP, KEEP_NO_MORE),
        migrations.AlterField(
            model_name="match",
            name="stage",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="matches",
                to="matches.stage",
            ),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(condition=models.Q(("stage__isnull", False)), fields=["stage"], name="match_by_stage"),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(fields=["world", "kickoff_at", "id"], name="match_by_world"),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(fields=["world", "status", "kickoff_at", "id"], name="match_by_status"),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(fields=["competition", "kickoff_at", "id"], name="match_by_competition"),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(
                fields=["competition", "status", "kickoff_at", "id"], name="match_by_competition_status"
            ),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(
                fields=["home_team", "competition", "kickoff_at", "id"], name="match_by_home_competition"
            ),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(
                fields=["away_team", "competition", "kickoff_at", "id"], name="match_by_away_competition"
            ),
        ),
        migrations.RemoveIndex(model_name="match", name="match_by_kickoff"),
        migrations.AddIndex(
            model_name="match", index=models.Index(fields=["-kickoff_at", "id"], name="match_by_kickoff")
        ),
        *(step for owner in ("season", "home_team", "away_team") for step in _in_order_of_id_too(owner)),
        migrations.RemoveConstraint(model_name="match", name="match_identity_unique"),
        migrations.AddConstraint(
            model_name="match",
            constraint=models.UniqueConstraint(
                fields=("home_team", "away_team", "season", "occurrence"), name="match_identity_unique"
            ),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(
                condition=models.Q(("status", "finished"), _negated=True),
                fields=["status", "-kickoff_at", "id"],
                name="match_open_by_status",
            ),
        ),
        *(_open_matches(owner) for owner in ("season", "home_team", "away_team")),
        # Autovacuum does not count a rewrite as a change, and without counts of worlds every plan is a guess.
        migrations.RunSQL("ANALYZE matches_match, matches_season, matches_competition", migrations.RunSQL.noop),
    ]
