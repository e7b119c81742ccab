"""Team aliases note when the system found their team by its results, or an operator split them off."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("matches", "0010_expected_goals")]

    operations = [
        migrations.AddField(
            model_name="teamalias",
            name="found_by",
            field=models.CharField(
                blank=True,
                choices=[("results", "the same results"), ("split", "split off by an operator")],
                default="",
                help_text="How its team was found; empty for a known or new name.",
                max_length=7,
            ),
            preserve_default=False,
        ),
    ]
