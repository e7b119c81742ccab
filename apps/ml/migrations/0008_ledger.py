"""The ledger: the forecasts of each day in a Merkle tree; no forecast is added to a day that is closed."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_ledgerday
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ml_ledgerleaf
    FOR EACH ROW EXECUTE FUNCTION spai_append_only();

CREATE FUNCTION spai_prediction_of_open_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ml_ledgerday AS closed JOIN ml_modelversion AS version ON version.world = closed.world
        WHERE version.id = NEW.version_id AND closed.day >= (NEW.published_at AT TIME ZONE 'UTC')::date
    ) THEN
        RAISE EXCEPTION 'the ledger of % is closed: a forecast of match % comes too late for it',
            (NEW.published_at AT TIME ZONE 'UTC')::date, NEW.match_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER open_day BEFORE INSERT ON ml_prediction
    FOR EACH ROW EXECUTE FUNCTION spai_prediction_of_open_day();
"""

REVERSE = """
DROP TRIGGER open_day ON ml_prediction;
DROP FUNCTION spai_prediction_of_open_day();
DROP TRIGGER append_only ON ml_ledgerleaf;
DROP TRIGGER append_only ON ml_ledgerday;
"""


class Migration(migrations.Migration):
    dependencies = [("ml", "0007_plain_names"), ("matches", "0002_append_only")]

    operations = [
        migrations.AddIndex(
            model_name="prediction",
            index=models.Index(fields=["published_at"], name="prediction_by_publication"),
        ),
        migrations.CreateModel(
            name="LedgerDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("world", models.CharField(choices=[("real", "real"), ("sandbox", "sandbox")], max_length=7)),
                ("day", models.DateField()),
                (
                    "forecasts",
                    models.PositiveIntegerField(help_text="Published on this day: the leaves of its tree."),
                ),
                (
                    "root",
                    models.CharField(
                        help_text="Of the Merkle tree over the forecasts (RFC 6962, sha256).", max_length=64
                    ),
                ),
                (
                    "previous",
                    models.CharField(
                        help_text="Hash of the entry of the day before; zeros for the first.", max_length=64
                    ),
                ),
                (
                    "hash",
                    models.CharField(help_text="sha256 over world, day, forecasts, root and previous.", max_length=64),
                ),
                ("closed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("world", "day"), name="ledgerday_unique")],
            },
        ),
        migrations.CreateModel(
            name="LedgerLeaf",
            fields=[
                (
                    "prediction",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="ledger_leaf",
                        serialize=False,
                        to="ml.prediction",
                    ),
                ),
                (
                    "position",
                    models.PositiveIntegerField(help_text="From 0, in the order of the predictions' ids."),
                ),
                ("content", models.TextField(help_text="Canonical JSON.")),
                ("sha256", models.BinaryField(help_text="Hash of the leaf.", max_length=32)),
                (
                    "day",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="leaves",
                        to="ml.ledgerday",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("day", "position"), name="ledgerleaf_unique")],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
