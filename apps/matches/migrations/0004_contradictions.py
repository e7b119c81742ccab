"""Sources that contradict what stands, and the word of operators."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("matches", "0003_sheets"),
    ]

    operations = [
        migrations.AlterField(
            model_name="match",
            name="told_by",
            field=models.CharField(
                blank=True,
                help_text="Whose result is stored where two disagree: the most trusted source, of equals the first.",
                max_length=40,
            ),
        ),
        migrations.CreateModel(
            name="Contradiction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(max_length=40)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("scheduled", "Scheduled"),
                            ("live", "Live"),
                            ("finished", "Finished"),
                            ("postponed", "Postponed"),
                            ("cancelled", "Cancelled"),
                            ("abandoned", "Abandoned"),
                            ("awarded", "Awarded"),
                            ("unknown", "Unknown"),
                        ],
                        max_length=10,
                    ),
                ),
                ("home_goals", models.PositiveSmallIntegerField()),
                ("away_goals", models.PositiveSmallIntegerField()),
                ("standing_source", models.CharField(max_length=40)),
                (
                    "standing_status",
                    models.CharField(
                        choices=[
                            ("scheduled", "Scheduled"),
                            ("live", "Live"),
                            ("finished", "Finished"),
                            ("postponed", "Postponed"),
                            ("cancelled", "Cancelled"),
                            ("abandoned", "Abandoned"),
                            ("awarded", "Awarded"),
                            ("unknown", "Unknown"),
                        ],
                        max_length=10,
                    ),
                ),
                ("standing_home_goals", models.PositiveSmallIntegerField()),
                ("standing_away_goals", models.PositiveSmallIntegerField()),
                (
                    "decided_by",
                    models.CharField(
                        choices=[("trust", "order of trust"), ("first", "reported first"), ("operator", "operator")],
                        help_text="Why the standing result stands.",
                        max_length=8,
                    ),
                ),
                ("first_seen_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(help_text="When it was last reported, to the day.")),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                (
                    "resolution",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("agreed", "the sources agree"),
                            ("corrected", "an operator let it stand"),
                            ("withdrawn", "the standing result was taken back"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "ingest",
                    models.ForeignKey(
                        help_text="The latest that changed the row.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contradictions",
                        to="matches.ingest",
                    ),
                ),
                (
                    "match",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contradictions",
                        to="matches.match",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("resolved_at__isnull", True)), fields=["match"], name="contradiction_open"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("match", "source"), name="contradiction_match_source_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("resolution", ""), ("resolved_at__isnull", True)),
                            models.Q(("resolved_at__isnull", False), models.Q(("resolution", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="contradiction_resolution_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("resolved_at__isnull", False),
                            models.Q(
                                models.Q(("source", models.F("standing_source")), _negated=True),
                                models.Q(
                                    ("away_goals", models.F("standing_away_goals")),
                                    ("home_goals", models.F("standing_home_goals")),
                                    _negated=True,
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="contradiction_open_differs",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Correction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("before", models.JSONField(help_text="The result and its source, as they were.")),
                ("after", models.JSONField(help_text="The same, as they became.")),
                ("decided_by", models.CharField(help_text="The user name.", max_length=150)),
                ("reason", models.CharField(max_length=400)),
                ("decided_at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                ("undo_reason", models.CharField(blank=True, max_length=400)),
                (
                    "ingest",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="matches.ingest"
                    ),
                ),
                (
                    "match",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="corrections", to="matches.match"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="correction_has_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("undo_reason", ""), ("undone_at__isnull", True), ("undone_by", "")),
                            models.Q(
                                ("undone_at__isnull", False),
                                models.Q(("undone_by", ""), _negated=True),
                                models.Q(("undo_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="correction_undo_whole",
                    ),
                ],
            },
        ),
    ]
