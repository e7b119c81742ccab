"""Push in."""

import json, pytest
from apps.api import services
from django.utils import timezone

ADDRESS = "/api/v1/ingest/"


def line(**f):
    return {
        "competition": {"region": "England", "name": "Premier League"},
        "season": "2026-27",
        "home_team": "Leeds",
        "away_team": "Hull",
        "kickoff_at": "2026-11-23T15:00:00Z",
        **f,
    }


def test_x(client, db, settings):
    settings.SPAI_FACE = "office"
    new = services.create_key(name="f", source="feed", worlds=["real"], created_by="t", now=timezone.now())
    r = client.post(
        ADDRESS,
        data=json.dumps(line()) + "\n" + json.dumps(line(hom=1)) + "\n",
        content_type="application/x-ndjson",
        headers={"Authorization": f"Bearer {new.token}"},
    )
    print(r.status_code, r.content, r.headers)
    assert r.status_code == 200
