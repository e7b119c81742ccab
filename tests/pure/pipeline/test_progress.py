"""What DVC prints as stages, how a run dies with its worker, and the name of the code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.ml.pipeline import files, gates, kill_with_parent, revision
from apps.ml.pipeline.progress import LOG_LINES, Progress
from tests.subprocesses import child_process

START = datetime(2026, 11, 23, 9, tzinfo=UTC)


def followed(*lines: str) -> Progress:
    """Return the progress after lines that come a second apart."""
    progress = Progress(["export", "train", "register"])
    for number, line in enumerate(lines):
        progress.read(line + "\n", now=START + timedelta(seconds=number))
    return progress


def statuses(progress: Progress) -> list[str]:
    return [stage["status"] for stage in progress.stages]


def test_a_stage_runs_until_the_next_one_begins():
    progress = followed(
        "Running stage 'export':", "> python x", "Updating lock file 'dvc.lock'", "Running stage 'train':"
    )
    assert statuses(progress) == ["done", "running", "waiting"]
    assert progress.stages[0] == {"name": "export", "status": "done", "started_at": START.isoformat(), "seconds": 3.0}
    progress.end(succeeded=True, now=START + timedelta(seconds=10))
    assert (progress.stages[1]["status"], progress.stages[1]["seconds"]) == ("done", 7.0)


def test_skipped_and_restored_stages_are_unchanged():
    progress = followed(
        "Running stage 'export':",
        "Stage 'train' is cached - skipping run, checking out outputs",
        "Stage 'register' didn't change, skipping",
    )
    assert statuses(progress) == ["done", "unchanged", "unchanged"]
    assert progress.changed is False


def test_a_nul_byte_is_replaced_since_postgresql_refuses_it():
    progress = followed("Running stage 'train':", "step\0 1")
    progress.note("it\0 goes on")
    assert progress.log.splitlines()[1:] == ["step\ufffd 1", "it\ufffd goes on"]
    assert progress.attempt_log.endswith("step\ufffd 1")


def test_a_note_that_repeats_the_latest_line_is_left_out():
    progress = followed()
    for line in ("it resumes", "it resumes", "it stops", "it resumes"):
        progress.note(line)
    assert progress.log.splitlines() == ["it resumes", "it stops", "it resumes"]


def test_a_failed_stage_is_named():
    progress = followed(
        "Running stage 'train':", "it broke", "ERROR: failed to reproduce 'train': failed to run: x, exited with 1"
    )
    assert progress.failed == "train"
    assert statuses(progress) == ["waiting", "failed", "waiting"]


def test_a_stage_that_dvc_refuses_to_start_does_not_blame_the_one_before():
    progress = followed("Running stage 'export':", "ERROR: failed to reproduce 'train': missing data 'source': data/x")
    assert statuses(progress) == ["done", "failed", "waiting"]
    assert progress.failed == "train"


def test_what_an_earlier_attempt_finished_stays_done_and_what_it_did_not_waits():
    earlier = followed("Running stage 'export':", "Running stage 'train':", "at work")
    earlier.interrupt(now=START + timedelta(seconds=9))
    assert statuses(earlier) == ["done", "interrupted", "waiting"]
    later = Progress(["export", "train", "register"], stages=earlier.stages, log=earlier.log)
    assert statuses(later) == ["done", "waiting", "waiting"]
    later.read("Stage 'export' didn't change, skipping", now=START + timedelta(seconds=20))
    later.note("The run resumes.")
    assert (later.stages[0]["status"], later.stages[0]["seconds"]) == ("done", 1.0)
    assert later.log.splitlines()[-3:] == ["at work", "Stage 'export' didn't change, skipping", "The run resumes."]
    assert later.attempt_log == "Stage 'export' didn't change, skipping"


@pytest.mark.parametrize(
    ("status", "ended_by"), [(-9, signal.SIGKILL), (139, signal.SIGSEGV), (1, None), (3, None), (255, None)]
)
def test_a_stage_that_a_signal_ended_is_reported_from_one_that_gave_an_answer(status, ended_by):
    line = f"ERROR: failed to reproduce 'train': failed to run: x, exited with {status}"
    progress = followed("Running stage 'train':", line)
    assert (progress.failed, progress.ended_by) == ("train", ended_by)
    progress.begin()
    assert (progress.failed, progress.ended_by) == (None, None)


def test_a_command_that_a_signal_ends_reports_the_signal():
    command = [sys.executable, kill_with_parent.__file__, "sh", "-c", "kill -9 $$"]
    with child_process(command, stdin=subprocess.PIPE) as held:
        assert held.wait(timeout=300) == 128 + signal.SIGKILL


def test_the_log_keeps_the_latest_lines_and_the_end_of_a_progress_bar():
    progress = followed(
        *(f"line {number}" for number in range(LOG_LINES + 5)), "10%\r50%\r100% done", "", "git add dvc.lock"
    )
    lines = progress.log.splitlines()
    assert len(lines) == LOG_LINES
    assert lines[-2:] == [f"line {LOG_LINES + 4}", "100% done"]


def test_a_command_gives_its_exit_status():
    done = subprocess.run(
        [sys.executable, kill_with_parent.__file__, "sh", "-c", "exit 3"], stdin=subprocess.PIPE, check=False
    )
    assert done.returncode in (3, -signal.SIGKILL)


def test_a_command_dies_with_its_starter(tmp_path):
    pid_file = tmp_path / "pid"
    script = f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 100000"
    held = subprocess.Popen(
        [sys.executable, kill_with_parent.__file__, "sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True
    )
    _wait(pid_file.exists)
    grandchild = int(pid_file.read_text())
    assert held.stdin is not None
    held.stdin.close()
    assert held.wait(timeout=300) == -signal.SIGKILL
    _wait(lambda: not _is_alive(grandchild))


def test_code_without_git_is_named_by_what_was_given_or_by_its_hash(monkeypatch, tmp_path):
    monkeypatch.setattr(revision, "ROOT", tmp_path)
    assert revision.code_revision("v1.2-3-gabc") == "v1.2-3-gabc"
    assert revision.code_revision() == f"src-{files.sources_sha256(*revision.RUN_CODE)[:16]}"


def test_code_in_git_is_named_by_its_commit_and_dirty_where_it_differs(monkeypatch, tmp_path):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "code.py").write_text("x = 1\n")
    git("add", "code.py")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "--short=12", "HEAD")
    monkeypatch.setattr(revision, "ROOT", tmp_path)
    assert revision.code_revision("ignored") == commit
    (tmp_path / "code.py").write_text("x = 2\n")
    assert revision.code_revision() == f"{commit}+dirty"


@pytest.mark.parametrize(
    ("scores", "floor", "refused"),
    [
        ({"log_loss": 1.0, "ece": 0.0}, 0.1, []),
        ({"log_loss": 1.049, "ece": 0.0}, 0.1, ["better than base rates"]),
        ({"log_loss": 1.0, "ece": 0.5}, 0.1, ["calibrated"]),
        ({"log_loss": 1.0, "ece": 0.0}, 0.0001, ["never certain"]),
    ],
)
def test_a_gate_refuses_what_its_bound_excludes_and_says_why(scores, floor, refused):
    import numpy as np

    p = np.tile([0.5, 0.3, 0.2], (500, 1))
    p[0] = 1 - 2 * floor, floor, floor
    section = {"log_loss_below_base_rates": 0.005, "probability_floor": 0.001}
    section |= {"ece_quantile": 0.99, "ece_allowance": 0.01, "ece_draws": 20}
    found = gates.passed(p, "elo", {"elo": scores, "base_rates": {"log_loss": 1.05}}, section)
    assert [gate["name"] for gate in found if not gate["passed"]] == refused
    assert all("500" in gate["reason"] for gate in found)
    assert (gates.sentence(found) == "all 3 gates passed") is (not refused)


@pytest.mark.parametrize(
    ("mean", "low", "high", "passed"),
    [(0.003, 0.0024, 0.0035, True), (-0.02, -0.022, -0.018, False), (0.0004, -0.002, 0.0028, True)],
)
def test_a_model_without_odds_that_beats_the_market_has_seen_the_future(mean, low, high, passed):
    section = {"least_gap_rps": 0.001, "least_gap_matches": 1000}
    closing = {"name": "closing line", "n": 18000, "gap": {"rps": {"mean": mean, "low": low, "high": high}}}
    gate = gates.no_better_than_possible(closing, section)
    assert (gate["name"], gate["passed"], gate["value"]) == ("no better than possible", passed, high)
    assert "from the closing line on 18000 matches" in gate["reason"]


def test_a_gate_that_had_nothing_to_look_at_says_so():
    gate = gates.no_better_than_possible(None, {"least_gap_rps": 0.001, "least_gap_matches": 1000})
    assert (gate["name"], gate["passed"]) == ("no better than possible: not checked", True)
    assert gate["reason"] == "no closing line was quoted for 1000 of the tested matches"


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z" and os.kill(pid, 0) is None


def _wait(condition) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
