"""Statistics of a run: damaged lines are left out, whatever is wrong with them, and the rest is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.logging.records import drop_after, read_records
from training.report import page

FIGURES = {"l1": 0.1, "mean_frame_l1": 0.2, "motion_share": 0.8}
SOUND = (
    {"iteration": 0, "elapsed_s": 0.0, "at": "2026-01-02 03:04:05", "event": "started", "machine": {"cpu": "fast"}},
    {"iteration": 50, "elapsed_s": 20.0, "learning_rate": 0.001, "l1": float("nan")},
    {"iteration": 50, "elapsed_s": 22.5, "validation": FIGURES},
)
DAMAGED = (
    "",
    "{",
    "null",
    "7",
    "[" * 100_000,
    '{"iteration": 3, "elapsed_s": 1.0, "l1": ' + "[" * 400 + "]" * 400 + "}",
    "9" * 5000,
    '{"iteration": "3", "elapsed_s": 1.0}',
    '{"iteration": true, "elapsed_s": 1.0}',
    '{"iteration": -1, "elapsed_s": 1.0}',
    '{"iteration": %s, "elapsed_s": 1.0}' % ("9" * 4000),
    '{"iteration": 3, "elapsed_s": "long"}',
    '{"iteration": 3, "elapsed_s": 1e999}',
    '{"iteration": 3, "l1": 0.5}',
    '{"iteration": 3, "elapsed_s": 1.0, "l1": "small"}',
    '{"iteration": 3, "elapsed_s": 1.0, "l1": %s}' % ("9" * 4000),
    '{"iteration": 3, "elapsed_s": 1.0, "validation": 3}',
    '{"iteration": 3, "elapsed_s": 1.0, "validation": {"l1": 0.5}}',
    '{"iteration": 3, "elapsed_s": 1.0, "validation": {"l1": 0.5, "mean_frame_l1": null, "motion_share": 1}}',
    '{"iteration": 3, "elapsed_s": 1.0, "event": ["started"]}',
    '{"iteration": 3, "elapsed_s": 1.0, "event": "started", "from": 3}',
    '{"iteration": 3, "elapsed_s": 1.0, "event": "started", "machine": "fast"}',
)


@pytest.mark.parametrize("line", DAMAGED, ids=lambda line: line[:70])
def test_a_damaged_line_is_left_out(tmp_path: Path, line: str) -> None:
    file = tmp_path / "stats.jsonl"
    lines = [json.dumps(record) for record in SOUND]
    file.write_text("\n".join([lines[0], line, *lines[1:], line]))
    assert str(read_records(file)) == str(list(SOUND))
    (tmp_path / "config.yaml").write_text("model: {name: waves, image_size: 64, fps: 20}\n")
    assert "waves" in page(tmp_path)
    drop_after(file, 50)
    assert file.read_text() == "".join(text + "\n" for text in lines)


def test_bytes_that_are_no_text_and_a_missing_file_are_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path / "stats.jsonl") == []
    (tmp_path / "stats.jsonl").write_bytes(b"\xff\x00\xfe\n" + json.dumps(SOUND[1]).encode() + b"\n")
    assert len(read_records(tmp_path / "stats.jsonl")) == 1
