"""What each source delivered day by day."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scraping", "0006_understat")]

    operations = [
        migrations.CreateModel(
            name="SourceDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                (
                    "complete",
                    models.PositiveIntegerField(help_text="Complete runs of current matches, with at least one page."),
                ),
                (
                    "stored",
                    models.PositiveIntegerField(help_text="Matches created or changed; back-fills do not count."),
                ),
                ("refused", models.PositiveIntegerField(help_text="Records that were refused.")),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="days", to="scraping.source"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("source", "day"), name="sourceday_source_day_unique")],
            },
        ),
    ]
