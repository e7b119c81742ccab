"""Two teams become one club; the history of a match follows it into the row that stays."""

import django.db.models.deletion
from django.db import migrations, models

FUNCTION = """
CREATE FUNCTION spai_change_follows_match() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.ingest_id, NEW.changed_at, NEW.before, NEW.after)
         = (OLD.id, OLD.ingest_id, OLD.changed_at, OLD.before, OLD.after) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER append_only ON matches_matchchange;
CREATE TRIGGER append_only BEFORE DELETE ON matches_matchchange
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
CREATE TRIGGER follows_match BEFORE UPDATE ON matches_matchchange
    FOR EACH ROW EXECUTE FUNCTION spai_change_follows_match();
"""

REVERSE = """
DROP TRIGGER follows_match ON matches_matchchange;
DROP TRIGGER append_only ON matches_matchchange;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON matches_matchchange
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
DROP FUNCTION spai_change_follows_match();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("matches", "0004_contradictions"),
    ]

    operations = [
        migrations.CreateModel(
            name="TeamMerge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="Of the team that is no more.", max_length=120)),
                ("into_name", models.CharField(help_text="As it was called then.", max_length=120)),
                (
                    "moved",
                    models.JSONField(help_text="Every row as it was before, and as the merge left what it joined."),
                ),
                (
                    "matches_moved",
                    models.PositiveIntegerField(help_text="Matches that now are those of the other team."),
                ),
                (
                    "matches_joined",
                    models.PositiveIntegerField(help_text="Of them, matches that both had and that became one row."),
                ),
                ("merged_by", models.CharField(help_text="The user name.", max_length=150)),
                ("reason", models.CharField(max_length=400)),
                ("merged_at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                ("undo_reason", models.CharField(blank=True, max_length=400)),
                (
                    "ingest",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="matches.ingest"
                    ),
                ),
                (
                    "into",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="merges",
                        to="matches.team",
                    ),
                ),
                (
                    "region",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="matches.region"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="teammerge_has_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("matches_joined__lte", models.F("matches_moved"))),
                        name="teammerge_joined_of_moved",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("undo_reason", ""), ("undone_at__isnull", True), ("undone_by", "")),
                            models.Q(
                                ("undone_at__isnull", False),
                                models.Q(("undone_by", ""), _negated=True),
                                models.Q(("undo_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="teammerge_undo_whole",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FUNCTION, REVERSE),
    ]
