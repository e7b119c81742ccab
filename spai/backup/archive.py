"""The archive: a folder with dumps, copies of folders, and a manifest with the checksum of each file."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from spai.backup import databases
from spai.backup.databases import Database
from spai.backup.errors import BackupError
from spai.stack import environment, revision
from spai.stack.environment import Stack

FORMAT: Final = 1
"""Version of the layout of an archive."""
CACHE, REMOTE = "dvc-cache", "dvc-remote"
MANIFEST: Final = "manifest.json"
CHUNK: Final = 1 << 20
MIGRATIONS: Final = "apps/*/migrations/[0-9]*.py"

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ArchiveManifest:
    """What an archive has, and from what it was made."""

    made_at: str
    revision: str  # of the code
    python: str
    databases: dict[str, dict[str, Any]]  # name → what `databases.dump` says
    elsewhere: dict[str, str]  # parts that are not in it → where they are
    files: dict[str, dict[str, Any]] = field(default_factory=dict)  # path in the archive → bytes and sha256
    in_both: list[str] = field(default_factory=list)  # files of DVC's cache that its remote has too, and are kept once
    format: int = FORMAT

    @property
    def size(self) -> int:
        """The total of its files, in bytes."""
        return sum(facts["bytes"] for facts in self.files.values())

    def files_of(self, name: str) -> dict[PurePosixPath, str]:
        """Return the files of a folder that is backed up, and as what each is in the archive."""
        own = {PurePosixPath(path).relative_to(name): path for path in self.files if path.startswith(f"{name}/")}
        return own | ({PurePosixPath(path): f"{REMOTE}/{path}" for path in self.in_both} if name == CACHE else {})

    @classmethod
    def read(cls, archive: Path) -> ArchiveManifest:
        """Read the manifest of an archive.

        Raises
        ------
        BackupError
            When there is none, or this version cannot read it.
        """
        try:
            found = json.loads((archive / MANIFEST).read_text(encoding="utf-8"))
            manifest = cls(**found)
        except FileNotFoundError as error:
            raise BackupError(f"{archive} is no archive: it has no {MANIFEST}.") from error
        except (ValueError, TypeError) as error:
            raise BackupError(f"The manifest of {archive} cannot be read: {error}") from error
        if manifest.format != FORMAT:
            raise BackupError(f"{archive} has the format {manifest.format}; this version reads {FORMAT}.")
        return manifest


def parts(stack: Stack) -> tuple[list[Database], dict[str, Path], dict[str, str]]:
    """Return the databases and the folders of an installation that are backed up, and what is kept elsewhere.

    The roles of the databases are those of maintenance where the stack runs its own PostgreSQL.
    """
    has_own = bool(stack.own) and not stack.is_external("postgres")
    found = [Database("spai", superuser_of(stack, "spai") if has_own else stack.value("DATABASE_URL"))]
    elsewhere = {}
    if stack.own and not stack.is_external("mlflow"):
        found.append(Database("mlflow", superuser_of(stack, "mlflow") if has_own else stack.mlflow_database))
    else:
        elsewhere["mlflow"] = "the server of MLFLOW_TRACKING_URI"
    places = {
        "snapshots": stack.value("SPAI_SNAPSHOTS"),
        REMOTE: stack.value("SPAI_DVC_REMOTE"),
        "mlflow": stack.value("SPAI_MLFLOW_ARTIFACTS"),
        CACHE: "",
    }
    elsewhere |= {name: place for name, place in places.items() if place.startswith("s3://")}
    folders = {name: Path(place or stack.var / name) for name, place in places.items() if name not in elsewhere}
    return found, folders, elsewhere


def superuser_of(stack: Stack, database: str) -> str:
    """Return the address of one of the stack's own databases for its superuser."""
    return stack.superuser_database.rpartition("/")[0] + f"/{database}"


# ── Backup ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def make(stack: Stack, target: Path, notify: Notify) -> ArchiveManifest:
    """Write an archive; `target` appears when it is complete and has been read once.

    Databases come first and files after them: a file is there before the row that refers to it.

    Raises
    ------
    BackupError
        When there is something at `target` already, or a part fails; nothing is left then.
    """
    if target.exists():
        raise BackupError(f"{target} exists already. Name a new folder.")
    found, folders, elsewhere = parts(stack)
    if not found[0].address:
        raise BackupError("DATABASE_URL is not set: name the database, or start the stack once with `make up`.")
    if within := [folder for folder in folders.values() if target.is_relative_to(folder.absolute())]:
        raise BackupError(f"{target} is inside {within[0]}, which is backed up. Name a folder outside it.")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _incomplete(target) as folder, databases.no_retention(found[0]):
        dumped = {}
        for database in found:
            notify(f"database {database.name}")
            dumped[database.name] = databases.dump(database, folder / f"{database.name}.dump")
        manifest = ArchiveManifest(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            revision=revision.describe(revision.fingerprint()),
            python=platform.python_version(),
            databases=dumped,
            elsewhere=elsewhere,
            files={facts["file"]: _facts(folder / facts["file"]) for facts in dumped.values()},
        )
        for name, source in folders.items():
            notify(f"folder {source}")
            for path in _files(source):
                if name == CACHE and (folder / REMOTE / path).exists():
                    # Named by its content: the remote has the same file.
                    manifest.in_both.append(str(path))
                    continue
                try:
                    manifest.files[f"{name}/{path}"] = _copied(source / path, folder / name / path)
                except FileNotFoundError:
                    # A temporary file, or one that no row of the dump refers to.
                    continue
        notify("reading the archive once")
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1)
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        verify(folder, manifest)
        _synced(folder)
    return manifest


@contextmanager
def _incomplete(target: Path) -> Iterator[Path]:
    """Make a folder that becomes `target` at the end, and is removed when something fails."""
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _files(folder: Path) -> Iterator[PurePosixPath]:
    """Yield the files of a folder, relative to it; links are not followed."""
    for place, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield PurePosixPath(path.relative_to(folder).as_posix())


def _copied(source: Path, target: Path) -> dict[str, Any]:
    """Copy a file with its permissions; return its size and checksum."""
    with source.open("rb") as read:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as written:
            facts = _hashed(read, written)
    shutil.copymode(source, target)
    return facts


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as read:
        return _hashed(read)


def _hashed(read: Any, written: Any = None) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    while block := read.read(CHUNK):
        digest.update(block)
        size += len(block)
        if written is not None:
            written.write(block)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _synced(folder: Path) -> None:
    """Have the disk write all files of a folder."""
    for place, _, names in os.walk(folder):
        for path in (Path(place), *(Path(place) / name for name in names)):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


# ── Restore ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def verify(archive: Path, manifest: ArchiveManifest) -> None:
    """Compare each file of an archive with its checksum, and read its dumps to their ends.

    Raises
    ------
    BackupError
        When a file is missing or differs.
    """
    for name in (*manifest.files, *manifest.in_both):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BackupError(f"The manifest of {archive} names a file outside it: {name}")
    for name, facts in manifest.files.items():
        try:
            found = _facts(archive / name)
        except OSError as error:
            raise BackupError(f"{archive / name} cannot be read: {error.strerror}. Take another archive.") from error
        if found != facts:
            raise BackupError(f"{archive / name} is not as it was written. Take another archive.")
    named = [
        *(facts["file"] for facts in manifest.databases.values()),
        *(f"{REMOTE}/{name}" for name in manifest.in_both),
    ]
    if missing := [name for name in named if name not in manifest.files]:
        raise BackupError(f"The manifest of {archive} has no checksum of {missing[0]}.")
    for facts in manifest.databases.values():
        databases.read_through(archive / facts["file"], facts["pg_dump"])


def restore(stack: Stack, archive: Path, notify: Notify, *, stop: Callable[[], None], replace: bool) -> ArchiveManifest:
    """Restore an archive, after everything that can be checked has been.

    Each database changes in one transaction, then the folders. A restore that was killed is repeated.

    Parameters
    ----------
    stop : callable
        Stops what uses the databases; it is called after the checks.

    Raises
    ------
    BackupError
        When the archive is damaged, of newer code, or of a part that this installation keeps elsewhere; when there is
        data and `replace` is not set; when something still uses a database.
    """
    manifest = ArchiveManifest.read(archive)
    notify("comparing the archive with its checksums")
    verify(archive, manifest)
    found, folders, _ = parts(stack)
    by_name = {database.name: database for database in found}
    _refuse(manifest, by_name, folders, replace=replace)
    stop()
    for name in manifest.databases:
        by_name[name].refuse_other_sessions()
    staged = {}
    try:
        for name, target in folders.items():
            notify(f"folder {target}")
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            staged[name] = Path(tempfile.mkdtemp(prefix=".restore.", dir=target))
            for path, each in manifest.files_of(name).items():
                if _copied(archive / each, staged[name] / path) != manifest.files[each]:
                    raise BackupError(f"{archive / each} changed while it was read. Nothing was restored.")
            _synced(staged[name])
        for name, facts in manifest.databases.items():
            notify(f"database {name}")
            databases.restore(by_name[name], archive / facts["file"], facts)
        for name, folder in staged.items():
            _replaced(folders[name], folder)
    finally:
        for folder in staged.values():
            shutil.rmtree(folder, ignore_errors=True)
    return manifest


def _replaced(target: Path, staged: Path) -> None:
    """Give a folder, which may be a volume, the content of one inside it."""
    before = Path(tempfile.mkdtemp(prefix=".before.", dir=target))
    for path in list(target.iterdir()):
        if path not in (staged, before):
            path.rename(before / path.name)
    for path in list(staged.iterdir()):
        path.rename(target / path.name)
    shutil.rmtree(before, ignore_errors=True)


def _refuse(manifest: ArchiveManifest, found: dict[str, Database], folders: dict[str, Path], *, replace: bool) -> None:
    """Raise `BackupError` where a restore would destroy something or could not end well."""
    held = {*manifest.databases, *(PurePosixPath(name).parts[0] for name in manifest.files if "/" in name)}
    if missing := sorted(held - found.keys() - folders.keys()):
        raise BackupError(
            f"The archive has {', '.join(missing)}, which this installation keeps elsewhere. Unset the variables that "
            "say so for the restore, or copy that part by hand."
        )
    known = {f"{path.parents[1].name}.{path.stem}" for path in environment.BASE.glob(MIGRATIONS)}
    ours = {path.parents[1].name for path in environment.BASE.glob(MIGRATIONS)}
    applied = [name for name in manifest.databases["spai"]["migrations"] if name.partition(".")[0] in ours]
    if newer := [name for name in applied if name not in known]:
        raise BackupError(
            f"The archive was made by newer code ({manifest.revision}): this code has no migration {newer[0]}. Restore "
            "it with that code."
        )
    for name, facts in manifest.databases.items():
        databases.refuse_older_server(found[name], facts)
        if not replace and (tables := found[name].tables()):
            raise BackupError(
                f"The database {name} has {len(tables)} tables. --replace deletes all that is in it and restores the "
                "archive in its place."
            )
    for target in folders.values():
        if not replace and any(_files(target)):
            raise BackupError(f"{target} has files. --replace deletes them and restores the archive in their place.")
