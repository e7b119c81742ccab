"""Keys that read and forecast: more scopes, a limit of their own, and no source where they write nothing."""

import django.contrib.postgres.fields
from django.db import migrations, models

# Until now reading needed no key, so that a key that is sent with it could do both.
KEEP_RIGHTS = "UPDATE api_apikey SET scopes = scopes || ARRAY['read', 'predict']::varchar(12)[]"

# Processes keep keys in memory (apps/api/services/known_keys.py); the time of the latest use is none of their concern.
NOTIFY = """
CREATE FUNCTION spai_api_key_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('spai_api_key', OLD.prefix);
    RETURN NULL;
END $$;

CREATE TRIGGER notify_change
    AFTER UPDATE OF name, prefix, secret_sha256, scopes, worlds, source, expires_at, revoked_at, requests_per_minute
    OR DELETE ON api_apikey
    FOR EACH ROW EXECUTE FUNCTION spai_api_key_notify();
"""

SILENCE = """
DROP TRIGGER notify_change ON api_apikey;
DROP FUNCTION spai_api_key_notify();
"""


class Migration(migrations.Migration):
    dependencies = [("api", "0002_plain_words")]

    operations = [
        migrations.RemoveConstraint(model_name="apikey", name="apikey_has_world"),
        migrations.RemoveConstraint(model_name="apikey", name="apikey_source_unique"),
        migrations.AddField(
            model_name="apikey",
            name="requests_per_minute",
            field=models.PositiveIntegerField(
                blank=True, help_text="Its own limit; empty for the limit of all keys, 0 for none.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("read", "read what is stored, forecasts included"),
                        ("predict", "have forecasts computed: what-if matches and batches"),
                        ("jobs", "start long jobs, and receive their results"),
                        ("ingest", "push matches in"),
                        ("admin", "do what operators do"),
                    ],
                    max_length=12,
                ),
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="source",
            field=models.SlugField(
                blank=True,
                help_text="Name under which its records are stored; only for the scope ingest.",
                max_length=40,
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="worlds",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=[("real", "real"), ("sandbox", "sandbox")], max_length=7),
                blank=True,
                default=list,
                help_text="The worlds it may write to; only for the scope ingest.",
                size=None,
            ),
        ),
        migrations.RunSQL(KEEP_RIGHTS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked_at__isnull", True), models.Q(("source", ""), _negated=True)),
                fields=("source",),
                name="apikey_source_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("scopes__contains", ["ingest"]),
                        models.Q(("source", ""), _negated=True),
                        models.Q(("worlds", []), _negated=True),
                    ),
                    models.Q(models.Q(("scopes__contains", ["ingest"]), _negated=True), ("source", ""), ("worlds", [])),
                    _connector="OR",
                ),
                name="apikey_writes_by_ingest",
            ),
        ),
        migrations.RunSQL(NOTIFY, SILENCE),
    ]
