"""Free file names: files that a crash left are never overwritten."""

from __future__ import annotations

from pathlib import Path

from engine.core.free_path import free_path


def test_the_first_name_that_is_free_is_taken(tmp_path: Path) -> None:
    wanted = tmp_path / "show.mp4"
    assert free_path(wanted) == wanted
    wanted.write_bytes(b"half a show")
    assert free_path(wanted).name == "show-2.mp4"
    (tmp_path / "show-2.mp4").write_bytes(b"another half")
    assert free_path(wanted).name == "show-3.mp4"


def test_a_folder_is_free_while_it_is_empty(tmp_path: Path) -> None:
    take = tmp_path / "tonight"
    take.mkdir()
    assert free_path(take) == take
    (take / "log.jsonl").write_text("")
    assert free_path(str(take)).name == "tonight-2"
