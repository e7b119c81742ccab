"""The intervals of each forecast: where the closing line is expected."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ml", "0020_back_test_runs")]

    operations = [
        migrations.AddField(
            model_name="prediction",
            name="intervals",
            field=models.JSONField(
                blank=True,
                help_text=(
                    "Where the closing line is expected: {level, home: {low, high}, draw, away}; null where no "
                    "interval was fitted."
                ),
                null=True,
            ),
        ),
    ]
