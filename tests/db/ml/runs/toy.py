"""A pipeline whose stages are toys, and what its runs leave."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings as real_settings

from apps.ml.models import PipelineRun
from apps.ml.services import runs
from tests.database import database_url

ROOT = real_settings.BASE_DIR
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)

TOY = """
import sys, json, pathlib, os, time
stage = sys.argv[1]
data = pathlib.Path("data"); data.mkdir(exist_ok=True)
print("at work on", stage, flush=True)
if stage == "export":
    (data / "raw.txt").write_text("facts")
elif stage == "validate_raw":
    (data / "validation").mkdir(exist_ok=True)
    broken = [{"name": "a team does not play itself", "file": "data/raw/matches.parquet", "passed": False, "count": 1,
               "rows": [{"match_id": 17, "home_team": "Leeds", "away_team": "Leeds"}]}]
    bad = pathlib.Path("bad").exists()
    (data / "validation" / "raw.json").write_text(json.dumps({"broken": broken if bad else []}))
    sys.exit(1 if bad else 0)
elif stage == "train":
    with open(pathlib.Path(__file__).parent / "trained.txt", "a") as log:
        log.write("once ")
    while pathlib.Path("hang").exists():
        time.sleep(0.05)
    (data / "model.txt").write_text((data / "raw.txt").read_text() + " learnt")
elif stage == "register":
    (data / "metrics.json").write_text('{"best": "toy"}')
    (data / "registered.json").write_text((pathlib.Path(__file__).parent / "registered.json").read_text())
"""


def queued(**more) -> PipelineRun:
    wanted = {"world": "sandbox", "profile": "smoke", "requested_by": "ann", "reason": "try", "now": NOW}
    return runs.queue_run(**wanted | more)


def by_stage(run: PipelineRun) -> dict[str, str]:
    return {stage["name"]: stage["status"] for stage in run.stages}


def trained(toy: Path) -> int:
    log = toy / "trained.txt"
    return log.read_text().count("once") if log.exists() else 0


def crash_in_train(toy: Path, *, times: int) -> None:
    """Let the stage be killed, as the system does when memory runs out, as often as it is said."""
    script = f"""elif stage == "train":
    count = pathlib.Path(__file__).parent / "crashes"
    done = int(count.read_text()) if count.exists() else 0
    if done < {times}:
        count.write_text(str(done + 1))
        os.kill(os.getpid(), 9)
"""
    (toy / "toy.py").write_text(TOY.replace('elif stage == "train":\n', script))


def environment() -> dict[str, str]:
    more = {"SPAI_VAR_DIR": str(real_settings.SPAI_VAR_DIR), "TOY_HOME": str(real_settings.BASE_DIR)}
    return os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "spai.settings"} | more


def fresh(run: PipelineRun) -> PipelineRun:
    return PipelineRun.objects.get(pk=run.pk)


def processes_in(folder: Path) -> list[int]:
    """Return the processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_until(condition, worker=None, timeout: float = 300.0) -> None:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return
        if worker is not None and worker.poll() is not None:
            pytest.fail(worker.stderr.read().decode())
        time.sleep(0.1)
    pytest.fail("it did not come")
