"""Plain names for hosts, failed pages and the timetable's task. Tables and columns are renamed, no row is copied."""

import datetime
from typing import Any

import django.core.validators
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

from apps.scraping.models import check_site

# Task, model in lower case, its name in the admin.
OLD = ("scraping.visit_due", "lane", "lane")
NEW = ("scraping.request_scheduled_run", "hoststate", "host")

MOVE_CHAINS = """
UPDATE scraping_scraperun SET stored_chains = failed_urls, failed_urls = '{}'
WHERE scope = 'reparse' AND finished_at IS NULL AND failed_urls <> '{}';
"""

MOVE_CHAINS_BACK = """
UPDATE scraping_scraperun SET failed_urls = stored_chains
WHERE scope = 'reparse' AND finished_at IS NULL AND stored_chains <> '{}';
"""


def rename_stored_names(apps: Any, old: tuple[str, str, str], new: tuple[str, str, str]) -> None:
    """Rename the task in the rows of the timetable, those of the operator included, and the permissions."""
    (old_task, old_model, _), (new_task, new_model, new_name) = old, new
    changed = apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task=old_task).update(task=new_task)
    if changed:
        # The scheduler reads its rows again when this moment moves.
        apps.get_model("django_celery_beat", "PeriodicTasks").objects.update(last_update=Now())
    for action in ("add", "change", "delete", "view"):
        apps.get_model("auth", "Permission").objects.filter(
            content_type__app_label="scraping", codename=f"{action}_{old_model}"
        ).update(codename=f"{action}_{new_model}", name=f"Can {action} {new_name}")


def forward(apps: Any, schema_editor: Any) -> None:
    rename_stored_names(apps, OLD, NEW)


def backward(apps: Any, schema_editor: Any) -> None:
    rename_stored_names(apps, NEW, OLD)


class Migration(migrations.Migration):
    dependencies = [
        ("scraping", "0004_delays_that_are_waited_out"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.RenameModel("Lane", "HostState"),
        migrations.AlterModelOptions("hoststate", options={"verbose_name": "host"}),
        migrations.RemoveConstraint("hoststate", "lane_open_until_a_moment"),
        migrations.AddConstraint(
            "hoststate",
            models.CheckConstraint(
                condition=Q(state="closed") | Q(open_until__isnull=False), name="hoststate_open_until_a_moment"
            ),
        ),
        migrations.RenameField("scraperun", "met", "failed_urls"),
        migrations.AddField(
            "scraperun",
            "stored_chains",
            models.JSONField(
                blank=True,
                default=dict,
                help_text="Of a re-parse: chains of pages whose records are stored, by first address.",
            ),
        ),
        migrations.AlterModelOptions("scraperun", options={}),
        migrations.AlterField(
            model_name="address",
            name="counts",
            field=models.JSONField(
                default=list, help_text="Matches on the page in the latest eight runs, oldest first."
            ),
        ),
        migrations.AlterField(
            model_name="address",
            name="doubts",
            field=models.JSONField(
                default=list, help_text="Counts of the latest runs that were refused as implausible."
            ),
        ),
        migrations.AlterField(
            model_name="address",
            name="seen_at",
            field=models.DateTimeField(help_text="When the site last showed the page as it is stored here."),
        ),
        migrations.AlterField(
            model_name="address",
            name="taken_at",
            field=models.DateTimeField(
                blank=True, help_text="When a run last stored the matches of the page; empty while none has.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="hoststate",
            name="robots_until",
            field=models.DateTimeField(blank=True, help_text="When robots.txt is fetched again.", null=True),
        ),
        migrations.AlterField(
            model_name="hoststate",
            name="state",
            field=models.CharField(
                choices=[("closed", "open for requests"), ("open", "halted"), ("half_open", "probing")],
                default="closed",
                help_text="State of the circuit breaker; while it is open, no request is sent.",
                max_length=9,
            ),
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="attempts",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="How often a worker took it up after the one before was lost."
            ),
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="doing",
            field=models.CharField(blank=True, help_text="The page that is being fetched.", max_length=1000),
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="failed_urls",
            field=models.JSONField(
                blank=True, default=dict, help_text="Pages that were missing or failed, by address; not fetched again."
            ),
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="pages_known",
            field=models.PositiveIntegerField(default=0, help_text="Done and to do, as far as known by now."),
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="records",
            field=models.PositiveIntegerField(default=0, help_text="Matches on the pages."),
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="scope",
            field=models.CharField(
                choices=[
                    ("results", "Results"),
                    ("fixtures", "Fixtures"),
                    ("odds", "Odds"),
                    ("backfill", "back-fill"),
                    ("reparse", "re-parse of stored pages"),
                ],
                default="results",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="worked_at",
            field=models.DateTimeField(blank=True, help_text="Latest heartbeat of its worker.", null=True),
        ),
        migrations.AlterField(
            model_name="snapshot",
            name="headers",
            field=models.JSONField(default=dict, help_text="The response headers that are kept."),
        ),
        migrations.AlterField(
            model_name="source",
            name="anchor_at",
            field=models.DateTimeField(
                blank=True, help_text="Sandbox only: when its current season began; set at the first start.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="source",
            name="base_url",
            field=models.URLField(
                blank=True, help_text="Address of the site; empty for the reader's usual one.", validators=[check_site]
            ),
        ),
        migrations.AlterField(
            model_name="source",
            name="delay",
            field=models.DurationField(
                default=datetime.timedelta(seconds=7),
                help_text="Shortest time from the end of one request to the next of the same host.",
                validators=[
                    django.core.validators.MaxValueValidator(
                        datetime.timedelta(seconds=60),
                        "At most 60 seconds: a worker waits them out before each request.",
                    )
                ],
            ),
        ),
        migrations.AlterField(
            model_name="source",
            name="is_enabled",
            field=models.BooleanField(default=False, help_text="While it is off, no request is sent to it."),
        ),
        migrations.AlterField(
            model_name="source",
            name="needs_permission",
            field=models.BooleanField(
                default=False, help_text="It stays off until an operator confirms that its owners permit scraping."
            ),
        ),
        migrations.AlterField(
            model_name="source",
            name="reader",
            field=models.CharField(
                choices=[
                    ("whoscored", "Whoscored"),
                    ("football-data", "Football Data"),
                    ("openfootball", "Openfootball"),
                ],
                help_text="Format of its pages: which parser reads them.",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="source",
            name="seed",
            field=models.PositiveBigIntegerField(blank=True, help_text="Sandbox only: seed of its world.", null=True),
        ),
        migrations.RunSQL(MOVE_CHAINS, MOVE_CHAINS_BACK),
        migrations.RunPython(forward, backward),
    ]
