"""What `down` says of the pipeline run that it interrupts."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.db import connection

from apps.ml.models import PipelineRun
from spai.stack import runs

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def stack(transactional_db):
    """A stack whose database is that of the tests."""
    chosen = connection.settings_dict
    address = f"postgresql://{chosen['USER']}:{chosen['PASSWORD']}@{chosen['HOST']}:{chosen['PORT']}/{chosen['NAME']}"
    return SimpleNamespace(value={"DATABASE_URL": address}.get)


def make_run(**more) -> PipelineRun:
    about = {"world": "sandbox", "as_of": NOW, "profile": "smoke", "requested_by": "ann", "created_at": NOW}
    return PipelineRun.objects.create(**about | more)


def test_the_run_that_is_under_way_is_named_with_its_stage(stack):
    make_run(status="succeeded")
    stages = [{"name": "export", "status": "done"}, {"name": "train", "status": "running"}]
    run = make_run(status="running", stages=stages)
    make_run(status="queued")
    assert runs.under_way(stack) == f"Pipeline run {run.pk} (sandbox world) is under way, in the stage train"


def test_nothing_is_said_where_no_run_is_under_way(stack):
    make_run(status="succeeded")
    make_run(status="queued")
    assert runs.under_way(stack) == ""


def test_a_database_that_does_not_answer_does_not_stop_the_end_of_the_stack():
    assert runs.under_way(SimpleNamespace(value=lambda name: "postgresql://nobody@127.0.0.1:1/none")) == ""
