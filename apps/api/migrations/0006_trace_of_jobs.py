"""A prediction job keeps the trace of the request that submitted it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0005_alerts")]

    operations = [
        migrations.AddField(
            model_name="predictionjob",
            name="trace",
            field=models.CharField(
                blank=True,
                db_default="",
                editable=False,
                help_text="traceparent of the request that submitted it.",
                max_length=55,
            ),
        ),
    ]
