"""Plan files: what they hold, which are refused, and which one of a cache fits."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends import plan_file
from engine.model.backends.plan_file import (
    LIBRARY,
    Plan,
    PlanKey,
    file_sha256,
    find_plan,
    plan_content,
    read_card,
    read_header,
    read_plan,
)
from engine.model.file import read_checked_card
from tests.engine.model.probe_model import write_probe

VERSION = "1.7.1.116"
ENGINE = b"the library's own bytes" * 1000


def write_plan(path: Path, model: Path, engine: bytes = ENGINE, **key: Any) -> Path:
    values = {
        "model_sha256": file_sha256(model),
        "library": LIBRARY,
        "library_version": VERSION,
        "gpus": ("sm86", "sm89"),
        "precision": "float32",
        **key,
    }
    plan = Plan(card=read_checked_card(model), key=PlanKey(**values), model_file=model.name, engine=engine)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plan_content(plan))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_probe(tmp_path / "probe.onnx")


def test_a_plan_tells_what_it_is(model: Path, tmp_path: Path) -> None:
    path = write_plan(tmp_path / "a.plan", model)
    assert read_card(path) == read_checked_card(model)
    assert read_plan(path).engine == ENGINE
    assert read_header(path) == Plan(**{**_fields(read_plan(path)), "engine": b""})
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("plan.json"))["key"]["gpus"] == ["sm86", "sm89"]
    assert write_plan(tmp_path / "b.plan", model).read_bytes() == path.read_bytes()


def _fields(plan: Plan) -> dict[str, Any]:
    return {"card": plan.card, "key": plan.key, "model_file": plan.model_file}


def bad_plan(kind: str, path: Path, model: Path) -> Path:
    content = write_plan(path, model).read_bytes()
    place = content.index(ENGINE)
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "an onnx file":
        path.write_bytes(model.read_bytes())
    elif kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "one byte changed":
        path.write_bytes(content[:place] + b"T" + content[place + 1 :])
    elif kind == "another engine":
        rewrite(path, {"engine.plan": b"another"})
    elif kind == "another format":
        rewrite(path, {"plan.json": json.dumps({"format": "fluid plan 0"}).encode()})
    elif kind == "not JSON":
        rewrite(path, {"plan.json": b"{broken"})
    elif kind == "without key":
        rewrite(path, {"plan.json": json.dumps({**header(path), "key": None}).encode()})
    elif kind == "gpus a number":
        values = header(path)
        rewrite(path, {"plan.json": json.dumps({**values, "key": {**values["key"], "gpus": 86}}).encode()})
    elif kind == "another entry":
        rewrite(path, {"more": b""})
    elif kind == "compressed":
        rewrite(path, {}, zipfile.ZIP_DEFLATED)
    return path


def header(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("plan.json"))


def rewrite(path: Path, changes: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in (entries | changes).items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "no plan"),
        ("empty", "damaged or no plan"),
        ("an onnx file", "damaged or no plan"),
        ("truncated", "damaged or no plan"),
        ("one byte changed", "damaged or no plan"),
        ("another engine", "another checksum"),
        ("another format", "another version of Fluid"),
        ("not JSON", "damaged or no plan"),
        ("without key", "faulty description"),
        ("gpus a number", "faulty description"),
        ("another entry", "damaged or no plan"),
        ("compressed", "damaged or no plan"),
    ],
)
def test_a_bad_plan_is_refused_in_one_sentence(kind: str, says: str, tmp_path: Path, model: Path) -> None:
    path = bad_plan(kind, tmp_path / "bad.plan", model)
    with pytest.raises(ModelFileError, match=says) as caught:
        read_plan(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plan_with_a_card_of_version_2_is_read(tmp_path: Path, model: Path) -> None:
    path = write_plan(tmp_path / "before.plan", model)
    values, plan = header(path), read_plan(path)
    card = values["card"]
    del card["pictures"], card["outputs"]
    card |= {"format_version": 2, "rooms": card.pop("batch")}
    rewrite(path, {"plan.json": json.dumps({**values, "format": "fluid plan 1, model card 2"}).encode()})
    assert read_plan(path) == plan


def test_an_onnx_file_is_played_by_the_newest_cached_plan_that_fits(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "plans"
    assert find_plan(model, LIBRARY, VERSION, "sm89", folder) is None
    for age, (name, key) in enumerate(
        {
            "right": {},
            "older": {"gpus": ("sm89",)},
            "card": {"gpus": ("sm120",)},
            "model": {"model_sha256": "0" * 64},
            "library": {"library_version": "0"},
        }.items()
    ):
        path = write_plan(folder / f"{name}.plan", model, **key)
        os.utime(path, (1e9 - age, 1e9 - age))
    (folder / "damaged.plan").write_bytes(b"no plan")
    assert find_plan(model, LIBRARY, VERSION, "sm89", folder) == folder / "right.plan"
    assert find_plan(model, LIBRARY, VERSION, "sm120", folder) == folder / "card.plan"
    assert find_plan(model, LIBRARY, VERSION, "sm75", folder) is None


def test_the_library_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, LIBRARY, None)
    with pytest.raises(BackendError, match=r'pip install -e "\.\[rtx\]"'):
        plan_file.load_library("Building plans")
