"""Entry point of the stage."""

from apps.ml.pipeline.report import main

main()
