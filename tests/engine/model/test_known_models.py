"""Which models need no first test."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from engine.app.config import DEFAULT_MODEL
from engine.model import known_models

SHA256 = "0" * 64


def test_the_shipped_files_are_known_by_their_checksums() -> None:
    files = Path(DEFAULT_MODEL).parent.glob("*.onnx")
    assert {sha256(path.read_bytes()).hexdigest() for path in files} == known_models.SHIPPED


def test_what_was_made_here_is_known_everywhere_and_what_passed_is_known_where_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not known_models.is_known(SHA256, "onnx-cpu 1")
    known_models.note_passed(SHA256, "onnx-cpu 1")
    assert known_models.is_known(SHA256, "onnx-cpu 1")
    assert not known_models.is_known(SHA256, "onnx-cpu 1.2")
    assert not known_models.is_ours(SHA256)
    known_models.note_made_here(SHA256)
    assert known_models.is_known(SHA256, "openvino 2")
    assert known_models.is_ours(SHA256)


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    known_models.note_made_here(SHA256)
    assert not known_models.is_ours(SHA256)
    with pytest.raises(OSError, match=r"Not a directory|exists"):
        known_models.note_passed(SHA256, "onnx-cpu 1")
