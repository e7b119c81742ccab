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
        # Texts only; nothing changes in the database.
        migrations.AlterField(
            model_name="contradiction",
            name="decided_by",
            field=models.CharField(
                choices=[("trust", "order of trust"), ("first", "reported first"), ("operator", "operator")],
                help_text="Why the stored result was kept.",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="contradiction",
            name="resolution",
            field=models.CharField(
                blank=True,
                choices=[
                    ("agreed", "the sources agree"),
                    ("corrected", "an operator accepted it"),
                    ("withdrawn", "the stored result was taken back"),
                ],
                max_length=9,
            ),
        ),
        migrations.AlterField(
            model_name="contradiction",
            name="seen_at",
            field=models.DateTimeField(help_text="When it was last reported, to the day."),
        ),
        migrations.AlterField(
            model_name="correction",
            name="before",
            field=models.JSONField(help_text="The result and its source, as they were."),
        ),
        migrations.AlterField(
            model_name="match",
            name="result_source",
            field=models.CharField(
                blank=True,
                help_text="The source of the stored result: the most trusted one that reported a result; of equals, the first.",
                max_length=40,
            ),
        ),
    ]
