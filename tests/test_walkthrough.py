"""What the pages name exists: files, classes and functions, and the targets of links."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
NAMED = [ROOT / "docs" / name for name in ("walkthrough.md", "glossary.md", "design.md")]
A_FILE = re.compile(r"`((?:engine|training|export|tests|benchmarks)/[\w/]+\.py)`")
A_NAME_IN_A_FILE = re.compile(r"`((?:engine|training|export)/[\w/]+\.py)`: `([\w.]+)`")
A_CLASS_IN_A_FILE = re.compile(r"`([A-Z]\w+)`(?: and `[A-Z]\w+`)? (?:is )?in `((?:engine|training|export)/[\w/]+\.py)`")
A_METHOD = re.compile(r"`([A-Z]\w+\.\w+)`")
A_FUNCTION_OR_CLASS = re.compile(r"`([A-Za-z_]\w*(?:\.[a-z_]\w*)?)`")
A_PATH = re.compile(r"`((?:engine|training|export|tests|benchmarks|configs|docs)/[\w./-]*)`")
A_COMMAND = re.compile(r"python -m ((?:engine|training|export|benchmarks)[\w.]*\w)")
A_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")


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


def test_every_line_of_the_walkthrough_names_functions_of_its_own_files() -> None:
    everywhere = set[str]().union(
        *(defined(path) for folder in ("engine", "training", "export") for path in (ROOT / folder).rglob("*.py"))
    )
    wrong = []
    for line in (ROOT / "docs" / "walkthrough.md").read_text().splitlines():
        here = set[str]().union(*(defined(ROOT / name) for name in A_FILE.findall(line)))
        # A method says its class, so it may be called from another file.
        named = A_FUNCTION_OR_CLASS.findall(line)
        wrong += [name for name in named if name not in (everywhere if "." in name else here)]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_command_of_a_page_exists(page: Path) -> None:
    text = page.read_text()
    commands = [ROOT / name.replace(".", "/") for name in A_COMMAND.findall(text)]
    assert [name for name in A_PATH.findall(text) if not (ROOT / name).exists()] == []
    assert [str(path) for path in commands if not (path.with_suffix(".py").exists() or path.is_dir())] == []


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in A_LINK.findall(page.read_text()):
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target + anchor
