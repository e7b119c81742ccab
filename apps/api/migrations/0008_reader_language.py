from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0007_reader_accounts")]

    operations = [
        migrations.AddField(
            model_name="readerprofile",
            name="language",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Code of a language of the pages; empty for that of the device.",
                max_length=10,
            ),
        ),
    ]
