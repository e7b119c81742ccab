import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ml", "0014_back_tests_and_record")]

    operations = [
        migrations.CreateModel(
            name="SeasonInputs",
            fields=[
                (
                    "forecast",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="inputs",
                        serialize=False,
                        to="ml.seasonforecast",
                    ),
                ),
                (
                    "content",
                    models.JSONField(
                        help_text="{teams: ids in the order of their numbers, played: [[home, away, goals, goals], "
                        "…], fixtures: [[match or null, home, away, p_home, p_draw, p_away, expected goals of both], "
                        "…], deductions, rho, win, seed}."
                    ),
                ),
            ],
            options={"verbose_name_plural": "season inputs"},
        ),
        migrations.AlterField(
            model_name="seasonforecast",
            name="table",
            field=models.JSONField(
                help_text="{lines: [{name, places, from_end}], leader: {team, points}, clubs: [{team, points, places, "
                "…}]}."
            ),
        ),
    ]
