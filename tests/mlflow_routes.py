"""Print as JSON how many routes the MLflow server of the environment has, and which answer a request without a login.

A program of its own, because MLflow reads its settings when it is imported.
"""

from __future__ import annotations

import json
import re
import sys

from mlflow.server import app
from mlflow.server.auth import create_app
from starlette.testclient import TestClient


def main() -> None:
    """Send every route a request without a login."""
    served = create_app(app)
    routes = {
        (method, rule.rule) for rule in app.url_map.iter_rules() for method in (rule.methods or set()) - {"OPTIONS"}
    }
    routes |= {(method.upper(), path) for path, methods in served.openapi()["paths"].items() for method in methods}
    client = TestClient(served, base_url="http://127.0.0.1:5000", raise_server_exceptions=False)
    answers = {
        f"{method} {path}": client.request(method, re.sub(r"<[^>]+>|\{[^}]+\}", "1", path)).status_code
        for method, path in sorted(routes)
        if method != "HEAD"
    }
    json.dump({"routes": len(answers), "open": {key: it for key, it in answers.items() if it != 401}}, sys.stdout)


if __name__ == "__main__":
    main()
