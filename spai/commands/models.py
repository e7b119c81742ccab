"""Commands of runs and model versions: `run`, `back-test`, `evaluate`, `compare`, `promote`, `rollback`, `drift`."""

from __future__ import annotations

import contextlib
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from typing import Any, Final

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from tqdm import tqdm

from apps.matches.locks import Lock, is_taken
from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.management.commands.export_matches import parse_as_of
from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.pipeline.progress import DONE, UNCHANGED
from apps.ml.selectors.registered_versions import PROFILES
from apps.ml.services.back_test_results import result_in_words
from apps.ml.services.run_row import running_stage
from apps.ml.services.workspaces import stages_of
from spai.commands.answers import Answer, Subcommand, add_world, table, world_of

OPERATOR: Final = "manage.py spai run"
BACK_TESTER: Final = "manage.py spai back-test"
LOOK_EVERY: Final = 0.5
"""Seconds between two reads of a run that is followed."""
TIMEOUT: Final = 60.0
"""Seconds in which a worker starts a run, when no other run is being executed."""
SUCCEEDED: Final = (PipelineRun.RunStatus.SUCCEEDED, PipelineRun.RunStatus.UNCHANGED)
MAY_DECIDE: Final = "ml.add_promotion"
SCORES: Final = ("n", "log_loss", "rps", "brier", "accuracy", "ece")


def run_arguments(parser: CommandParser) -> None:
    """Declare what is run, and whether to wait for it."""
    add_world(parser)
    parser.add_argument("--profile", choices=PROFILES, help="default: SPAI_PROFILE")
    parser.add_argument("--as-of", metavar="ISO", help="facts known before it; default: the latest 00:00 UTC")
    how = _waiting_arguments(parser)
    how.add_argument("--follow", type=int, metavar="RUN", help="queue nothing; follow a run that was queued before")


def _waiting_arguments(parser: CommandParser) -> Any:
    """Declare the reason of a run, and whether to wait for it; return the group of the latter."""
    parser.add_argument("--reason", default="", help="kept with the run")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--no-wait", action="store_true", help="queue the run and return at once")
    how.add_argument("--here", action="store_true", help="execute it in this process, without a worker")
    return how


def run(options: Namespace) -> Answer:
    """Queue a run of the pipeline, and follow it to its end."""
    now = timezone.now()
    if options.follow is not None:
        found = PipelineRun.objects.filter(pk=options.follow).first()
        if found is None:
            raise CommandError(f"There is no run {options.follow}.")
    else:
        found = services.queue_run(
            world=world_of(options),
            as_of=parse_as_of(options.as_of, now=now) if options.as_of else None,
            profile=options.profile,
            requested_by=OPERATOR,
            reason=options.reason,
            now=now,
        )
    return _answer(found, options)


def back_test_arguments(parser: CommandParser) -> None:
    """Declare the world, and whether to wait."""
    add_world(parser)
    _waiting_arguments(parser)


def back_test(options: Namespace) -> Answer:
    """Queue a back-test of the champion, and follow it to its end."""
    found = services.queue_back_test(
        world=world_of(options), requested_by=BACK_TESTER, reason=options.reason, now=timezone.now()
    )
    return _answer(found, options)


def _answer(found: PipelineRun, options: Namespace) -> Answer:
    if options.no_wait:
        return Answer(run_shape(found), f"Run {found.pk} is queued: manage.py spai run --follow {found.pk}")
    ended = _executed(found.pk) if options.here else _followed(found.pk)
    return Answer(run_shape(ended), _run_text(ended), _run_failure(ended))


def _executed(run_id: int) -> PipelineRun:
    """Execute unfinished runs in this process, the oldest first, until one of them is over; return it."""
    with _progress_bar(run_id) as bar:

        def look() -> bool:
            # The execution asks several times a second whether it has to stop.
            with contextlib.suppress(OperationalError, InterfaceError):
                _show(run_id, bar)
            return False

        while not (run := _show(run_id, bar)).is_over:
            if services.run_due(now=timezone.now(), is_stopping=look) is None:
                # A worker executes one.
                time.sleep(LOOK_EVERY)
        return run


class _WorkerTimeout:
    """Stops the command when no worker starts a run within `TIMEOUT`."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.until = time.monotonic() + TIMEOUT

    def check(self, run: PipelineRun) -> None:
        """Raise `CommandError` when the run has waited for too long while no other was executed."""
        if run.status == PipelineRun.RunStatus.RUNNING or is_taken(Lock.RUN):
            self.until = time.monotonic() + TIMEOUT
        elif time.monotonic() > self.until:
            raise CommandError(
                f"No worker has started run {self.run_id} for {TIMEOUT:.0f} s; it stays {run.status}. `make up` "
                f"starts the workers, `manage.py spai doctor` says what is wrong, and --here needs no worker."
            )


def _followed(run_id: int) -> PipelineRun:
    """Show the progress of a run until it is over, or no worker takes it up."""
    worker_timeout = _WorkerTimeout(run_id)
    with _progress_bar(run_id) as bar:
        while not (run := _show(run_id, bar)).is_over:
            worker_timeout.check(run)
            time.sleep(LOOK_EVERY)
        return run


def _progress_bar(run_id: int) -> tqdm[Any]:
    stages = stages_of(PipelineRun.objects.get(pk=run_id))
    return tqdm(total=len(stages), desc=f"run {run_id}", unit="stage", disable=None, dynamic_ncols=True)


def _show(run_id: int, bar: tqdm[Any]) -> PipelineRun:
    """Show how far a run is; return it."""
    run = selectors.with_actual_status(PipelineRun.objects.get(pk=run_id))
    bar.update(sum(stage["status"] in (DONE, UNCHANGED) for stage in run.stages) - bar.n)
    bar.set_postfix_str(running_stage(run) or run.status)
    return run


def run_shape(run: PipelineRun) -> dict[str, Any]:
    """Return a run as plain values."""
    names = (
        *("world", "kind", "status", "profile", "as_of", "reason", "requested_by"),
        *("created_at", "started_at", "finished_at"),
    )
    versions = list(run.versions.order_by("number").values_list("number", flat=True))
    more = {"attempts": run.attempts, "stages": run.stages, "versions": versions, "error": run.error.get("message")}
    return {"id": run.pk} | {name: getattr(run, name) for name in names} | more


def _run_text(run: PipelineRun) -> str:
    stages = table(
        ("stage", "status", "seconds"),
        [(stage["name"], stage["status"], _number(stage["seconds"], 1)) for stage in run.stages],
    )
    made = ", ".join(str(version) for version in run.versions.defer("bundle").order_by("number")) or "no new version"
    if run.is_back_test and run.metrics:
        made = result_in_words(run.metrics)
    return f"{stages}\nrun {run.pk} ({run.world}): {run.get_status_display().lower()}, {made}"


def _run_failure(run: PipelineRun) -> str:
    if run.status in SUCCEEDED:
        return ""
    error = run.error
    where = f" in the stage {error['stage']}" if error.get("stage") else ""
    why = f": {error['message'].rstrip('.')}" if error.get("message") else ""
    return f"Run {run.pk} ended as {run.status}{where}{why}. {error.get('next_step', '')}".rstrip(" ")


def evaluate_arguments(parser: CommandParser) -> None:
    """Declare the version."""
    parser.add_argument("version", nargs="?", type=int, help="its number; default: the champion")
    add_world(parser)


def evaluate(options: Namespace) -> Answer:
    """Score the out-of-sample forecasts of a version by competition, and the forecasts that it published."""
    found = services.evaluate(version=_version(options, world_of(options)))
    scores = {name: rows.as_dict() for name, rows in found.by_competition.items()}
    document = {
        "world": found.version.world,
        "version": found.version.number,
        "out_of_sample": found.overall.as_dict(),
        "by_competition": scores,
        "published": {"n": found.graded, **found.published},
        "gates": found.version.gates,
    }
    rows = [
        (name, *(_number(row[score], 0 if score == "n" else 4) for score in SCORES))
        for name, row in {"all competitions": found.overall.as_dict(), **scores}.items()
    ]
    lines = [f"{found.version}, out of sample", table(("competition", *SCORES), rows)]
    if found.graded:
        means = ", ".join(f"{name.replace('_', ' ')} {_number(value, 4)}" for name, value in found.published.items())
        lines.append(f"published and graded: {found.graded} matches, {means}")
    lines += [
        f"gate {gate['name']}: not passed, {gate['reason']}" for gate in found.version.gates if not gate["passed"]
    ]
    return Answer(document, "\n".join(lines))


def compare_arguments(parser: CommandParser) -> None:
    """Declare the version."""
    parser.add_argument("version", nargs="?", type=int, help="its number; without one, all versions are listed")
    add_world(parser)


def compare(options: Namespace) -> Answer:
    """Compare a version with the champion on the matches that both forecast out of sample."""
    world = world_of(options)
    if options.version is None:
        return _versions(world)
    made = services.compare(version=_version(options, world), now=timezone.now())
    names = ("verdict", "reason", "n", "criteria", "decided_at")
    document = {"world": world, "version": made.candidate.number, "champion": made.champion.number}
    document |= {name: getattr(made, name) for name in names}
    rows = [("yes" if line["passed"] else "NO", line["name"], line["reason"]) for line in made.criteria]
    text = f"{table(('met', 'criterion', 'why'), rows)}\n{made.candidate} {made.get_verdict_display()}: {made.reason}"
    return Answer(document, text)


def _versions(world: World) -> Answer:
    stages = selectors.stages(world)
    rows = [
        {
            "version": version.number,
            "stage": stages.of(version),
            "estimator": version.estimator,
            "profile": version.profile,
            "log_loss": version.metrics.get("models", {}).get(version.estimator, {}).get("log_loss"),
            "passed_gates": version.passed_gates,
            "as_of": version.as_of,
        }
        for version in selectors.model_versions(world)
    ]
    lines = [
        (
            row["version"],
            row["stage"].value,
            row["estimator"],
            row["profile"],
            _number(row["log_loss"], 4),
            f"{row['as_of']:%Y-%m-%d}",
        )
        for row in rows
    ]
    heads = ("version", "stage", "estimator", "profile", "log loss", "as of")
    return Answer({"world": world, "versions": rows}, table(heads, lines) if rows else f"No version of {world} yet.")


def promote_arguments(parser: CommandParser) -> None:
    """Declare the version, the reason and who decides."""
    parser.add_argument("version", type=int, help="its number; `manage.py spai compare` lists them")
    add_world(parser)
    _decision_arguments(parser)


def promote(options: Namespace) -> Answer:
    """Make a version the champion of its world."""
    version = _version(options, world_of(options))
    user = _decider(options.by)
    if refusal := services.why_not_champion(version):
        raise CommandError(refusal)
    warnings = selectors.promotion_warnings(version)
    _confirm(options, f"Make {version} the champion?", warnings)
    made = services.promote(
        version=version, user=user, reason=options.reason, now=timezone.now(), despite=bool(warnings)
    )
    return Answer(
        _promotion_shape(made) | {"warnings": warnings}, f"{version} is champion, decided by {made.decided_by}."
    )


def rollback_arguments(parser: CommandParser) -> None:
    """Declare the version, the reason and who decides."""
    parser.add_argument("--to", dest="version", type=int, help="its number; default: the previous champion")
    add_world(parser)
    _decision_arguments(parser)


def rollback(options: Namespace) -> Answer:
    """Make the previous champion, or any version, champion without a comparison."""
    world, user = world_of(options), _decider(options.by)
    present, before = selectors.champion(world), selectors.previous_champion(world)
    to = None if options.version is None else _version(options, world)
    previous = to if before is None else to or ModelVersion.objects.defer("bundle").get(pk=before)
    if present is not None and previous is not None:
        _confirm(options, f"Roll back from {present.version} to {previous}?", [])
    made = services.rollback(
        world=world,
        user=user,
        reason=options.reason,
        now=timezone.now(),
        seen=present.pk if present else None,
        to=to,
    )
    return Answer(_promotion_shape(made), f"{made.version} is champion again, decided by {made.decided_by}.")


def drift(options: Namespace) -> Answer:
    """Show the latest report on drift."""
    found = selectors.latest_drift(world_of(options))
    if found is None:
        raise CommandError("Drift has not been measured yet: it is, once a day, of the champion.")
    rows = [
        (name, "drift" if test.is_drifted else "no", f"{test.score:.2f}", test.n, test.note)
        for name, test in found.tests.items()
    ]
    return Answer(asdict(found), table(("test", "drift", "score", "matches", "note"), rows))


def _decision_arguments(parser: CommandParser) -> None:
    parser.add_argument("--reason", required=True, help="kept with the decision, so that others understand it later")
    parser.add_argument("--by", default="", metavar="USER", help="who decides; default: the only user who may")
    parser.add_argument("--yes", action="store_true", help="do not ask, and do it in spite of warnings")


def _decider(name: str) -> User:
    """Return the user of the admin who decides."""
    users = [user for user in User.objects.filter(is_active=True).order_by("username") if user.has_perm(MAY_DECIDE)]
    names = [user.username for user in users]
    if name and name not in names:
        raise CommandError(f"{name!r} may not promote versions. Those who may: {', '.join(names) or 'nobody'}.")
    if not name and len(names) != 1:
        raise CommandError(f"Say who decides, with --by: {', '.join(names) or 'there is no user who may'}.")
    return users[names.index(name) if name else 0]


def _confirm(options: Namespace, question: str, warnings: list[str]) -> None:
    """Ask at a terminal; elsewhere refuse where there are warnings."""
    if options.yes:
        return
    listed = "".join(f"\n  warning: {warning}" for warning in warnings)
    if options.json or not sys.stdin.isatty():
        if warnings:
            raise CommandError(f"Nothing was changed, because of warnings; --yes does it anyway.{listed}")
        return
    if input(f"{question}{listed}\n[y/N] ").strip().lower() not in ("y", "yes"):
        raise CommandError("Nothing was changed.")


def _promotion_shape(promotion: Any) -> dict[str, Any]:
    previous = promotion.previous.number if promotion.previous else None
    names = ("world", "kind", "decided_by", "reason", "decided_at")
    facts = {name: getattr(promotion, name) for name in names}
    return {"version": promotion.version.number, "previous": previous, **facts}


def _version(options: Namespace, world: World) -> ModelVersion:
    """Return the version that was requested by its number, or the champion."""
    if options.version is None:
        present = selectors.champion(world)
        if present is None:
            raise CommandError(f"The {world} world has no champion yet; name a version.")
        return present.version
    version = selectors.model_version(world, options.version)
    if version is None:
        raise CommandError(f"The {world} world has no version {options.version}: manage.py spai compare lists them.")
    return version


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


COMMANDS = {
    "run": Subcommand("run the pipeline and follow it", run_arguments, run),
    "back-test": Subcommand("back-test the champion and follow the run", back_test_arguments, back_test),
    "evaluate": Subcommand("score a version by competition", evaluate_arguments, evaluate),
    "compare": Subcommand("compare a version with the champion, or list all", compare_arguments, compare),
    "promote": Subcommand("make a version the champion", promote_arguments, promote),
    "rollback": Subcommand("make the previous champion the champion again", rollback_arguments, rollback),
    "drift": Subcommand("show the latest report on drift", add_world, drift),
}
