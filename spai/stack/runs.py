"""The pipeline run that stopping the stack interrupts."""

from __future__ import annotations

import psycopg

from spai.stack.environment import Stack

WORKER = "worker-ml"
"""The process that executes pipeline runs."""

QUERY = """
    SELECT id, world, (SELECT stage->>'name' FROM jsonb_array_elements(stages) AS stage
                       WHERE stage->>'status' IN ('running', 'interrupted') LIMIT 1)
    FROM ml_pipelinerun WHERE status IN ('running', 'interrupted') ORDER BY id LIMIT 1"""


def under_way(stack: Stack) -> str:
    """Describe the pipeline run that is under way; empty when there is none, or the database does not answer."""
    try:
        with psycopg.connect(stack.value("DATABASE_URL"), connect_timeout=3) as connection:
            row = connection.execute(QUERY).fetchone()
    except psycopg.Error:
        return ""
    if row is None:
        return ""
    number, world, stage = row
    return f"Pipeline run {number} ({world} world) is under way{f', in the stage {stage}' if stage else ''}"
