"""What `up` prints at its end: where everything is and how to log in."""

from __future__ import annotations

from collections.abc import Collection

from spai.stack import environment, monitoring, revision
from spai.stack.environment import Stack
from spai.stack.preparation import ADMIN
from spai.stack.report import Report

TITLES = {
    "web": "Site",
    "admin": "Admin",
    "push": "Push",
    "sandbox": "Sandbox",
    "mlflow": "MLflow",
    "prometheus": "Prometheus",
    "alertmanager": "Alertmanager",
}


def print_summary(stack: Stack, report: Report, first_password: str, unready: Collection[str] = ()) -> None:
    """Print the addresses and the login; mark the processes that are `unready`."""
    report.step(f"Ready. Revision {revision.running(stack)}.")
    report.line()
    for name, title in TITLES.items():
        if name == "sandbox" and not stack.runs_sandbox:
            continue
        if name in monitoring.PROGRAMS and not monitoring.program(stack, name):
            continue
        public = stack.value(environment.ADDRESSES[name])
        own = stack.address(name)
        page, outside = "/admin/" if name == "admin" else "", f"  (outside: {public})" if public != own else ""
        report.line(f"  {title + ':':16}{own}{page}{outside}{'  (not ready yet)' if name in unready else ''}")
    report.line(f"  {'Browser:':16}{describe_browser(stack)}")
    login = f"user {ADMIN}, password in {stack.password_file}"
    if not stack.password_file.exists():
        login = "an existing user, or one created by `.venv/bin/python manage.py createsuperuser`"
    report.line(f"  {'Login:':16}{login}")
    if not stack.is_external("mlflow"):
        user, key = environment.MLFLOW_LOGIN
        report.line(f"  {'':16}in MLflow: user {stack.value(user)}, password {key} in {stack.env_file}")
    if first_password:
        report.line(f"  {'':16}shown this once: {first_password}")
        report.line()
        report.line("  The first model is trained in the next minutes; the site shows the progress.")
    report.line()
    report.line("  `make logs` follows the logs, `make status` checks every process, `make down` stops everything.")


def describe_browser(stack: Stack) -> str:
    """Return which browser fetches pages; without one, what that means and the command that installs one."""
    # Playwright is imported only for this line; the other commands of the stack do without it.
    from apps.scraping.browser import BrowserMissing, find

    try:
        found = find(remote=stack.value("BROWSER_WS_URL"), given=stack.value("SPAI_BROWSER"))
    except BrowserMissing as missing:
        return (
            "none found; the sandbox is fetched by plain HTTP, WhoScored cannot be fetched. To install one: "
            f"{missing.command}, then `make restart`"
        )
    return f"{found.version or found.place} ({found.why})"
