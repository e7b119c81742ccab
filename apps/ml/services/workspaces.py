"""Workspaces of runs: a folder with links to the code, its own parameters, and the shared DVC cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml
from django.conf import settings

from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.pipeline import files, finished_steps, parallel
from apps.ml.pipeline.progress import storable

QUIET: Final = {
    "DVC_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "NO_COLOR": "1",
    # The log of a run is for people.
    "LOG_FORMAT": "line",
    "PYTHONUNBUFFERED": "1",
    # Otherwise two simultaneous fits on two cores waste their time in busy-waiting.
    "OMP_WAIT_POLICY": "passive",
}

LAST_OF_BACK_TEST: Final = "evaluate"
"""The stage that a back-test ends with."""

TIMEOUT: Final = 20.0
"""Seconds to wait for the processes of an earlier executor."""

CONFIG: Final = """[core]
    no_scm = true
    analytics = false
    check_update = false
    remote = runs
[cache]
    dir = {cache}
['remote "runs"']
    url = {remote}
"""


def folder_of(run: PipelineRun) -> Path:
    """Return the folder of a run."""
    return settings.SPAI_VAR_DIR / "runs" / str(run.pk)


@contextmanager
def locked(run: PipelineRun) -> Iterator[int | None]:
    """Lock the folder of a run on this machine; yield the lock's file descriptor, or None when it is taken.

    The lock lasts until this process and all that inherited the descriptor have ended, so that stages of an earlier
    executor never run beside those of the next.
    """
    folder_of(run).mkdir(parents=True, exist_ok=True)
    with (folder_of(run) / ".held").open("w") as file:
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    yield None
                    return
                time.sleep(0.1)
            else:
                yield file.fileno()
                return


def make(run: PipelineRun) -> Path:
    """Make the workspace of a run, or reuse the one of an earlier attempt; return its folder."""
    folder = folder_of(run)
    configure(folder)
    for name in ("dvc.yaml", ".dvcignore"):
        # Copy the content without its permissions: this folder is private.
        shutil.copyfile(settings.BASE_DIR / name, folder / name)
    if run.first_stage:
        _keep_earlier_stages(folder, run)
    _link_code(folder)
    _link_steps(folder)
    run.params = with_new_names(run.params) if run.params else read_params()
    pinned = {"world": run.world, "as_of": run.as_of.isoformat(), "profile": run.profile, "id": run.pk}
    if run.back_test_of_id is not None:
        pinned["back_test"] = ModelVersion.objects.only("estimator").get(pk=run.back_test_of_id).estimator
    files.write_text(folder / files.PARAMS, yaml.safe_dump(run.params | {"run": pinned}, sort_keys=False))
    return folder


def with_new_names(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters that older code stored for a run with the code of now.

    What only newer code asks for has the value of `params.yaml`, but for the estimators: a value that theirs do not
    have would make them others.
    """
    found = _filled(params, read_params())
    if "train" in params:
        found["train"] = params["train"]
    return found


def _filled(own: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values of `own`, and those of `present` under names that `own` does not have.

    An empty mapping of `own` stays empty: it says that no profile has a limit.
    """
    found = dict(present) | dict(own)
    for name in own.keys() & present.keys():
        if own[name] and isinstance(own[name], Mapping) and isinstance(present[name], Mapping):
            found[name] = _filled(own[name], present[name])
    return found


def configure(folder: Path) -> None:
    """Make a folder a project of DVC that uses the shared cache and remote; only one process works in it at a time."""
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    cache = settings.SPAI_VAR_DIR / "dvc-cache"
    remote = settings.SPAI_DVC_REMOTE or str(settings.SPAI_VAR_DIR / "dvc-remote")
    config = CONFIG.format(cache=cache, remote=remote)
    if remote.startswith("s3://") and settings.SPAI_S3_ENDPOINT:
        config += f"    endpointurl = {settings.SPAI_S3_ENDPOINT}\n"
    (folder / ".dvc" / "config").write_text(config, encoding="utf-8")
    # The processes that held these locks have ended, see `locked`.
    for lock in ("lock", "rwlock", "rwlock.lock"):
        (folder / ".dvc" / "tmp" / lock).unlink(missing_ok=True)
    # DVC would make these folders writable for all users of the machine.
    for place in (_site_cache(), _site_cache() / "repo"):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)


def stages_of(run: PipelineRun) -> list[str]:
    """Return the names of the stages that a run has: a back-test ends with the evaluation and registers nothing."""
    names = list(read_stages())
    return names[: names.index(LAST_OF_BACK_TEST) + 1] if run.is_back_test else names


def read_stages() -> dict[str, Any]:
    """Return the stages in dvc.yaml of the checkout, in their order; not to be changed."""
    path: Path = settings.BASE_DIR / "dvc.yaml"
    return _stages_in(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _stages_in(path: Path, _changed: int) -> dict[str, Any]:
    # Pages that follow a run ask each second, and YAML is slow to read.
    stages: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
    return stages


def earlier_stages(run: PipelineRun) -> list[str]:
    """Return the stages before the one that a retry begins with."""
    names = list(read_stages())
    return names[: names.index(run.first_stage)]


def read_lock_file(folder: Path) -> str:
    """Return the content of `dvc.lock`; empty when DVC has not written it."""
    path = folder / "dvc.lock"
    return storable(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ""


def _keep_earlier_stages(folder: Path, run: PipelineRun) -> None:
    """Begin with the lock file of the run that this one repeats, and freeze stages that would always run, the export.

    DVC still repeats an earlier stage when its code has changed since.
    """
    earlier = earlier_stages(run)
    stages = {
        name: stage | {"frozen": True} if name in earlier and stage.get("always_changed") else stage
        for name, stage in read_stages().items()
    }
    files.write_text(folder / "dvc.yaml", yaml.safe_dump({"stages": stages}, sort_keys=False))
    if not (folder / "dvc.lock").exists():
        files.write_text(folder / "dvc.lock", run.dvc_lock)


def _link_steps(folder: Path) -> None:
    """Share finished training steps among runs, so that a repeated run reuses those of the failed one."""
    shared, link = settings.SPAI_VAR_DIR / "finished-steps", folder / finished_steps.FOLDER
    shared.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(shared)


def read_params() -> dict[str, Any]:
    """Return the parameters of the checkout, without the section `run`."""
    params = files.read_params(settings.BASE_DIR)
    params.pop("run", None)
    return params


def environment() -> dict[str, str]:
    """Return the environment of the stages of a run."""
    places = {"PYTHONPATH": str(settings.BASE_DIR), "DVC_SITE_CACHE_DIR": str(_site_cache())}
    scale = {
        parallel.PROCESSES: str(settings.SPAI_TRAIN_PROCESSES),
        parallel.SCHEDULER: settings.SPAI_DASK_SCHEDULER,
    }
    return os.environ | QUIET | places | scale


def _site_cache() -> Path:
    return settings.SPAI_VAR_DIR / "dvc-site"


def _link_code(folder: Path) -> None:
    """Link the code, so that `dvc.yaml` finds it under the same paths as in the checkout.

    `apps/__init__.py` is left out. Python puts the current folder first on its path, and this folder must not hide the
    package of the checkout.
    """
    source = settings.BASE_DIR
    links = {folder / "manage.py": source / "manage.py", folder / ".venv": Path(sys.prefix)}
    for path in (source / "apps").iterdir():
        if path.is_dir() and path.name not in ("ml", "__pycache__"):
            links[folder / "apps" / path.name] = path
    for path in (source / "apps" / "ml").iterdir():
        if path.name not in (files.PARAMS.name, "__pycache__"):
            links[folder / "apps" / "ml" / path.name] = path
    for link, target in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
