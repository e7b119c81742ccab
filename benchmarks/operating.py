"""What an operator waits for at N matches: `python -m benchmarks.operating [--matches N] [--json FILE]`.

A PostgreSQL of its own is filled with N matches (300,000) of both worlds. Then the metrics are read as Prometheus reads
them, and the home page and each list of the admin are opened by a superuser, through every middleware: wall time, as it
has the part of PostgreSQL, for a first request and the median of later ones, and the queries of a request.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator

from benchmarks.pages import MATCHES, fill
from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import own_servers

REQUESTS = 10


def addresses() -> Iterator[tuple[str, str]]:
    """Yield the name and the address of the metrics and of each page."""
    from django.contrib import admin
    from django.urls import reverse

    yield "metrics", reverse("metrics")
    yield "home page", reverse("admin:index")
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        yield f"list of {model._meta.verbose_name_plural}", reverse(name)


def measure() -> list[Measure]:
    """Ask for each address; return the milliseconds and queries of its requests."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, override_settings

    plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    client, measures = Client(), []
    with override_settings(ALLOWED_HOSTS=["testserver"], STORAGES={**settings.STORAGES, **plain}, DEBUG=False):
        client.force_login(get_user_model().objects.create_superuser("operator"))
        for name, address in addresses():
            spent = []
            for _ in range(1 + REQUESTS):
                with CaptureQueriesContext(connection) as captured:
                    began = time.perf_counter()
                    response = client.get(address)
                    spent.append(1000.0 * (time.perf_counter() - began))
                if response.status_code != 200:
                    raise RuntimeError(f"{address} is answered with {response.status_code}")
            target = "≤ 200" if name == "metrics" else ""
            measures += [
                Measure(name, statistics.median(spent[1:]), "ms", target),
                Measure("  first request", spent[0], "ms"),
                Measure("  queries", len(captured), ""),
            ]
    return measures


def main() -> int:
    """Fill, measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--matches", type=int, default=MATCHES, metavar="N")
    args = options.parse_args()
    with own_servers("admin"):
        fill(args.matches)
        print_measures(f"What an operator waits for at {args.matches:,} matches", measure(), args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
