"""What matches can change in their seasons."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ml", "0015_season_inputs"),
        ("matches", "0017_live_scores"),
    ]

    operations = [
        migrations.CreateModel(
            name="Stakes",
            fields=[
                (
                    "match",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="stakes",
                        serialize=False,
                        to="matches.match",
                    ),
                ),
                ("as_of", models.DateTimeField(help_text="Of the simulation.")),
                (
                    "simulations",
                    models.PositiveIntegerField(help_text="Simulated seasons, of which each had one of the outcomes."),
                ),
                (
                    "chances",
                    models.JSONField(help_text="[{side, name, places, from_end, before, given: [home, draw, away]}]."),
                ),
            ],
            options={"verbose_name_plural": "stakes"},
        ),
    ]
