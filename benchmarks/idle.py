"""What a running stack takes while it waits: `python -m benchmarks.idle [--seconds 60] [--json FILE]`.

Of each process with its children: the share of one processor, how often a second it was woken, and its memory. RSS
counts memory that processes share in each of them; PSS (proportional set size, Linux) counts it once. The stack of this
checkout must run. With `SPAI_SANDBOX=false` it waits; with the simulated world it has work every minute.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from benchmarks.report import Measure, parser, print_measures
from spai.stack import environment
from spai.stack.supervision import Supervisor

MEGABYTE = 1_000_000
WANTED = {"processor": "≤ 3", "PSS": "≤ 2,500"}


@dataclass
class Usage:
    """What a process of the stack and its children have used so far, or use now."""

    seconds: float = 0.0  # of one processor, those of children that have ended included
    woken: int = 0
    rss: int = 0  # bytes
    pss: int = 0  # bytes
    children: list[str] = field(default_factory=list)


def family(pid: int) -> Iterator[psutil.Process]:
    """Yield a process and its descendants."""
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        yield root
        yield from root.children(recursive=True)


def usage_of(processes: Iterable[psutil.Process], *, memory: bool = False) -> Usage:
    """Return the usage of processes."""
    found = Usage()
    for process in processes:
        with suppress(psutil.Error):
            times, switches = process.cpu_times(), process.num_ctx_switches()
            # What an ended child had used is in its parent's sums: backends of PostgreSQL live for one connection.
            found.seconds += times.user + times.system + times.children_user + times.children_system
            found.woken += switches.voluntary
            if memory:
                full = process.memory_full_info()
                found.rss += full.rss
                found.pss += getattr(full, "pss", 0)
                found.children.append(process.name())
    return found


def measure(seconds: float) -> list[Measure]:
    """Watch the stack for some seconds; return the measures of each process and of all."""
    supervisor = Supervisor(environment.load())
    if not supervisor.is_running():
        raise SystemExit("The stack of this checkout does not run; `make up` starts it.")
    pids = {name: state["pid"] for name, state in supervisor.states().items() if state["pid"]}
    main = psutil.Process(supervisor.call("getPID"))

    def usages(*, memory: bool = False) -> dict[str, Usage]:
        found = {name: usage_of(family(pid), memory=memory) for name, pid in pids.items()}
        return {"supervisor": usage_of([main], memory=memory), **found}

    before, began = usages(), time.monotonic()
    time.sleep(seconds)
    after = usages(memory=True)
    passed = time.monotonic() - began
    print(f"{'process':<18}{'% of a core':>12}{'wakes/s':>9}{'RSS MB':>9}{'PSS MB':>9}  processes")
    measures, totals = [], Usage()
    for name, usage in sorted(after.items(), key=lambda item: before[item[0]].seconds - item[1].seconds):
        spent, woken = usage.seconds - before[name].seconds, usage.woken - before[name].woken
        print(
            f"{name:<18}{100 * spent / passed:>12.2f}{woken / passed:>9.1f}{usage.rss / MEGABYTE:>9.0f}"
            f"{usage.pss / MEGABYTE:>9.0f}  {len(usage.children)}"
        )
        totals = Usage(totals.seconds + spent, totals.woken + woken, totals.rss + usage.rss, totals.pss + usage.pss)
        measures += [
            Measure(f"{name}: processor", 100 * spent / passed, "% of a core"),
            Measure(f"{name}: PSS", usage.pss / MEGABYTE, "MB"),
        ]
    return [
        *measures,
        Measure("all: processor", 100 * totals.seconds / passed, "% of a core", WANTED["processor"]),
        Measure("all: wakes", totals.woken / passed, "1/s"),
        Measure("all: RSS", totals.rss / MEGABYTE, "MB"),
        Measure("all: PSS", totals.pss / MEGABYTE, "MB", WANTED["PSS"]),
    ]


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--seconds", type=float, default=60.0, help="how long to watch (60)")
    args = options.parse_args()
    print_measures("idle stack", measure(args.seconds), args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
