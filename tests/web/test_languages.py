"""Pages in the languages of the site: none of their texts is missed, and no reader gets those of another one."""

from __future__ import annotations

import gettext
import json
import re
import string
from datetime import date
from pathlib import Path

import pytest
from django.utils import timezone, translation

from apps.api import written
from apps.api.pages.context import zone_names
from apps.api.pages.parts import PARTS
from apps.matches.models import Competition, Contradiction, Region, Season, Stage, Team
from tests import missed_texts
from tests.e2e.states import every_state
from tests.web.conftest import Builder

messages = pytest.importorskip("delivery.messages", reason="Babel is not installed")

ROOT = messages.ROOT
CATALOGUES = messages.catalogues()
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}

ENGLISH_TEMPLATES = (
    "templates/admin/",
    "templates/robots.txt",
    *(f"templates/pages/{n}.html" for n in ("api", "redoc", "swagger")),
)
"""Templates for staff and for programs; the reference of the API describes it in the words of its schema."""

ENGLISH_TEXTS = {
    "apps/api/pages/ledger.py": {
        "The root over all forecasts of each day, and the hash that chains it to the day before.",
        "Ledger of forecasts (",
    },
    "apps/api/services/forecasts.py": {
        "'No forecast of this match had been published at that moment.'",
        "f'Forecasts that were replaced before kick-off are kept for {days} days after the match; the ledger still "
        "proves them. Leave as_of out for the last one.'",
    },
}
"""Texts that only programs get: the feed of the ledger, and answers to a parameter of the API."""

PYTHON = (
    *(ROOT / "apps/api/pages").glob("*.py"),
    *(ROOT / "apps/api/templatetags").glob("*.py"),
    *(ROOT / "apps/api" / name for name in ("charts.py", "rating_charts.py", "record_charts.py", "methods.py")),
)
SERVICES = (*(ROOT / "apps/api/services").glob("*.py"), *(ROOT / "apps/ml/services").glob("*.py"))
JOBS_AND_BATCHES = ("job_kinds.py", "batch.py")
"""Services that only the API calls."""


def templates() -> list[Path]:
    found = sorted(path for path in (ROOT / "templates").rglob("*") if path.is_file())
    return [path for path in found if not path.relative_to(ROOT).as_posix().startswith(ENGLISH_TEMPLATES)]


class TestNoTextIsMissed:
    @pytest.mark.parametrize("path", templates(), ids=lambda path: path.relative_to(ROOT).as_posix())
    def test_every_text_of_a_template_can_be_translated(self, path):
        assert missed_texts.in_template(path.read_text(encoding="utf-8")) == []

    def test_every_text_of_the_code_can_be_translated(self):
        found = {path.relative_to(ROOT).as_posix(): missed_texts.in_python(path.read_text()) for path in PYTHON} | {
            path.relative_to(ROOT).as_posix(): missed_texts.in_python(path.read_text(), of_errors=True)
            for path in SERVICES
            if path.name not in JOBS_AND_BATCHES
        }
        assert {name: set(texts) for name, texts in found.items() if texts} == ENGLISH_TEXTS

    @pytest.mark.parametrize(
        "source",
        [
            "<p>Kick-off</p>",
            '<p title="Kick-off"></p>',
            '<p>{% if a %}{% translate "One" %}{% else %}two{% endif %}</p>',
            '<input placeholder="Team">',
            '<p>{{ n }} match{{ n|pluralize:"es" }}</p>',
            '{% include "a/b.html" with title="Next matches" %}',
            '<p>{{ name|default:"No name" }}</p>',
            "<p>{% blocktranslate %}One{% endblocktranslate %} two</p>",
        ],
    )
    def test_the_look_at_templates_finds_a_text(self, source):
        assert missed_texts.in_template(source) != []

    @pytest.mark.parametrize(
        "code",
        ['raise Http404("There is none.")', 'raise Http404(f"No {what} here.")', 'label = f"Chance of {team} to win"'],
    )
    def test_the_look_at_code_finds_a_text(self, code):
        assert missed_texts.in_python(code) != []

    def test_the_look_at_code_leaves_programmers_theirs(self):
        code = 'def f():\n    """Return the one."""\n    raise ValueError("not a one")\nx = gettext("Kick-off of it")'
        assert missed_texts.in_python(code) == []


class TestCatalogues:
    @pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
    def test_it_has_the_texts_of_the_sources_and_no_others(self, path):
        """`python -m delivery.messages` adds what is missing here."""
        stored, wanted = messages.read(path), messages.collected()

        def ids(catalogue):
            return {(each.context, each.id) for each in catalogue if each.id}

        assert ids(stored) == ids(wanted)
        assert not stored.obsolete

    @pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
    def test_every_text_is_translated_with_the_same_placeholders_and_elements(self, path):
        catalogue = messages.read(path)
        assert faults(catalogue) == []

    @pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
    def test_what_the_site_reads_is_what_translators_edit(self, path):
        """`python -m delivery.messages` compiles it."""
        stored = messages.read(path)
        with path.with_suffix(".mo").open("rb") as file:
            compiled = gettext.GNUTranslations(file)
        for each in stored:
            if not each.id:
                continue
            context = f"{each.context}\x04" if each.context else ""
            if isinstance(each.id, tuple):
                one, many = (compiled.ngettext(f"{context}{each.id[0]}", f"{context}{each.id[1]}", n) for n in (1, 2))
                assert (one, many) == each.string
            else:
                assert compiled.gettext(f"{context}{each.id}") == each.string

    def test_there_is_one_for_each_language_but_english(self, settings):
        assert {path.parts[-3] for path in CATALOGUES} == {code for code, _ in settings.LANGUAGES} - {"en"}

    def test_the_look_at_catalogues_finds_each_kind_of_fault(self):
        catalogue = messages.Catalog(locale="de")
        catalogue.add("One %(n)s", "Eins %(n)s")
        assert faults(catalogue) == []
        catalogue.add("Two", "")
        catalogue.add("Three %(n)s", "Drei %(m)s")
        catalogue.add("Four {n}", "Vier {n}", flags=["fuzzy"])
        catalogue.add("<b>Five</b>", "Fünf")
        catalogue.add(("%(n)s day", "%(n)s days"), ("%(n)s Tag", ""))
        assert [fault.split(":")[0] for fault in faults(catalogue)] == [
            "Two",
            "Three %(n)s",
            "Four {n}",
            "<b>Five</b>",
            "%(n)s day",
        ]


def faults(catalogue) -> list[str]:
    """Return what is wrong with the translations of a catalogue, each with its text."""
    found = []
    for each in catalogue:
        if not each.id:
            continue
        originals = each.id if isinstance(each.id, tuple) else (each.id,)
        texts = each.string if isinstance(each.string, tuple) else (each.string,)
        if not texts or not all(texts):
            found.append(f"{originals[0]}: no translation")
        elif each.fuzzy:
            found.append(f"{originals[0]}: fuzzy")
        elif any(parts(text) not in [parts(original) for original in originals] for text in texts):
            found.append(f"{originals[0]}: other placeholders or elements")
    return found


def parts(text: str) -> list[str]:
    """Return what a translation must keep: placeholders of both kinds, and elements with their addresses."""
    fields = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None] if "%(" not in text else []
    return sorted([*re.findall(r"%\(\w+\)s", text), *fields, *re.findall(r"<[^>]+>", text)])


def stored_names() -> set[str]:
    """Return what comes from the database as it is."""
    found = {"Aldermark", "Simulated", "London", "elo_logit", "system", "ECE"}
    for team in Team.objects.all():
        found |= {team.name, team.display_name, team.display_code, team.full_name}
    for model in (Competition, Region, Stage):
        found |= set(model.objects.values_list("name", flat=True))
    found |= set(Season.objects.values_list("label", flat=True))
    for each in Contradiction.objects.all():
        found |= {each.source, each.standing_source, str(each.reported)}
    return found


class TestPages:
    def test_every_text_of_every_page_in_every_state_can_be_translated(self, db, client, marked):
        states = every_state(Builder(timezone.now().replace(microsecond=0)))
        known = stored_names() | set(open_values())
        missed = {}
        for path in states.pages:
            response = client.get(path, headers=GERMAN)
            assert response.status_code in (200, 404), path
            assert 'lang="de"' in response.text
            if found := missed_texts.in_html(response.text, known):
                missed[path] = found
        assert {path: list(dict.fromkeys(found))[:30] for path, found in missed.items()} == {}

    def test_the_look_at_pages_finds_a_text(self):
        assert missed_texts.in_html("<p>⟦Round 7:⟧ late</p>") == ["<p>: late"]
        assert missed_texts.in_html('<p aria-label="late">⟦One <b>two</b>⟧</p>') == ["aria-label of <p>: late"]
        assert missed_texts.in_html("<p lang='en'>late</p>Vale", ["Vale"]) == []


def open_values() -> list[str]:
    """Return values that a page shows as they are: parts of addresses and what was searched for."""
    return [
        "nobody",
        "w · spai",
        "Round of the last sixteen",
        *zone_names(),
        *(name.split("/")[0] for name in zone_names()),
    ]


def language_of(response) -> str:
    """Return the language of a page, which the element and the header name alike."""
    found = re.search(r'<html\s+lang="(\w+)"', response.text)[1]
    assert response["Content-Language"] == found
    return found


class TestChoice:
    @pytest.mark.parametrize(
        ("accepted", "cookie", "expected"),
        [
            ("", "", "en"),
            ("fr,it;q=0.5", "", "en"),
            ("de-AT,de;q=0.9,en;q=0.5", "", "de"),
            ("en-GB,en;q=0.9,de;q=0.8", "", "en"),
            ("de", "en", "en"),
            ("en", "de", "de"),
            ("de", "xx", "de"),
            ("de;q=nothing, \x00", "../de", "en"),
        ],
    )
    @pytest.mark.parametrize("path", ["/", "/about/", "/nothing/"])
    def test_the_reader_decides_then_the_browser_then_it_is_english(
        self, client, build, path, accepted, cookie, expected
    ):
        if cookie:
            client.cookies["language"] = cookie
        response = client.get(path, headers={"Accept-Language": accepted} if accepted else {})
        assert language_of(response) == expected
        assert {"Accept-Language", "Cookie"} <= {each.strip() for each in response["Vary"].split(",")}

    def test_the_menu_chooses_it_and_leads_back(self, client, build):
        page = client.get("/competitions/").text
        assert 'action="/language/"' in page
        assert re.search(r'value="de" lang="de">Deutsch<', page)
        response = client.get("/language/?language=de&next=/competitions/")
        assert response["Location"] == "/competitions/"
        assert client.cookies["language"].value == "de"
        assert 'value="de" lang="de" aria-pressed="true"' in client.get("/competitions/").text
        assert client.get("/language/?language=xx&next=//evil.example/")["Location"] == "/"
        assert client.cookies["language"].value == ""

    def test_the_next_request_of_a_thread_begins_anew(self, client, build):
        client.get("/about/", headers=GERMAN)
        assert translation.get_language() == "en"
        assert language_of(client.get("/about/")) == "en"

    def test_the_api_is_english_for_everybody(self, client, build):
        match = build.match()
        for path in (f"/api/v1/matches/{match.pk}/", "/api/v1/matches/0/", "/api/v1/nothing/", "/api/docs/"):
            plain, german = client.get(path), client.get(path, headers=GERMAN)
            assert german.content.replace(german["X-Request-ID"].encode(), b"") == plain.content.replace(
                plain["X-Request-ID"].encode(), b""
            )
            assert "Accept-Language" not in german.get("Vary", "")


class TestNoReaderGetsAnotherLanguage:
    def filled(self, build, champion):
        build.round(build.season(), finished=5, coming=4, version=champion)
        build.record(champion)

    @pytest.mark.parametrize(
        ("path", "english", "german"),
        [
            ("/", "We gave this", "Dafür gaben wir"),
            ("/track-record/", "Every graded match", "Jedes bewertete Spiel"),
            ("/ratings/", "Beats an average club", "Schlägt einen Durchschnitts\u00adklub"),
            ("/competitions/aldermark-crown-league/", "Last five", "Letzte fünf"),
        ],
    )
    def test_parts_and_rows_that_a_process_keeps_are_kept_for_each(
        self, client, build, champion, path, english, german
    ):
        self.filled(build, champion)
        PARTS.clear()
        for _ in range(2):
            plain, other = client.get(path).text, client.get(path, headers=GERMAN).text
            assert english in plain
            assert german not in plain
            assert german in other
            assert english not in other

    def test_the_etag_of_one_language_is_not_that_of_another(self, client, build, champion):
        self.filled(build, champion)
        plain = client.get("/", headers={"HX-Request": "true"})
        same = client.get("/", headers={"HX-Request": "true", "If-None-Match": plain["ETag"]})
        other = client.get("/", headers={"HX-Request": "true", "If-None-Match": plain["ETag"], **GERMAN})
        assert (same.status_code, other.status_code) == (304, 200)
        assert other["ETag"] != plain["ETag"]

    def test_what_caches_keep_has_its_language_in_the_address(self, client, build, champion):
        self.filled(build, champion)
        match = build.match()
        paths = ("/feed/", "/teams/northgate/calendar.ics", f"/embed/match/{match.pk}/", "/manifest.webmanifest")
        words = ("Chancen der nächsten Spiele", "Noch keine Prognose", "Noch keine Prognose", "Fußballprognosen")
        for path, word in zip(paths, words, strict=True):
            client.cookies["language"] = "de"
            plain, german = client.get(path, headers=GERMAN), client.get(f"{path}?lang=de")
            assert "public" in plain["Cache-Control"]
            assert not {"Cookie", "Accept-Language"} & {each.strip() for each in plain["Vary"].split(",")}, path
            assert word not in unfolded(plain)
            assert word in unfolded(german)
            assert (plain["Content-Language"], german["Content-Language"]) == ("en", "de")

    def test_a_german_page_leads_to_them_in_german(self, client, build, champion):
        match = build.match()
        page = client.get(f"/matches/{match.pk}/", headers=GERMAN).text
        assert re.search(r'property="og:image" content="[^"]+&amp;lang=de"', page)
        assert re.search(
            r"/embed/match/\d+/\?zone=UTC&amp;amp;lang=de&quot;|/embed/match/\d+/\?zone=UTC&amp;amp;lang=de\"", page
        )
        assert 'href="/feed/?lang=de"' in page
        assert '<meta property="og:locale" content="de">' in page
        page = client.get("/teams/northgate/", headers=GERMAN).text
        assert 'href="/teams/northgate/calendar.ics?lang=de"' in page
        assert "lang=de" not in client.get("/teams/northgate/").text.replace('lang="de"', "")

    def test_an_error_of_an_address_that_names_its_language_is_in_it(self, client, build):
        assert "Dieses Spiel gibt es nicht." in client.get("/embed/match/0/?lang=de").text
        assert "There is no such match." in client.get("/embed/match/0/", headers=GERMAN).text


def unfolded(response) -> str:
    """Return the text of a response, without the line breaks of a calendar."""
    if "json" in response["Content-Type"]:
        return json.dumps(response.json(), ensure_ascii=False)
    return response.text.replace("\r\n ", "")


class TestNumbersAndDates:
    def test_each_language_has_its_forms(self):
        with translation.override("en"):
            assert [written.percent(0.553), written.percent(0.042), written.thousands(12345)] == [
                "55%",
                "4.2%",
                "12,345",
            ]
            assert [written.ordinal(place) for place in (1, 2, 3, 4, 11, 12, 13, 21, 102)] == (
                ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd"]
            )
            assert [written.signed(1.25, 1), written.signed(-0.5, 1), written.signed(0.0, 1)] == ["+1.2", "−0.5", "0.0"]
        with translation.override("de"):
            assert [written.percent(0.553), written.percent(0.042)] == ["55\u202f%", "4,2\u202f%"]
            assert [written.thousands(12345), written.decimal(-1.5, 2)] == ["12.345", "−1,50"]
            assert [written.ordinal(place) for place in (1, 2, 3, 11)] == ["1.", "2.", "3.", "11."]
            assert written.signed(1.25, 1) == "+1,2"

    def test_days_are_written_as_the_language_does(self):
        day = date(2026, 11, 3)
        shapes = ("l j F Y", "D j M", "j M Y", "M Y")
        with translation.override("en"):
            assert [written.day(day, each) for each in shapes] == [
                "Tuesday 3 November 2026",
                "Tue 3 Nov",
                "3 Nov 2026",
                "Nov 2026",
            ]
        with translation.override("de"):
            assert [written.day(day, each) for each in shapes] == [
                "Dienstag, 3. November 2026",
                "Di 03.11.",
                "03.11.2026",
                "Nov 2026",
            ]

    def test_numbers_of_drawings_stay_as_svg_reads_them(self, client, build, champion):
        build.round(build.season(), finished=5, coming=4, version=champion)
        build.record(champion)
        match = build.match()
        build.prediction(match, champion, (0.455, 0.27, 0.275))
        for path in (
            "/",
            "/track-record/",
            "/ratings/",
            f"/matches/{match.pk}/",
            "/competitions/aldermark-crown-league/",
        ):
            drawn = re.findall(
                r'\s(?:x|y|x1|x2|y1|y2|cx|cy|r|dx|dy|width|height|d|points)="([^"]*)"',
                client.get(path, headers=GERMAN).text,
            )
            assert drawn
            assert [each for each in drawn if "," in each or "\u202f" in each] == []
