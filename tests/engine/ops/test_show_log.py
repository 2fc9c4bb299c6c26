"""The log of a show: JSON lines of bounded size; a full disk does not stop the show."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.core.errors import ConfigError
from engine.ops.show_log import ShowLog
from tests.engine.app.shows import InventedClock


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_line_is_an_object_with_time_and_event(tmp_path: Path) -> None:
    path, clock = tmp_path / "show.jsonl", InventedClock()
    log = ShowLog(path, clock)
    log.write("start", {"model": Path("water.onnx")})
    clock.sleep(1.25)
    log.write("notice", {"line": "two\nlines, 100 %s and ü"})
    log.close()
    first, second = lines(path)
    assert (first["event"], first["uptime_s"], first["model"]) == ("start", 0.0, "water.onnx")
    assert (second["event"], second["uptime_s"], second["line"]) == ("notice", 1.25, "two\nlines, 100 %s and ü")
    assert first["at"] <= second["at"]
    log = ShowLog(path, clock)
    log.write("start")
    log.close()
    assert len(lines(path)) == 3


def test_old_files_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "show.jsonl"
    log = ShowLog(path, InventedClock(), largest_bytes=2000, old_files=2)
    for number in range(500):
        log.write("notice", {"line": f"line {number}"})
    log.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["show.jsonl", "show.jsonl.1", "show.jsonl.2"]
    assert all(file.stat().st_size <= 2000 for file in tmp_path.iterdir())
    assert lines(path)[-1]["line"] == "line 499"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_costs_lines_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    log = ShowLog("/dev/full", InventedClock(), largest_bytes=0)
    log.write("notice", {"line": "lost"})
    log.write("notice", {"line": "lost too"})
    assert log.lost_lines == 2
    assert capfd.readouterr() == ("", "")


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--log") as caught:
        ShowLog(tmp_path / "nowhere" / "show.jsonl", InventedClock())
    assert "\n" not in str(caught.value)
