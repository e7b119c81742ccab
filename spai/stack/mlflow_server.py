"""MLflow's server: `python -P mlflow_server.py OPTIONS` does what `mlflow server OPTIONS` does, in one process.

MLflow's command starts the server in a second process and waits for it, with 200 MB of its own. Here it becomes the
server. With another version of MLflow, both processes run as they would without this module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any


def become(command: list[str], *, extra_env: Mapping[str, str], **_: Any) -> None:
    """Replace this process by a command."""
    os.execve(command[0], command, {**os.environ, **extra_env})  # noqa: S606  this is the purpose


def main() -> None:
    """Do the checks and preparations of MLflow's command, then become its server."""
    import mlflow.server
    from mlflow.cli import cli

    mlflow.server._exec_cmd = become
    cli(["server", *sys.argv[1:]])


if __name__ == "__main__":
    main()
