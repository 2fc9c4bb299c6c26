"""What the pages name exists: files, classes and functions, and the targets of links."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMED = [ROOT / "docs" / name for name in ("walkthrough.md", "glossary.md", "design.md")]
A_FILE = re.compile(r"`((?:engine|training|export|tests|benchmarks)/[\w/]+\.py)`")
A_NAME_IN_A_FILE = re.compile(r"`((?:engine|training|export)/[\w/]+\.py)`: `([\w.]+)`")
A_CLASS_IN_A_FILE = re.compile(r"`([A-Z]\w+)`(?: and `[A-Z]\w+`)? (?:is )?in `((?:engine|training|export)/[\w/]+\.py)`")
A_METHOD = re.compile(r"`([A-Z]\w+\.\w+)`")
A_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def defined(path: Path) -> set[str]:
    """Return functions and classes of a file, and `Class.method`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            found |= {
                node.name,
                *(f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)),
            }
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found


@pytest.mark.parametrize("page", NAMED, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    names = A_FILE.findall(page.read_text())
    assert names
    assert [name for name in names if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", NAMED[:2], ids=lambda page: page.name)
def test_every_class_and_function_that_a_page_names_is_defined_there(page: Path) -> None:
    text = page.read_text()
    pairs = [*A_NAME_IN_A_FILE.findall(text), *((file, name) for name, file in A_CLASS_IN_A_FILE.findall(text))]
    assert len(pairs) > 10
    assert [f"{file}: {name}" for file, name in pairs if name not in defined(ROOT / file)] == []


def test_every_method_that_the_walkthrough_names_is_defined() -> None:
    named = set(A_METHOD.findall((ROOT / "docs" / "walkthrough.md").read_text()))
    files = [path for folder in ("engine", "training", "export") for path in (ROOT / folder).rglob("*.py")]
    assert len(named) > 10
    assert named - set[str]().union(*map(defined, files)) == set()


def test_every_word_of_the_glossary_stands_once() -> None:
    words = re.findall(r"^- \*\*(.+?)\*\*", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    each = [word for entry in words for word in entry.split(", ")]
    assert each
    assert sorted(each) == sorted(set(each))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = A_LINK.findall(page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
