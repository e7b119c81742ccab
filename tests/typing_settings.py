"""Settings for mypy's plug-in, which imports the project and connects to nothing."""

import os

os.environ.setdefault("SECRET_KEY", "only-for-types")
os.environ.setdefault("DATABASE_URL", "postgresql://nobody:none@127.0.0.1:1/none")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")

from spai.settings import *  # noqa: F403  everything but the addresses is the project's own
