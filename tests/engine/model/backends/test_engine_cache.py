"""Compiled engines are found again under the same facts and under no others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.model.backends import openvino
from engine.model.backends.engine_cache import MOST_FOLDERS, engine_folder
from tests.conftest import require
from tests.engine.model.backends import backend_contract as contract

FACTS = {"graph_sha256": "a", "library": "1", "card": "x", "driver": "2", "precision": "float32"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_the_same_facts_lead_to_the_same_folder_and_others_elsewhere() -> None:
    folder = engine_folder("some", FACTS)
    assert folder is not None
    assert folder.is_dir()
    assert engine_folder("some", dict(reversed(FACTS.items()))) == folder
    others = [engine_folder("some", {**FACTS, name: "other"}) for name in FACTS] + [engine_folder("else", FACTS)]
    assert folder not in others
    assert len(set(others)) == len(others)


def test_only_those_used_last_are_kept() -> None:
    folders = [engine_folder("some", {"number": str(number)}) for number in range(MOST_FOLDERS)]
    for age, folder in enumerate(reversed(folders)):
        assert folder
        os.utime(folder / "facts.json", (1e9 - age, 1e9 - age))
    assert engine_folder("some", {"number": "0"}) == folders[0]
    newest = engine_folder("some", {"number": "new"})
    assert [folder for folder in folders if folder and not folder.exists()] == [folders[1]]
    assert newest
    assert newest.exists()


def test_where_nothing_can_be_written_there_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert engine_folder("some", FACTS) is None


@pytest.mark.parametrize("spoilt", [b"", b"half"])
def test_a_spoilt_engine_of_openvino_is_made_again(spoilt: bytes, cache: Path, probe_file: Path) -> None:
    require(openvino.obstacle() is None, str(openvino.obstacle()))
    fresh = openvino.open_model(probe_file, 1)
    sounds = contract.windows(fresh.card, 3)
    expected = contract.play(fresh, sounds)[0]
    (blob,) = cache.rglob("*.blob")
    whole = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(whole[: len(whole) // 2] if spoilt else b"")
    backend = openvino.open_model(probe_file, 1)
    for ours, theirs in zip(contract.play(backend, sounds)[0], expected, strict=True):
        contract.assert_equal(ours, theirs)
    assert blob.stat().st_size > len(whole) // 2
