"""A transport that answers with the recorded examples, which are answers of the real views."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES: dict[str, dict[str, Any]] = json.loads((ROOT / "apps" / "api" / "examples.json").read_text())
SITE = "http://127.0.0.1:8000"


def refusal(status: int, detail: str, kind: str = "", **headers: str) -> httpx.Response:
    """A problem as `apps/api/rest/problems.py` writes it."""
    body = {
        "type": f"urn:spai:problem:{kind}" if kind else "about:blank",
        "title": "Refused",
        "status": status,
        "detail": detail,
        "instance": "/",
        "request_id": "0123456789abcdef0123456789abcdef",
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers={"Content-Type": "application/problem+json", **named})


class Replay(httpx.BaseTransport):
    """Answers by path: with what a test sets, else with the recorded example; the requests are kept for tests."""

    def __init__(self, **answers: Any) -> None:
        self.requests: list[httpx.Request] = []
        self.answers = {urlsplit(each["address"]).path: each["answer"] for each in EXAMPLES.values()}
        self.answers |= {urlsplit(EXAMPLES[name]["address"]).path: answer for name, answer in answers.items()}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.get(request.url.path)
        if callable(answer):
            answer = answer(request)
        if answer is None:
            return refusal(404, "There is no such match.")
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)
