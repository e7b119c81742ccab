"""Each image starts its process without rights on a read-only root, answers its check, and ends in time."""

from __future__ import annotations

import functools
import http.server
import json
import threading
import time
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from spai.stack.container import DRAINED, SITE_PORTS
from tests.images.containers import running

pytestmark = [pytest.mark.images, pytest.mark.timeout(7200), pytest.mark.enable_socket]

TIMEOUT = 300.0
"""Seconds after which a process that is not ready counts as stuck."""
PROCESSES = {
    "spai-web": ("web", "admin", "push", "sandbox", "beat"),
    "spai-worker": ("worker-default", "worker-forecast", "worker-jobs", "worker-webhooks"),
    "spai-scraper": ("worker-scrape",),
    "spai-pipeline": ("mlflow", "worker-ml"),
}
CHECK = ("python", "-m", "spai.stack.container", "check")


@pytest.fixture
def run(site, images, roots, tmp_path):
    """Run words in a container of an image to their end; return their output."""

    def of(target: str, *words: str, **more: str) -> str:
        log = tmp_path / "output"
        with running(images[target], roots[images[target]], site | more, log, *words) as container:
            assert container.starter.wait(timeout=TIMEOUT) == 0, log.read_text(errors="replace")[-5000:]
        return log.read_text(errors="replace")

    return of


def answer(address: str) -> tuple[int, str]:
    try:
        with urlopen(address, timeout=30) as found:
            return found.status, found.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


@pytest.mark.parametrize(("target", "process"), [(target, each) for target in PROCESSES for each in PROCESSES[target]])
def test_a_process_of_an_image_answers_its_check_and_ends_in_time(site, images, roots, tmp_path, target, process):
    image = images[target]
    start = ("python", "-m", "spai.stack.container", process)
    with running(image, roots[image], site, tmp_path / "log", *start) as container:
        end, checked = time.monotonic() + TIMEOUT, tmp_path / "check"
        while True:
            with running(image, roots[image], site, checked, *CHECK, process) as check:
                if check.starter.wait(timeout=TIMEOUT) == 0:
                    break
            state = f"{checked.read_text()[-2000:]}\n{container.log.read_text(errors='replace')[-5000:]}"
            assert container.starter.poll() is None, state
            assert time.monotonic() < end, state
        assert set(container.first.uids()) == {10001}
        if process in DRAINED:
            address = f"http://127.0.0.1:{SITE_PORTS[process]}"
            assert answer(f"{address}/livez")[0] == HTTPStatus.OK
            container.first.terminate()
            while (found := answer(f"{address}/readyz"))[0] == HTTPStatus.OK:
                assert container.starter.poll() is None
            assert found[0] == HTTPStatus.SERVICE_UNAVAILABLE
            assert "stopped" in json.loads(found[1])["reason"]
            assert answer(f"{address}/livez")[0] == HTTPStatus.OK
            assert container.starter.wait(timeout=TIMEOUT) == 0, container.log.read_text(errors="replace")[-5000:]
        else:
            assert container.stop() == 0, container.log.read_text(errors="replace")[-5000:]


def test_nothing_can_be_written_but_data_and_temporary_files(run):
    assert "Read-only" in run("spai-web", "sh", "-c", "touch /srv/spai/x || touch /tmp/x && touch /var/lib/spai/x")
    assert "CapEff:\t0000000000000000" in run("spai-web", "cat", "/proc/self/status")


def test_the_scraper_opens_a_page_in_its_browser(run, tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text(
        "<p id=p></p><script>p.textContent = 'made by ' + 'a script'</script>"
    )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "page")
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = (
            "import os; from apps.scraping.browser import Browser, find\n"
            "with Browser(user_agent='SPAI', found=find(given=os.environ['SPAI_BROWSER']), sandbox=False) as browser:\n"
            f"    with browser.unit() as unit: print(unit.open('http://127.0.0.1:{server.server_port}/').body.decode())"
        )
        output = run("spai-scraper", "python", "-c", code)
        server.shutdown()
    assert "made by a script" in output


def test_the_pipeline_has_its_tools_and_the_web_image_has_not(run):
    tools = "import mlflow, dvc, great_expectations, evidently, optuna"
    run("spai-pipeline", "python", "-W", "ignore", "-c", tools)
    found = run(
        "spai-web", "python", "-c", "from importlib.util import find_spec as f; print(f('mlflow'), f('pip'), f('uv'))"
    )
    assert found.split() == ["None", "None", "None"]


def test_kernels_come_compiled_with_the_image(run):
    output = run("spai-worker", "sh", "-c", "ls /srv/spai/kernels | wc -l; du -sm /srv/spai/kernels")
    assert int(output.split()[0]) > 0
