"""The place of a competition in the lists of pages, as an operator sets it."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("matches", "0017_live_scores")]

    operations = [
        migrations.AddField(
            model_name="competition",
            name="position",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Place in the lists of pages, 1 for the first, before the league that has this place by "
                "default. Empty: its own default place.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
    ]
