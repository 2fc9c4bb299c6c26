"""A show recorded with --take and rendered again with --replay, by whole processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.processes import decoded_NHWC, run, write_sound

ATTEMPTS = 3
STEERED = ("--map", "glow=0.5 * onset", "--onset-zoom", "0.4", "--no-osc")


def recorded(folder: Path, *more: str) -> Path:
    """Record a live show that skips no hop, as a busy machine may."""
    for attempt in range(ATTEMPTS):
        take, stats = f"take{attempt}", f"stats{attempt}.json"
        flags = ("--source", "tone.wav", "--out", "null", "--take", take, "--stats", stats, *more)
        code, _, complained = run(*flags, *STEERED, cwd=folder)
        assert (code, complained) == (0, "")
        if json.loads((folder / stats).read_text())["skipped_hops"] == 0:
            return folder / take
    raise AssertionError(f"each of {ATTEMPTS} shows skipped hops; this machine is too busy")


def test_a_replay_has_the_frames_of_the_show(tmp_path: Path) -> None:
    write_sound(tmp_path / "tone.wav", 2.0)
    take = recorded(tmp_path)
    assert run("--replay", take.name, "replay.mp4", cwd=tmp_path)[0] == 0
    assert run("--render", "tone.wav", "render.mp4", *STEERED, cwd=tmp_path)[0] == 0
    assert run("--render", "tone.wav", "plain.mp4", "--no-osc", cwd=tmp_path)[0] == 0
    replay, render, plain = (decoded_NHWC(tmp_path / f"{name}.mp4") for name in ("replay", "render", "plain"))
    assert len(replay) == 40
    assert np.array_equal(replay, render)
    assert not np.array_equal(replay, plain)


def test_a_film_of_another_size_and_rate_is_the_same_from_the_take_and_from_the_sound(
    tmp_path: Path, probe_file: Path
) -> None:
    write_sound(tmp_path / "tone.wav", 1.0)
    model = ("--model", str(probe_file))
    take = recorded(tmp_path, *model)
    film = ("--size", "96x54", "--fps", "60")
    code, said, complained = run("--replay", take.name, "replay.mp4", *film, cwd=tmp_path)
    assert (code, complained) == (0, "")
    # Where stderr is no terminal, a line takes the place of the bar.
    assert "output   replay.mp4, 60 frames of 96x54 at 60 fps" in said
    assert said.strip().endswith("; the film has 60 frames, 60 a second")
    assert run("--render", "tone.wav", "render.mp4", *STEERED, *model, *film, cwd=tmp_path)[0] == 0
    replay, render = (decoded_NHWC(tmp_path / f"{name}.mp4") for name in ("replay", "render"))
    assert replay.shape == (60, 54, 96, 3)
    assert np.array_equal(replay, render)
    assert len({frame.tobytes() for frame in replay}) > 40


def test_a_folder_without_a_take_is_one_sentence(tmp_path: Path) -> None:
    code, _, complained = run("--replay", "absent", "out.mp4", cwd=tmp_path)
    assert code == 2
    assert complained.startswith("error: There is no take in absent")
    assert complained.count("\n") == 1
