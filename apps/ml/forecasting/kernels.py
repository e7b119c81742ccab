"""Where compiled kernels are kept, and until when: as long as no file of this package has changed.

Numba by itself looks at the file of a kernel alone. Kernels call each other across files and have constants of other
files compiled into them, so that a change there would leave the old numbers at work, under the name of the new code.
Kernels take their `njit` from here, so that the classes below are asked before Numba's own.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from numba import config, njit
from numba.core.caching import (
    CompileResultCacheImpl,
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
    """Return the folder in which this process finds and keeps the kernels of this file's folder."""
    return Path(CompileResultCacheImpl(stamp.__wrapped__).locator.get_cache_path())


class _OfThePackage:
    """Takes the kernels of this package alone, and looks at all of its files."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        return super().from_function(py_func, py_file) if Path(py_file).is_relative_to(PACKAGE) else None  # type: ignore[misc]

    def get_source_stamp(self) -> str:
        return stamp()


class WhereSaid(_OfThePackage, UserProvidedCacheLocator):
    """In the folder that `NUMBA_CACHE_DIR` names."""


class BesideTheCode(_OfThePackage, InTreeCacheLocator):
    """In `__pycache__`, where it may be written."""


class InTheHome(_OfThePackage, UserWideCacheLocator):
    """In the cache of the user."""


# Ours first, then Numba's own for the code of others. The configuration, and not the environment: a child process may
# use Numba without this package.
config.CACHE_LOCATOR_CLASSES = ",".join(  # type: ignore[attr-defined]
    [
        *(f"{__name__}.{where.__name__}" for where in (WhereSaid, BesideTheCode, InTheHome)),
        *("UserProvidedCacheLocator", "InTreeCacheLocator", "UserWideCacheLocator", "IPythonCacheLocator"),
        "ZipCacheLocator",
    ]
)
