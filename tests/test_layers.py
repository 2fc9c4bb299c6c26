"""Who may import whom: allow-lists by folder, no cycle between folders, and the sizes that keep a folder readable."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "training", "export")
MOST_ROOT_FILES = {"engine": 4, "training": 15}
CONSTRUCTOR_ARGUMENTS_BELOW = 7
# Why each of these may have more arguments.
LONG_CONSTRUCTORS = {
    "Inputs": "the variables of expressions; built without arguments and filled again for each frame",
    "ModelSwitcher": "what a model needs to be loaded during a show: two callables, a clock, and the facts of the show",
}

ENGINE = ("core", "media", "model", "audio", "control", "output", "render", "takes", "ops", "web", "app")
"""Folders of the engine, low to high: each may import those before it."""


def _all_before(layers: tuple[str, ...], package: str) -> dict[str, set[str]]:
    return {f"{package}/{layer}": {f"{package}/{low}" for low in layers[:index]} for index, layer in enumerate(layers)}


CARD_AND_ERRORS = {"engine/core", "engine/model"}
MEDIA = CARD_AND_ERRORS | {"engine/media"}
TRAINING_CORE = MEDIA | {"training/core", "training/data"}
PROTOCOL = TRAINING_CORE | {"training/losses", "training/families"}
LOOP = PROTOCOL | {"training/loop"}
LOGGING = LOOP | {"training/logging"}
ENTRY_POINTS = LOGGING | {
    "training/evaluation",
    "training/autopilot",
    "training/sweeps",
    "training/diffusion",
    "training/distillation",
}
VERIFICATION = TRAINING_CORE | {"training/loop", "training/families", "export/verification"}

ALLOWED: Mapping[str, set[str]] = {
    **_all_before(ENGINE, "engine"),
    "engine": set(),
    "training/core": CARD_AND_ERRORS,
    "training/data": MEDIA | {"training/core"},
    "training/losses": TRAINING_CORE,
    # Offline families write their frames into the sinks of the engine.
    "training/families": TRAINING_CORE | {"engine/output"},
    "training/families/*": LOOP,
    "training/diffusion": TRAINING_CORE,
    "training/distillation": LOOP | {"training/diffusion"},
    "training/loop": PROTOCOL,
    "training/logging": LOOP,
    "training/evaluation": LOGGING,
    "training/autopilot": LOGGING,
    "training/sweeps": LOGGING,
    "training": ENTRY_POINTS,
    "export/verification": VERIFICATION - {"export/verification"},
    "export/precision": VERIFICATION,
    "export/targets": VERIFICATION | {"export/precision"},
    "export": VERIFICATION | {"export/precision", "export/targets"},
}
"""The folders that a folder, with the folders inside it, may import. A package's own name stands for the files at its root."""

Import = tuple[Path, str]
"""A file, relative to the root, and a module that it imports."""


def files(*packages: str) -> list[Path]:
    return [path.relative_to(ROOT) for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def modules() -> dict[str, Path]:
    """Return the file of every module of this project."""
    found = {}
    for path in files(*PACKAGES):
        parts = path.parts[:-1] if path.name == "__init__.py" else path.with_suffix("").parts
        found[".".join(parts)] = path
    return found


def imports(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of this project that a file imports: also inside functions and for the type checker alone."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; write the whole name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.append(whole if whole in known else str(node.module))
        # A package itself (`import training`) is not one of its folders.
        yield from (name for name in names if name in known and "." in name)


def folder(path: Path) -> str:
    """Return the folder of ALLOWED that a file belongs to."""
    parent = path.parent.as_posix()
    if parent.startswith("training/families/"):
        return "/".join(path.parts[:3])
    return "/".join(path.parent.parts[:2])


def allowed(name: str) -> set[str]:
    one_family = name.startswith("training/families/")
    assert one_family or name in ALLOWED, f"the folder {name} has no entry in ALLOWED"
    return {*ALLOWED["training/families/*" if one_family else name], name}


def wrong_imports() -> list[str]:
    known = modules()
    return [
        f"{path} imports {module}; {folder(path)} may import {', '.join(sorted(allowed(folder(path))))}"
        for path in known.values()
        for module in imports(path, known)
        if folder(known[module]) not in allowed(folder(path))
    ]


def unit(path: Path) -> str:
    """Return a file's own folder. A family's folder, with what lies in it, and the files at a package's root are each one unit."""
    return folder(path) if path.as_posix().startswith("training/families/") else path.parent.as_posix()


def cycles(edges: Mapping[str, set[str]]) -> list[str]:
    """Return each edge a -> b from whose end the start can be reached."""

    def reached(start: str) -> set[str]:
        seen, waiting = set(), [start]
        while waiting:
            for following in edges.get(waiting.pop(), set()) - seen:
                seen.add(following)
                waiting.append(following)
        return seen

    return [f"{a} -> {b}" for a in sorted(edges) for b in sorted(edges[a]) if a in reached(b)]


def test_folders_import_only_what_their_layer_allows() -> None:
    assert "\n".join(wrong_imports()) == ""


def test_no_cycle_between_folders() -> None:
    known, edges = modules(), defaultdict(set)
    for path in known.values():
        for module in imports(path, known):
            if unit(path) != unit(known[module]):
                edges[unit(path)].add(unit(known[module]))
    assert cycles(edges) == []


def test_a_cycle_is_found() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a -> b", "b -> c", "c -> a"]


def test_nothing_outside_a_family_names_it() -> None:
    families = [path.parent for path in (ROOT / "training" / "families").glob("*/__init__.py")]
    assert families
    naming = [
        f"{path} names {family.name}"
        for family in families
        for path in map(ROOT.joinpath, files(*PACKAGES))
        if not path.is_relative_to(family)
        for line in path.read_text().splitlines()
        # The family of configurations and checkpoints that name none. A word that only begins alike, such as modality, names none.
        if re.search(rf"(?<![a-z]){family.name}(?![a-z])", line) and not line.startswith("DEFAULT_FAMILY = ")
    ]
    assert naming == []


def test_few_files_at_the_roots() -> None:
    for package, most in MOST_ROOT_FILES.items():
        here = sorted(path.name for path in (ROOT / package).glob("*.py") if path.name != "__init__.py")
        assert len(here) <= most, here


def arguments(node: ast.ClassDef) -> int:
    """Return how many arguments besides self a class's constructor takes; 0 for frozen values and inherited constructors."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            given = method.args
            return len([*given.posonlyargs, *given.args, *given.kwonlyargs]) - 1
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    if not any(text.startswith("dataclass") and "frozen=True" not in text for text in decorators):
        return 0
    fields = [ast.unparse(line) for line in node.body if isinstance(line, ast.AnnAssign)]
    return len([text for text in fields if "ClassVar" not in text and "init=False" not in text])


def test_constructors_take_few_arguments() -> None:
    long = {
        node.name: f"{path}:{node.lineno} {node.name} takes {arguments(node)}"
        for path in files(*PACKAGES)
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.ClassDef) and arguments(node) >= CONSTRUCTOR_ARGUMENTS_BELOW
    }
    assert [text for name, text in long.items() if name not in LONG_CONSTRUCTORS] == []
    assert set(LONG_CONSTRUCTORS) <= set(long), "an exception that nobody needs any more"


def test_libraries_stay_where_they_belong() -> None:
    """The engine knows no torch, training knows no export (pyproject.toml, [tool.importlinter])."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--config", str(ROOT / "pyproject.toml")]
    there = {**os.environ, "PYTHONPATH": str(ROOT)}
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=there)
    assert checked.returncode == 0, checked.stdout
