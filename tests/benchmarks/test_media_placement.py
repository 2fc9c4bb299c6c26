"""Clicks and flashes of files that the table is made of: found where they were put, and lost where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.media_cases import EVENTS_S, FPS, MP4, TS, Case, frames, sound
from benchmarks.media_making import NO_TROUBLE, Kind, Trouble, write_media
from benchmarks.media_placement import click_error_ms, click_near, place

RATE_HZ = 48000


def test_a_click_is_found_where_it_is() -> None:
    mono_T = sound(RATE_HZ)[:, 0]
    assert [click_near(mono_T, RATE_HZ, event_s) for event_s in EVENTS_S] == list(EVENTS_S)
    assert click_near(mono_T, RATE_HZ, 2.0) is None
    late_T = np.concatenate([np.zeros(480, np.float32), mono_T])
    assert click_error_ms(late_T, RATE_HZ, EVENTS_S, 1)[0] == pytest.approx(10.0)
    assert click_error_ms(mono_T[: 4 * RATE_HZ], RATE_HZ, EVENTS_S, 1)[0] == float("inf")


@pytest.mark.parametrize(
    ("kind", "trouble"),
    [
        (Kind(extension="wav", sound="pcm_s16le"), NO_TROUBLE),
        (MP4, Trouble(keeps_sound=lambda time_s: not 1.5 <= time_s < 2.5)),
        (TS, Trouble(video_from_s=0.7)),
    ],
    ids=["wav", "gap", "late video"],
)
def test_clicks_and_flashes_are_where_they_belong(tmp_path: Path, kind: Kind, trouble: Trouble) -> None:
    path = write_media(tmp_path / f"a.{kind.extension}", kind, sound(kind.rate_hz), frames(), FPS, trouble)
    late_s = trouble.sound_from_s - trouble.video_from_s
    clicks_s = tuple(late_s + event_s for event_s in EVENTS_S)
    placed = place(Case(name="", path=path, clicks_s=clicks_s, flashes_s=EVENTS_S if kind.video else ()))
    assert placed.reached, placed


def test_a_file_that_is_refused_is_lost(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    placed = place(Case(name="", path=tmp_path / "a.wav", clicks_s=EVENTS_S))
    assert not placed.reached
    assert len(placed.sentences) == 1
