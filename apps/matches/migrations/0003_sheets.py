"""The people of matches: the source of an incident, and who was reported missing."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("matches", "0002_append_only")]

    operations = [
        migrations.RemoveConstraint(model_name="incident", name="incident_match_number_unique"),
        # No incident was ever stored before this migration; the default is for none.
        migrations.AddField(
            model_name="incident",
            name="source",
            field=models.CharField(default="", max_length=40),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="incident",
            name="match",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="incidents",
                to="matches.match",
            ),
        ),
        migrations.AlterField(
            model_name="incident",
            name="number",
            field=models.PositiveSmallIntegerField(help_text="Order within the match, from 1."),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.UniqueConstraint(
                fields=("match", "source", "number"), name="incident_match_source_number_unique"
            ),
        ),
        migrations.AlterField(
            model_name="ingest",
            name="changed_facts",
            field=models.BooleanField(
                default=False, help_text="Whether a match, statistic, price or sheet was written."
            ),
        ),
        migrations.CreateModel(
            name="Absence",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("side", models.CharField(choices=[("home", "Home"), ("away", "Away")], max_length=4)),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Such as injured or suspended.", max_length=80),
                ),
                (
                    "status",
                    models.CharField(blank=True, help_text="How sure it is, such as out or doubtful.", max_length=40),
                ),
                ("known_at", models.DateTimeField(help_text="When the absence could first have been known.")),
                (
                    "match",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="absences",
                        to="matches.match",
                    ),
                ),
                (
                    "player",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="absences", to="matches.player"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("match", "player"), name="absence_match_player_unique")
                ],
            },
        ),
    ]
