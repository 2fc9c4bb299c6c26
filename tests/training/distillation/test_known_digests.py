"""Checksums are computed once for a file, and again whenever it may be another one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from training.data.sources import file_digest
from training.distillation.known_digests import RECORD, KnownDigests

LATER_S = 60.0


class Counted:
    """Computes checksums, and remembers of what."""

    def __init__(self) -> None:
        self.read = list[str]()

    def __call__(self, path: Path) -> str:
        self.read.append(path.name)
        return file_digest(path)


def known(folder: Path, counted: Counted, after_s: float = LATER_S) -> KnownDigests:
    return KnownDigests(folder, counted, lambda: time.time() + after_s)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"one")
    return path


def test_a_file_is_read_once(tmp_path: Path, weights: Path) -> None:
    counted = Counted()
    assert [known(tmp_path / "cache", counted).of(weights) for _ in range(3)] == [file_digest(weights)] * 3
    assert counted.read == ["weights.bin"]


def test_another_content_of_the_same_size_and_time_is_noticed(tmp_path: Path, weights: Path) -> None:
    counted, status = Counted(), weights.stat()
    before = known(tmp_path / "cache", counted).of(weights)
    weights.write_bytes(b"two")
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert weights.stat().st_mtime_ns == status.st_mtime_ns
    assert known(tmp_path / "cache", counted).of(weights) == file_digest(weights) != before


def test_a_file_at_another_place_is_another_file(tmp_path: Path, weights: Path) -> None:
    counted, status = Counted(), weights.stat()
    known(tmp_path / "cache", counted).of(weights)
    other = tmp_path / "other.bin"
    other.write_bytes(b"two")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert known(tmp_path / "cache", counted).of(other) == file_digest(other)
    # Moved here with its old times.
    other.replace(weights)
    assert known(tmp_path / "cache", counted).of(weights) == file_digest(weights)
    assert counted.read == ["weights.bin", "other.bin", "weights.bin"]


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path, weights: Path) -> None:
    counted = Counted()
    for _ in range(2):
        known(tmp_path / "cache", counted, after_s=0.0).of(weights)
    assert len(counted.read) == 2


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "nonsense"])
def test_a_damaged_record_is_computed_again(tmp_path: Path, weights: Path, content: str) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / RECORD).write_text(content)
    assert known(tmp_path / "cache", Counted()).of(weights) == file_digest(weights)


def test_a_folder_that_cannot_be_written_costs_the_time_alone(tmp_path: Path, weights: Path) -> None:
    assert known(weights / "cache", Counted()).of(weights) == file_digest(weights)
