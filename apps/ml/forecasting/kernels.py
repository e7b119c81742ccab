"""Numba's `njit` with an on-disk cache that is valid until any file of this package changes.

Numba checks only the file that defines a kernel. Our kernels call each other across files and have constants of other
files compiled into them, so a change there would silently keep the old machine code. Import `njit` from this module, so
that its cache locators come before Numba's own.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from numba import config, njit
from numba.core.caching import (
    CompileResultCacheImpl,
    IndexDataCacheFile,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

__all__ = ["cache_folder", "njit"]

PACKAGE: Final = Path(__file__).parent


@lru_cache(maxsize=1)
def stamp() -> str:
    """Return the hash over names and bytes of all files of the package."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """Return the folder in which this process caches the kernels of this file's folder."""
    return Path(CompileResultCacheImpl(stamp.__wrapped__).locator.get_cache_path())


class _PackageLocator:
    """Handles the kernels of this package only, and uses `stamp` to tell whether they are up to date."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        return super().from_function(py_func, py_file) if Path(py_file).is_relative_to(PACKAGE) else None  # type: ignore[misc]

    def get_source_stamp(self) -> str:
        return stamp()


class ConfiguredFolderLocator(_PackageLocator, UserProvidedCacheLocator):
    """Caches in the folder that `NUMBA_CACHE_DIR` names."""


class PycacheLocator(_PackageLocator, InTreeCacheLocator):
    """Caches in `__pycache__`, where that is writable."""


class UserFolderLocator(_PackageLocator, UserWideCacheLocator):
    """Caches in the user's cache folder."""


# Our locators first, then Numba's for everybody else's code. Set in the configuration rather than the environment:
# child processes may use Numba without this package.
config.CACHE_LOCATOR_CLASSES = ",".join(
    [
        *(f"{__name__}.{locator.__name__}" for locator in (ConfiguredFolderLocator, PycacheLocator, UserFolderLocator)),
        *("UserProvidedCacheLocator", "InTreeCacheLocator", "UserWideCacheLocator", "IPythonCacheLocator"),
        "ZipCacheLocator",
    ]
)

_load_index = IndexDataCacheFile._load_index


def _index_or_nothing(cache_file: IndexDataCacheFile) -> Any:
    try:
        return _load_index(cache_file)
    except (AttributeError, ImportError):
        return {}


# Numba unpickles an index before it compares the stamp, and an index written by older code may name classes that no
# longer exist. Such an index is out of date, so the kernel is compiled again.
IndexDataCacheFile._load_index = _index_or_nothing
