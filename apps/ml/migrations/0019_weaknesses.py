"""Why a forecast is less sure than usual."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ml", "0018_declined_versions")]

    operations = [
        migrations.AddField(
            model_name="prediction",
            name="weaknesses",
            field=models.JSONField(
                blank=True,
                db_default=[],
                default=list,
                help_text="Why it is less sure than usual: [{code, side, number}], in the order of importance.",
            ),
        ),
    ]
