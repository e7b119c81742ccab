"""A delay is one that a worker waits out; a source with a longer one is switched off until its operator chooses anew."""

import datetime

import django.core.validators
from django.db import migrations, models

import apps.scraping.models

CUT = """
UPDATE scraping_source SET delay = interval '60 seconds', is_enabled = false WHERE delay > interval '60 seconds';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("scraping", "0003_facts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="source",
            name="base_url",
            field=models.URLField(
                blank=True,
                help_text="Where the site is; empty for the address that the reader knows.",
                validators=[apps.scraping.models.check_site],
            ),
        ),
        migrations.AlterField(
            model_name="source",
            name="delay",
            field=models.DurationField(
                default=datetime.timedelta(seconds=7),
                help_text="Least time from the end of one request to the next of the same host.",
                validators=[
                    django.core.validators.MaxValueValidator(
                        datetime.timedelta(seconds=60),
                        "At most 60 seconds: a worker waits them out before each request.",
                    )
                ],
            ),
        ),
        migrations.RunSQL(CUT, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.CheckConstraint(
                condition=models.Q(("delay__lte", datetime.timedelta(seconds=60))), name="source_delay_waited_out"
            ),
        ),
    ]
