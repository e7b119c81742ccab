"""Scores of matches in play, which no model reads."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("matches", "0015_application_role")]

    operations = [
        migrations.CreateModel(
            name="LiveScore",
            fields=[
                (
                    "match",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="live_score",
                        serialize=False,
                        to="matches.match",
                    ),
                ),
                ("source", models.CharField(max_length=40)),
                ("minute", models.PositiveSmallIntegerField(help_text="Minutes played; 45 and 90 in stoppage time.")),
                ("home_goals", models.PositiveSmallIntegerField()),
                ("away_goals", models.PositiveSmallIntegerField()),
                ("read_at", models.DateTimeField(help_text="When the source last said so.")),
            ],
        ),
    ]
