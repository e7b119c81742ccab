"""Independent tasks of a stage: in processes of this machine, or on a Dask cluster, with equal results.

Each task has one thread for BLAS and OpenMP, wherever it runs: the last bits of a sum depend on the number of threads.
More processes use more processors, and threads that wait for each other on a busy machine take many times as long.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final, TypeVar

PROCESSES: Final = "SPAI_TRAIN_PROCESSES"
"""Environment variable with the number of processes; 0 or none: see `processes`."""

SCHEDULER: Final = "SPAI_DASK_SCHEDULER"
"""Environment variable with the address of a Dask scheduler, such as ``tcp://scheduler:8786``; none: this machine."""

LEAST_ROWS: Final = 30_000
"""Rows from which a fit takes longer than the start of a process."""

WAIT_SECONDS: Final = 60
"""Longest wait for the first worker of a cluster."""

POLL_SECONDS: Final = 1.0
"""Time between two looks whether the process that started a worker still lives."""

RETRIES: Final = 3
"""Times that a task is repeated whose worker died."""

Result = TypeVar("Result")


def scheduler() -> str:
    """Return the address of the Dask scheduler; empty where tasks run on this machine."""
    return os.environ.get(SCHEDULER, "")


def processes(rows: int) -> int:
    """Return the number of processes of this machine that run tasks on so many rows.

    It is the one that is set; else one for each processor, and one where a task is done before another process starts.
    """
    from joblib import cpu_count

    return int(os.environ.get(PROCESSES) or 0) or (int(cpu_count()) if rows >= LEAST_ROWS else 1)


def results(
    function: Callable[..., Result], arguments: Iterable[tuple[Any, ...]], *, at_once: int
) -> Generator[Result, None, None]:
    """Yield what a function returns for each tuple of arguments, in their order, while later tasks run.

    Twice as many tasks as run at once are under way, or done and not taken yet, so that memory is bounded. Close the
    generator to end tasks that nobody waits for.

    Parameters
    ----------
    function : callable
        A function of a module, so that another process finds it.
    arguments : iterable of tuple
        A large array should be a `numpy.memmap`: processes of this machine share its file, and a cluster gets it once.
    at_once : int
        Number of processes of this machine, see `processes`. With one, tasks run in this process, each when its result
        is requested. A cluster runs as many at once as it has threads.
    """
    if address := scheduler():
        yield from _on_cluster(address, function, arguments)
    elif at_once == 1:
        for given in arguments:
            yield _alone(function, *given)
    else:
        yield from _in_processes(at_once, function, arguments)


def _alone(function: Callable[..., Result], *arguments: Any) -> Result:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return function(*arguments)


def _in_processes(
    number: int, function: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]
) -> Generator[Result, None, None]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor

    try:
        with parallel_config(
            "loky", n_jobs=number, inner_max_num_threads=1, initializer=_begin, initargs=(os.getpid(),)
        ):
            tasks = (delayed(_alone)(function, *given) for given in arguments)
            found = Parallel(return_as="generator", batch_size=1)(tasks)
            try:
                for result in found:  # noqa: UP028  `yield from` would close it outside of what follows
                    yield result
            finally:
                with warnings.catch_warnings():
                    # It warns of results that nobody took; a stage that was stopped wants none.
                    warnings.simplefilter("ignore")
                    found.close()
    finally:
        get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _begin(parent: int) -> None:
    """Prepare a process for its tasks: libraries that it loads have one thread, and it ends with its parent."""
    # XGBoost asks for the threads of its parameters; the runtime of OpenMP reads this limit when it is loaded.
    os.environ["OMP_THREAD_LIMIT"] = "1"

    def end_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _on_cluster(
    address: str, function: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]
) -> Generator[Result, None, None]:
    import numpy as np
    from distributed import Client

    with Client(address, timeout=WAIT_SECONDS, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=WAIT_SECONDS)
        sent: dict[int, Any] = {}
        waiting: deque[Any] = deque()

        def there(argument: Any) -> Any:
            if not isinstance(argument, np.memmap):
                return argument
            if id(argument) not in sent:
                sent[id(argument)] = client.scatter(np.asarray(argument), hash=False)
            return sent[id(argument)]

        for given in arguments:
            # A worker that dies loses its task, which another one repeats.
            waiting.append(client.submit(_alone, function, *map(there, given), pure=False, retries=RETRIES))
            if len(waiting) >= 2 * sum(client.nthreads().values()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
