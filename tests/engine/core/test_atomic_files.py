"""Files and folders written atomically: complete or absent, whatever interrupts the writing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from engine.core.atomic_files import (
    append_bytes,
    atomic_file,
    atomic_folder,
    check_writable,
    sweep,
    write_bytes,
    write_text,
)
from tests.training.loop.limits import files_no_larger_than


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), atomic_file(tmp_path / "x"):
        tmp_path.write_text("fails")
    with pytest.raises(IsADirectoryError), atomic_folder(tmp_path / "x"):
        tmp_path.write_text("fails")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "old")
    with pytest.raises(TypeError):
        write_text(tmp_path / "x", 5)  # type: ignore[arg-type]
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_folder_replaces_the_old_one(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with atomic_folder(tmp_path / "x") as partial:
            (partial / "deep").mkdir()
            (partial / "deep" / "y").write_text(text)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "x", "y"]
    assert (tmp_path / "x" / "deep" / "y").read_text() == "new"


def test_leftovers_are_swept(tmp_path: Path) -> None:
    write_bytes(tmp_path / "x", b"complete")
    (tmp_path / ".left.77.part").mkdir()
    (tmp_path / ".left.png.77.part").write_text("half")
    assert len(sweep(tmp_path)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_content_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, list[str]]] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        synced.append((os.fstat(handle).st_ino, sorted(path.name for path in tmp_path.glob("[!.]*"))))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    write_bytes(tmp_path / "x", b"content")
    assert synced == [((tmp_path / "x").stat().st_ino, []), (tmp_path.stat().st_ino, ["x"])]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such links and devices")
def test_links_and_devices_stay(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(tmp_path / "pipe", "sent")
        assert os.read(reader, 10) == b"sent"
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of file sizes")
def test_a_line_on_a_full_disk_is_appended_completely_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    with files_no_larger_than(10):
        append_bytes(file, b"12345\n")
        for line in (b"12345\n", b"123456789012345\n"):
            with pytest.raises(OSError, match=r"space|large"):
                append_bytes(file, line)
        append_bytes(file, b"123\n")
    assert file.read_bytes() == b"12345\n123\n"


@pytest.mark.parametrize(
    ("place", "reason"),
    [("absent/x.json", "there is no such folder"), ("folder", "it is a folder"), ("file/x.json", "no such folder")],
)
def test_a_place_that_cannot_be_written_is_known_before(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=reason):
        check_writable(tmp_path / place)


def test_asking_whether_a_place_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text("old")
    for name in ("there.json", "new.json"):
        check_writable(tmp_path / name)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("there.json", "old")]
