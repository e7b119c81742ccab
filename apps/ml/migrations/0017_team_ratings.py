"""Ratings of clubs over time."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("matches", "0015_application_role"),
        ("ml", "0016_stakes"),
    ]

    operations = [
        migrations.CreateModel(
            name="TeamRating",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("world", models.CharField(choices=[("real", "real"), ("sandbox", "sandbox")], max_length=7)),
                ("step_at", models.DateTimeField(help_text="Beginning of the step, whose last results it has.")),
                ("as_of", models.DateTimeField(help_text="It used results known until then.")),
                ("place", models.PositiveIntegerField(help_text="Among all clubs of the world, 1 for the strongest.")),
                ("attack", models.FloatField(help_text="Goals that it is expected to score in such a match.")),
                ("defence", models.FloatField(help_text="Goals that it is expected to concede.")),
                ("p_win", models.FloatField(help_text="Probability that it wins.")),
                ("p_draw", models.FloatField()),
                (
                    "competition",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="matches.competition",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="matches.team",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="ml.modelversion",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["world", "-step_at", "place"], name="teamrating_by_place")],
                "constraints": [models.UniqueConstraint(fields=("team", "step_at"), name="teamrating_identity_unique")],
            },
        ),
    ]
