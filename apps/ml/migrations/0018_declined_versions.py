"""A person can decline a version that may take over."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ml", "0017_team_ratings")]

    operations = [
        migrations.AddField(
            model_name="modelversion",
            name="declined_at",
            field=models.DateTimeField(
                null=True,
                blank=True,
                help_text="When a person decided that it does not take over; null where nobody did.",
            ),
        ),
    ]
