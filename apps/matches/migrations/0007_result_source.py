"""The source of a result is called `result_source`, in the column and in what corrections and merges have kept."""

from django.db import migrations, models

KEPT = (("matches_correction", "before"), ("matches_correction", "after"), ("matches_teammerge", "moved"))


def _rename(old: str, new: str) -> str:
    # A quote within a string is escaped, so that the pattern can only be a key.
    return "".join(
        f"UPDATE {table} SET {column} = replace({column}::text, '\"{old}\":', '\"{new}\":')::jsonb"
        f" WHERE strpos({column}::text, '\"{old}\":') > 0;"
        for table, column in KEPT
    )


class Migration(migrations.Migration):
    dependencies = [("matches", "0006_world_of_matches")]

    operations = [
        migrations.RenameField("match", "told_by", "result_source"),
        migrations.RunSQL(_rename("told_by", "result_source"), _rename("result_source", "told_by")),
        migrations.AlterField(
            "ingest",
            "changed_facts",
            models.BooleanField(
                default=False, help_text="Whether a match, statistic, price or match detail was written."
            ),
        ),
    ]
