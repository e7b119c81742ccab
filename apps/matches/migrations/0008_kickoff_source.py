"""Kick-offs have an order of trust of their own, so that a match says whose kick-off it has."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("matches", "0007_result_source")]

    operations = [
        migrations.AddField(
            "match",
            "kickoff_source",
            models.CharField(
                blank=True,
                db_default="",
                help_text="The source of the stored kick-off: the most trusted one that gave it; empty where it is that of the "
                "result.",
                max_length=40,
            ),
        ),
    ]
