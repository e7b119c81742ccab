"""The stage as DVC runs it."""

from apps.ml.pipeline.report import main

main()
