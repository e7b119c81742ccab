"""`Dossier` becomes `EvaluationArtifacts`: the table is renamed, no row is copied."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ml", "0006_interrupted_runs"),
    ]

    operations = [
        migrations.RenameModel("Dossier", "EvaluationArtifacts"),
        migrations.AlterField(
            model_name="evaluationartifacts",
            name="version",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="evaluation_artifacts",
                to="ml.modelversion",
            ),
        ),
    ]
