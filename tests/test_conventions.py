"""House rules that would rot if nobody checked them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from engine.app.command_line import build_parser, flag
from engine.app.config import SETTINGS
from engine.app.config_reading import settable
from engine.app.osc_reference import reference, shipped_cards
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc_addresses import address
from tests.engine.model.test_card import CARD

ROOT = Path(__file__).parent.parent
FOLDERS = ("engine", "training", "export", "benchmarks", "tests")
FILES = [ROOT / "run_live.py", *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))]
LONGEST_FILE, MEDIAN_FILE, LONGEST_FUNCTION = 400, 150, 60
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_files_are_short() -> None:
    assert [str(path) for path in FILES if lines(path) > LONGEST_FILE] == []
    assert sorted(map(lines, FILES))[len(FILES) // 2] <= MEDIAN_FILE


def test_functions_are_short() -> None:
    long = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
                length = node.end_lineno - node.lineno
                long += [f"{path.name}:{node.name} {length}"] if length > LONGEST_FUNCTION else []
    assert long == []


def test_modules_are_named_after_what_they_hold() -> None:
    assert [str(path) for path in FILES if path.stem in NAMES_THAT_SAY_NOTHING] == []


def test_extras_are_installed_from_the_checkout() -> None:
    """No wheel is published: a registry's package of this name is somebody else's."""
    by_name = re.compile(r"pip3? install[^#\n]*\bfluid\[")
    texts = [*FILES, *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "configs").rglob("*.yaml")]
    assert [str(path) for path in texts if by_name.search(path.read_text())] == []


def test_drawn_floats_are_not_subnormal() -> None:
    """The runtimes leave flush-to-zero on in this thread, and hypothesis then refuses to draw others (see conftest.py)."""
    drawing = [
        (f"{path}:{node.lineno}", {keyword.arg for keyword in node.keywords})
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "st.floats"
    ]
    assert drawing
    assert [place for place, keywords in drawing if "allow_subnormal" not in keywords] == []


PUBLIC_ALTHOUGH_UNDERSCORED = {
    # What named tuples offer.
    *("_replace", "_fields", "_asdict"),
    # A package of torch whose settings are documented.
    "_inductor",
}
MESSENGERS = {"getattr", "setattr", "delattr", "hasattr"}


def reached_for(tree: ast.AST) -> list[str]:
    """Return the private attributes that a test takes from others, and the `__class__` it exchanges."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            inherited = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"
            private = node.attr.startswith("_") and not node.attr.endswith("__")
            private = private and node.attr not in PUBLIC_ALTHOUGH_UNDERSCORED
            exchanged = node.attr == "__class__" and isinstance(node.ctx, ast.Store)
            found += [f"{node.lineno}: {ast.unparse(node)}"] if exchanged or (private and not own | inherited) else []
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in MESSENGERS:
            names = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
            found += [f"{node.lineno}: {name}" for name in names if re.match(r"(.*\.)?_[a-z]\w*$", str(name))]
    return found


def test_tests_reach_for_nothing_private() -> None:
    found = {
        str(path): reached_for(ast.parse(path.read_text())) for path in FILES if path.is_relative_to(ROOT / "tests")
    }
    assert {path: places for path, places in found.items() if places} == {}


@pytest.mark.parametrize(
    ("line", "places"),
    [
        ("show._clock.now_s()", 1),
        ("show.__class__ = Other", 1),
        ("monkeypatch.setattr(show, '_clock', None)", 1),
        ("monkeypatch.setattr('engine.render.play._wait', None)", 1),
        ("self._clock = super()._clock", 0),
        ("step._replace(next_state={})", 0),
        ("type(error).__name__", 0),
    ],
)
def test_private_attributes_are_found(line: str, places: int) -> None:
    assert len(reached_for(ast.parse(line))) == places


def test_the_views_of_the_parameters_agree() -> None:
    parameters = parameters_for(CARD)
    options = set(re.findall(r"--[a-z0-9-]+", build_parser(parameters, CARD.name).format_help()))
    page = reference([CARD])
    for parameter in parameters:
        assert f"`{address(parameter.name)}` | {parameter.expected()}" in page
        assert parameter.clip(parameter.default) == parameter.default
    for name in (*SETTINGS, *settable(parameters)):
        assert flag(name) in options


@pytest.mark.parametrize("card", shipped_cards(), ids=lambda card: card.name)
def test_shipped_models_say_where_they_come_from(card) -> None:
    assert card.provenance.licence.startswith("CC0")
    assert card.provenance.iterations > 0
    assert card.parity.steps >= 64
    assert card.parity.state_max <= 1e-4
    assert card.parity.frame_max <= (_edge_limit(card) if card.layers else 1e-4)


def _edge_limit(card) -> float:
    """Return how far an edge of a texture, black beside white, may be off where its place, from -1 to 1, is off by four steps of float32."""
    return 4.0 * float(np.finfo(np.float32).eps) * max(card.width, card.height) / 2.0


def test_shipped_models_are_small() -> None:
    for path in (ROOT / "engine" / "models").glob("*.onnx"):
        assert path.stat().st_size <= 8_000_000
