"""The audit: a row for each action of a person, which nobody changes."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON matches_auditentry
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("matches", "0012_events_by_filter")]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("by", models.CharField(help_text="The user name, or the command.", max_length=150)),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("machine", "this machine"),
                            ("private", "a private network"),
                            ("public", "the internet"),
                            ("command", "a command"),
                        ],
                        max_length=7,
                        verbose_name="from",
                    ),
                ),
                ("action", models.CharField(max_length=60)),
                ("about", models.CharField(blank=True, help_text="As it was called then.", max_length=250)),
                (
                    "subjects",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=120),
                        default=list,
                        help_text="What it is about, and what else shows it in its history, each as model/id.",
                        size=None,
                    ),
                ),
                ("before", models.TextField(blank=True)),
                ("after", models.TextField(blank=True)),
                ("reason", models.CharField(blank=True, max_length=400)),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(fields=["subjects"], name="auditentry_of_subject")
                ],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, "DROP TRIGGER append_only ON matches_auditentry;"),
    ]
