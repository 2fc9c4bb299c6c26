"""Mappings and flags by the names of the version before: whole processes, one notice for each name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.control.former_names import renamed
from tests.processes import decoded_NHWC, run, write_sound


def test_former_names_draw_the_frames_of_the_names_of_now_and_are_told_once(tmp_path: Path) -> None:
    write_sound(tmp_path / "tone.wav", 1.5)
    former = ("--map", "glow=0.5 * hit", "--map", "trail=0.5 * hit", "--hit-zoom", "0.4", "--no-osc")
    current = ("--map", "glow=0.5 * onset", "--map", "trail=0.5 * onset", "--onset-zoom", "0.4", "--no-osc")
    code, said, complained = run("--render", "tone.wav", "former.mp4", *former, cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert said.splitlines().count(renamed("hit", "onset")) == 1
    assert said.splitlines().count(renamed("hit_zoom", "onset_zoom")) == 1
    code, said, _ = run("--render", "tone.wav", "current.mp4", *current, cwd=tmp_path)
    assert code == 0
    assert "is now called" not in said
    assert run("--render", "tone.wav", "plain.mp4", "--no-osc", cwd=tmp_path)[0] == 0
    drawn = {name: decoded_NHWC(tmp_path / f"{name}.mp4") for name in ("former", "current", "plain")}
    assert np.array_equal(drawn["former"], drawn["current"])
    assert not np.array_equal(drawn["former"], drawn["plain"])


def test_a_mapping_with_an_unknown_variable_is_one_sentence(tmp_path: Path) -> None:
    code, _, complained = run("--map", "glow=0.5 * onsett", "--no-osc", cwd=tmp_path)
    assert code == 2
    assert "onsett" in complained
    assert complained.count("\n") == 1
