"""Visits are asked for before they are made; every page is kept; each host has one lane."""

import datetime

import django.db.models.deletion
from django.db import migrations, models

# Until now there was one source, the sandbox, and a visit was a row from the moment it began.
EARLIER = """
UPDATE scraping_source SET is_simulated = true, delay = interval '0' WHERE name = 'sandbox';
UPDATE scraping_scraperun SET
    requested_at = started_at,
    window_start = (started_at AT TIME ZONE 'UTC')::date,
    window_end = (started_at AT TIME ZONE 'UTC')::date,
    finished_at = coalesce(finished_at, now()),
    detail = CASE WHEN finished_at IS NULL THEN 'Its worker was lost.' ELSE detail END,
    outcome = CASE WHEN finished_at IS NULL THEN 'failed' ELSE outcome END;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("matches", "0002_append_only"),
        ("scraping", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Lane",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "host",
                    models.CharField(
                        help_text="With the port where it is not the usual one.", max_length=255, unique=True
                    ),
                ),
                ("free_at", models.DateTimeField(blank=True, help_text="No request before this moment.", null=True)),
                ("requests", models.PositiveBigIntegerField(default=0)),
                ("robots", models.TextField(blank=True)),
                (
                    "robots_status",
                    models.PositiveSmallIntegerField(
                        blank=True, help_text="0 when it could not be reached.", null=True
                    ),
                ),
                (
                    "robots_until",
                    models.DateTimeField(blank=True, help_text="When robots.txt is asked for again.", null=True),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("closed", "open for visits"), ("open", "halted"), ("half_open", "probing")],
                        default="closed",
                        max_length=9,
                    ),
                ),
                ("failures", models.PositiveIntegerField(default=0, help_text="In a row.")),
                ("trips", models.PositiveIntegerField(default=0, help_text="In a row; each doubles the pause.")),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("open_until", models.DateTimeField(blank=True, null=True)),
                ("reason", models.TextField(blank=True, help_text="Why it is or was halted.")),
            ],
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("url", models.CharField(max_length=1000)),
                ("final_url", models.CharField(help_text="Where redirects ended.", max_length=1000)),
                ("kind", models.CharField(max_length=40)),
                ("fetched_at", models.DateTimeField()),
                ("status", models.PositiveSmallIntegerField()),
                ("headers", models.JSONField(default=dict, help_text="Those that matter.")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("stored", "stored"),
                            ("unchanged", "unchanged"),
                            ("blocked", "blocked"),
                            ("changed_layout", "changed layout"),
                            ("empty", "empty"),
                            ("timeout", "timeout"),
                            ("http_error", "http error"),
                            ("invalid", "invalid"),
                            ("failed", "failed"),
                        ],
                        max_length=16,
                    ),
                ),
                ("sha256", models.CharField(max_length=64)),
                ("size", models.PositiveBigIntegerField(help_text="Bytes, unpacked.")),
                ("stored_as", models.CharField(help_text="Name in the storage.", max_length=200)),
            ],
        ),
        migrations.RemoveIndex(
            model_name="scraperun",
            name="scraperun_by_source",
        ),
        migrations.RemoveField(
            model_name="source",
            name="every",
        ),
        migrations.RemoveField(
            model_name="source",
            name="requested_at",
        ),
        migrations.AddField(
            model_name="scraperun",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0, help_text="How often a worker took it up after a death."),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="batch",
            field=models.UUIDField(blank=True, help_text="Shared by the months of one back-fill.", null=True),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="changed",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="created",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="doing",
            field=models.CharField(blank=True, help_text="The page at work.", max_length=1000),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="met",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="Pages that were missing or failed, by address; not asked for twice.",
            ),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="notes",
            field=models.JSONField(
                blank=True, default=dict, help_text="Details left out or read otherwise than written."
            ),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="pages",
            field=models.JSONField(
                blank=True, default=list, help_text="Each page: address, kind, outcome, records, snapshot."
            ),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="pages_done",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="pages_known",
            field=models.PositiveIntegerField(default=0, help_text="Done and to do, as far as the pages so far tell."),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="records",
            field=models.PositiveIntegerField(default=0, help_text="Matches on the pages."),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="refused",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="requested_at",
            field=models.DateTimeField(default=datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="scraperun",
            name="requested_by",
            field=models.CharField(
                default="the timetable", help_text="The timetable, or a user's name.", max_length=150
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="scraperun",
            name="same",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="scope",
            field=models.CharField(
                choices=[
                    ("results", "Results"),
                    ("fixtures", "Fixtures"),
                    ("odds", "Odds"),
                    ("backfill", "back-fill"),
                    ("reparse", "re-parse of kept pages"),
                ],
                default="results",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="scraperun",
            name="window_end",
            field=models.DateField(default=datetime.date(1970, 1, 1)),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="scraperun",
            name="window_start",
            field=models.DateField(default=datetime.date(1970, 1, 1)),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="scraperun",
            name="worked_at",
            field=models.DateTimeField(blank=True, help_text="When its worker last gave a sign of life.", null=True),
        ),
        migrations.AddField(
            model_name="source",
            name="base_url",
            field=models.URLField(
                blank=True, help_text="Where the site is; empty for the address that the reader knows."
            ),
        ),
        migrations.AddField(
            model_name="source",
            name="competitions",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Which competitions to follow, in the reader's own codes; empty for all.",
            ),
        ),
        migrations.AddField(
            model_name="source",
            name="delay",
            field=models.DurationField(
                default=datetime.timedelta(seconds=7),
                help_text="Least time from the end of one request to the next of the same host.",
            ),
        ),
        migrations.AddField(
            model_name="source",
            name="is_simulated",
            field=models.BooleanField(default=False, help_text="A site that shows the sandbox."),
        ),
        migrations.AddField(
            model_name="source",
            name="needs_permission",
            field=models.BooleanField(
                default=False,
                help_text="Its owners want to be asked: it stays off until an operator confirms a permission.",
            ),
        ),
        migrations.AddField(
            model_name="source",
            name="permission_confirmed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="source",
            name="permission_confirmed_by",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="source",
            name="permission_note",
            field=models.TextField(blank=True, help_text="Who gave the permission, when, and for what."),
        ),
        migrations.AddField(
            model_name="source",
            name="reader",
            field=models.CharField(
                choices=[
                    ("whoscored", "Whoscored"),
                    ("football-data", "Football Data"),
                    ("openfootball", "Openfootball"),
                ],
                default="whoscored",
                help_text="Whose pages they are; the code that reads them.",
                max_length=16,
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="detail",
            field=models.TextField(blank=True, help_text="What went wrong, and what to do."),
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[
                    ("stored", "stored"),
                    ("unchanged", "unchanged"),
                    ("blocked", "blocked"),
                    ("changed_layout", "changed layout"),
                    ("empty", "empty"),
                    ("timeout", "timeout"),
                    ("http_error", "http error"),
                    ("invalid", "invalid"),
                    ("failed", "failed"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="scraperun",
            name="started_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="source",
            name="is_enabled",
            field=models.BooleanField(default=False, help_text="Switched off, no request leaves for it."),
        ),
        migrations.RunSQL(EARLIER, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="scraperun",
            index=models.Index(fields=["source", "-requested_at"], name="scraperun_by_source"),
        ),
        migrations.AddIndex(
            model_name="scraperun",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", True)), fields=["requested_at"], name="scraperun_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="scraperun",
            constraint=models.CheckConstraint(
                condition=models.Q(("window_end__gte", models.F("window_start"))), name="scraperun_window_forward"
            ),
        ),
        migrations.AddConstraint(
            model_name="scraperun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("finished_at__isnull", True)),
                fields=("source", "scope", "window_start", "window_end"),
                name="scraperun_one_open_of_a_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_enabled", False),
                    ("needs_permission", False),
                    ("permission_confirmed_at__isnull", False),
                    _connector="OR",
                ),
                name="source_enabled_with_permission",
                violation_error_message="This source needs its owners' permission; confirm it first.",
            ),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.CheckConstraint(
                condition=models.Q(("delay__gte", datetime.timedelta(0))), name="source_delay_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="lane",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "closed"), ("open_until__isnull", False), _connector="OR"),
                name="lane_open_until_a_moment",
            ),
        ),
        migrations.AddField(
            model_name="snapshot",
            name="run",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="snapshots",
                to="scraping.scraperun",
            ),
        ),
        migrations.AddField(
            model_name="snapshot",
            name="source",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="snapshots", to="scraping.source"
            ),
        ),
        migrations.AddIndex(
            model_name="snapshot",
            index=models.Index(fields=["source", "url", "-fetched_at"], name="snapshot_latest_of_url"),
        ),
        migrations.AddIndex(
            model_name="snapshot",
            index=models.Index(fields=["sha256"], name="snapshot_by_sha256"),
        ),
        migrations.AddIndex(
            model_name="snapshot",
            index=models.Index(fields=["fetched_at"], name="snapshot_by_age"),
        ),
        migrations.AddConstraint(
            model_name="snapshot",
            constraint=models.UniqueConstraint(
                fields=("source", "url", "fetched_at"), name="snapshot_url_fetched_at_unique"
            ),
        ),
        migrations.CreateModel(
            name="Address",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("url", models.CharField(max_length=1000)),
                ("kind", models.CharField(max_length=40)),
                ("seen_at", models.DateTimeField(help_text="When the site last showed the page as it is kept.")),
                (
                    "taken_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When a visit last stored what the page says; empty while none has.",
                        null=True,
                    ),
                ),
                (
                    "counts",
                    models.JSONField(
                        default=list, help_text="Matches in each of the latest eight visits, oldest first."
                    ),
                ),
                (
                    "doubts",
                    models.JSONField(default=list, help_text="Counts of the latest visits that were not believed."),
                ),
                (
                    "snapshot",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="The latest good page.",
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="scraping.snapshot",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="addresses", to="scraping.source"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "addresses",
                "constraints": [
                    models.UniqueConstraint(fields=("source", "url"), name="address_source_url_unique"),
                ],
            },
        ),
        migrations.AlterModelOptions(name="scraperun", options={"verbose_name": "visit"}),
    ]
