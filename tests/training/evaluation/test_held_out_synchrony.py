"""Frames of the held-out part between a floor and a ceiling, and the sentence about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.video import Clip, ClipFormat
from training.data.windows import FrameRange
from training.evaluation.held_out_synchrony import (
    CLIP,
    HeldOutSynchrony,
    SynchronyRow,
    suite_rows,
    synchrony_phrase,
    synchrony_rows,
)
from training.evaluation.sequences import HELD_OUT, Part, Rollout, SequencePlan

FPS, RATE_HZ, SIDE = 20, 16_000, 32
HOP, FRAMES, FIRST = RATE_HZ // FPS, 300, 200
BEATS = np.array([12, 27, 36, 51, 60, 78, 89])


def beating_clip(level: float = 0.5) -> Clip:
    """Return a clip in which a square jumps to another place with each click."""
    random = np.random.default_rng(0)
    sound_S = np.zeros(FRAMES * HOP, np.float32)
    frames_NHWC = np.full((FRAMES, SIDE, SIDE, 3), 40, np.uint8)
    left = 4
    for frame in range(FRAMES):
        if frame - FIRST in BEATS:
            left = 16 if left == 4 else 4
            sound_S[frame * HOP : frame * HOP + 300] = level * random.standard_normal(300)
        drift = (frame // 8) % 2
        frames_NHWC[frame, 10 + drift : 20 + drift, left : left + 8] = 220
    return Clip(frames_NHWC, sound_S, ClipFormat(fps=FPS, image_size=SIDE, sample_rate_hz=RATE_HZ), "beat.mp4")


def rows_of(clip: Clip, length: int, late: int = 0) -> list[SynchronyRow]:
    """Return the rows of a generator that draws the clip's own frames, `late` frames late."""
    part = Part(HELD_OUT, clip, FrameRange(FIRST, FRAMES), HOP)
    plan, suite = SequencePlan(part, {8: (Rollout(0),), length: (Rollout(0),)}), HeldOutSynchrony(clip)
    suite.add("mine", plan, {Rollout(0): np.asarray(clip.frames_NHWC[FIRST - late : FIRST - late + length])})
    return synchrony_rows([suite])


def test_a_generator_stands_between_its_floor_and_the_clip():
    clip = beating_clip()
    (right, ceiling), (late, _) = rows_of(clip, 100), rows_of(clip, 100, late=5)
    assert (right.name, ceiling.name, right.frames, right.films) == ("mine", CLIP, 100, 1)
    assert right.values == ceiling.values
    label = "AV-Align v2025"
    values = [row.values[label] for row in (right, late)]
    floor = right.floors[label]
    assert values[0] is not None
    assert values[1] is not None
    assert floor is not None
    assert values[0] > 2.0 * floor
    assert values[1] < 0.5 * values[0]
    # Louder sound moves this clip, which that measure tells best.
    found = late.values["loudness-motion"]
    assert synchrony_phrase([late, ceiling]).startswith(f"in time with the sound: loudness-motion {found:.2f} (with")
    assert synchrony_phrase([late, ceiling]).endswith(", the clip itself 0.99), on 100 frames")


def test_without_onsets_a_measure_is_undefined_and_the_phrase_says_that_nothing_was_measured():
    rows = rows_of(beating_clip(level=0.0), 100)
    assert set(rows[0].values.values()) == {None}
    assert synchrony_phrase(rows).startswith("synchrony not measured: ")


def test_sequences_that_are_too_short_have_no_rows():
    rows = rows_of(beating_clip(), 16)
    assert rows == []
    assert synchrony_phrase(rows) == "synchrony not measured: no held-out sequence has 20 frames"


def test_a_clip_that_does_not_go_with_its_sound_is_said():
    model, clip = rows_of(beating_clip(), 100)
    aimless = replace(clip, values=clip.floors)
    assert "the clip itself goes with its sound no better" in synchrony_phrase([model, aimless])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"synchrony_suite": [{"name": 1}]}', '{"synchrony_suite": 3}', "{"])
def test_rows_that_cannot_be_read_are_none(text: str, tmp_path: Path):
    (tmp_path / "evaluation.json").write_text(text)
    assert suite_rows(tmp_path / "evaluation.json") == []
    assert suite_rows(tmp_path / "absent.json") == []
