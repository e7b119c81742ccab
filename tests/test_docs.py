"""Documents name nothing that is not there: paths, links, make targets, commands, pages of the admin."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    # The change log and decisions are about the day on which they were written.
    if path.name != "CHANGELOG.md" and path.parent.name != "decisions"
)
GUIDES = [name for name in DOCUMENTS if name.startswith("docs/how-to/")]
TOP = "apps|spai|tests|benchmarks|docs|templates|requirements|helm|clients"
PATH = re.compile(rf"(?:{TOP})/[\w./*-]*|(?:[A-Z]+\.md|pyproject\.toml|dvc\.yaml|Makefile|\.env\.example|manage\.py)")
BUILT_IN = {"stack", "help"}
"""Commands of manage.py that Django does not list."""
OF_DJANGO = {"AddField", "AlterField", "RenameField", "RenameModel"}
OF_DJANGO |= {"AddIndexConcurrently", "AddConstraintNotValid", "ValidateConstraint"}
"""Classes of Django that documents name."""

KINDS = {".py", ".yaml"}
"""Files that give names to classes and alerts."""

each_document = pytest.mark.parametrize("name", DOCUMENTS)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def without_blocks(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)


def made_by(text: str) -> set[str]:
    """Files that a guide creates, and the names that it gives to files of its example."""
    return set(re.findall(r"[Cc]reate `([^`]+)`", text)) | set(re.findall(r"^and `([^`]+)`:", text, flags=re.M))


def paths_of(name: str) -> list[str]:
    text = text_of(name)
    spans = re.findall(r"`([^`\n]+)`", without_blocks(text))
    found = {span.partition("::")[0].rstrip("/") for span in spans if PATH.fullmatch(span.partition("::")[0])}
    return sorted(found - made_by(text))


@each_document
def test_every_path_in_a_document_exists(name):
    missing = [path for path in paths_of(name) if not list(ROOT.glob(path))]
    assert missing == []


@each_document
def test_every_relative_link_leads_somewhere(name):
    links = re.findall(r"\]\(([^)\s]+)\)", without_blocks(text_of(name)))
    here = (ROOT / name).parent
    missing = [link for link in links if "://" not in link and not (here / link.partition("#")[0]).exists()]
    assert missing == []


@each_document
def test_every_make_target_exists(name):
    targets = set(re.findall(r"^([a-z0-9-]+):", text_of("Makefile"), flags=re.M))
    asked = set(re.findall(r"(?:^|`|&& )(?:\w+=\S+ )?make ([a-z0-9-]+)", text_of(name), flags=re.M))
    assert asked - targets == set()


@each_document
def test_every_command_exists(name):
    asked = set(re.findall(r"manage\.py ([a-z_]+)", text_of(name)))
    assert asked - set(get_commands()) - BUILT_IN == set()


@each_document
def test_every_module_that_is_run_exists(name):
    modules = re.findall(r"python -m ((?:apps|spai|benchmarks)\.[\w.]+)", text_of(name))
    places = [ROOT / module.replace(".", "/") for module in modules if not module.endswith("NAME")]
    made = made_by(text_of(name))
    missing = [
        place.name
        for place in places
        if not place.with_suffix(".py").exists()
        and not (place / "__main__.py").exists()
        and f"{place.relative_to(ROOT)}.py" not in made
    ]
    assert missing == []


def names_in(module: str) -> set[str]:
    """Names that can be imported from a module of the project."""
    place = ROOT / module.replace(".", "/")
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    names = {path.stem for path in place.glob("*.py")} if place.is_dir() else set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("name", GUIDES)
def test_the_python_of_a_guide_imports_only_what_is_there(name):
    text = text_of(name)
    made = made_by(text)
    for module, names in re.findall(r"^ *from ((?:apps|spai|tests)[\w.]*) import (\([^)]*\)|.+)$", text, flags=re.M):
        if f"{module.replace('.', '/')}.py" in made:
            continue
        wanted = set(re.findall(r"\w+", re.sub(r"\bas \w+", "", names)))
        # What the guide itself adds to the module is in its text.
        marks = ("import {}", "class {}(", "def {}(", '"{}"', "`{}`")
        added = {each for each in wanted if any(mark.format(each) in text for mark in marks)}
        assert wanted - names_in(module) - added == set(), module


def test_every_decision_has_a_date_and_a_status_and_a_number_of_its_own():
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert len(records) > 30
    for record in records:
        title, status, blank = record.read_text(encoding="utf-8").split("\n", 3)[:3]
        assert title.startswith(f"# {record.name[:4]} "), record.name
        assert re.match(r"\*(Accepted|Replaced|Withdrawn) \d{4}-\d{2}-\d{2}", status), record.name
        assert blank == "", record.name
    assert len({record.name[:4] for record in records}) == len(records)


def test_every_class_that_a_document_names_exists():
    """Names such as `FeatureState`: each stands somewhere in the code."""
    named = {
        word
        for name in DOCUMENTS
        for word in re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", without_blocks(text_of(name)))
    }
    code = [path for folder in ("apps", "spai", "tests") for path in (ROOT / folder).rglob("*") if path.suffix in KINDS]
    known = {word for path in code for word in re.findall(r"\b[A-Z][A-Za-z]+\b", path.read_text(encoding="utf-8"))}
    guides = " ".join(text_of(name) for name in GUIDES)
    missing = {word for word in named - known if f"class {word}" not in guides}
    assert missing - OF_DJANGO == set()
