"""How well onsets and motion go together while a show plays: made shows, whose right answer is known."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.features.analyser import FeatureAnalyser
from engine.output.frame import Frame
from engine.render.sync_meter import SyncMeter, SyncReading

# T samples, H W C rows and columns of pixels, colours

RATE_HZ = 16_000
SECONDS = 20.0
CLICKS_S = np.cumsum(np.random.default_rng(2).uniform(0.4, 1.1, 24))
Pixels = NDArray[np.uint8]


def clicks(times_s: Sequence[float] | NDArray[np.float64], seconds: float = SECONDS) -> NDArray[np.float32]:
    """Return bursts of noise of 30 ms at these times."""
    sound_T = np.zeros(round(seconds * RATE_HZ), np.float32)
    burst_T = 0.5 * np.random.default_rng(1).standard_normal(RATE_HZ // 33).astype(np.float32)
    for time_s in times_s:
        begin = round(time_s * RATE_HZ)
        sound_T[begin : begin + len(burst_T)] = burst_T[: max(0, len(sound_T) - begin)]
    return sound_T


def flashes(times_s: Sequence[float] | NDArray[np.float64], fps: float, seconds: float = SECONDS) -> list[Pixels]:
    """Return grainy dark frames that are bright at these times and darken again."""
    random = np.random.default_rng(3)
    frames = list[Pixels]()
    for number in range(round(seconds * fps)):
        end_s = (number + 1) / fps
        since_s = min((end_s - time_s for time_s in times_s if time_s < end_s), default=9.0)
        level = 40.0 + 150.0 * np.exp(-8.0 * since_s)
        frames.append(np.clip(level + random.normal(0.0, 3.0, (36, 64, 3)), 0, 255).astype(np.uint8))
    return frames


def show(sound_T: NDArray[np.float32], pixels: Sequence[Pixels], fps: float) -> list[Frame]:
    """Return the frames that a step loop hands on, with what the analyser hears up to each."""
    analyser = FeatureAnalyser(RATE_HZ)
    hop_samples = round(RATE_HZ / fps)
    frames = list[Frame]()
    for index, pixels_HWC in enumerate(pixels):
        analyser.feed(sound_T[index * hop_samples : (index + 1) * hop_samples])
        frames.append(
            Frame(
                index=index,
                pixels_HWC=pixels_HWC,
                features_F=np.zeros(1, np.float32),
                sound_TC=np.zeros((0, 1), np.float32),
                first_sample=0,
                time_s=(index + 1) * hop_samples / RATE_HZ,
                captured_s=None,
                audio_features=analyser.at_sample((index + 1) * hop_samples),
            )
        )
    return frames


def read(frames: Sequence[Frame]) -> SyncReading:
    meter = SyncMeter()
    for frame in frames:
        meter.add(frame)
    return meter.reading()


@pytest.mark.parametrize("fps", [10.0, 20.0, 25.0, 32.0, 50.0, 62.5])
def test_a_frame_that_flashes_with_the_clicks_is_far_above_its_floor_and_one_that_does_not_is_at_it(fps: float):
    sound_T = clicks(CLICKS_S)
    in_time = read(show(sound_T, flashes(CLICKS_S, fps), fps))
    late = read(show(sound_T, flashes(CLICKS_S + 0.2, fps), fps))
    shuffled = flashes(CLICKS_S, fps)
    np.random.default_rng(4).shuffle(shuffled)
    assert in_time.value > 0.8
    assert in_time.floor < 0.4
    assert late.value < 0.4
    assert read(show(sound_T, shuffled, fps)).value < 0.4
    assert {in_time.reason, late.reason} == {""}


def test_half_a_second_late_is_out_of_time():
    late = read(show(clicks(CLICKS_S), flashes(CLICKS_S + 0.5, 20.0), 20.0))
    assert late.value < 0.3


def test_silence_is_undefined_and_not_nothing():
    for sound_T in (clicks([]), np.full(round(SECONDS * RATE_HZ), 1e-5, np.float32)):
        reading = read(show(sound_T, flashes(CLICKS_S, 20.0), 20.0))
        assert reading.reason == "no onsets"
        assert np.isnan(reading.value)
        assert np.isnan(reading.floor)


def test_too_few_onsets_and_too_few_frames_are_undefined():
    assert read([]).reason == "too few frames"
    assert read(show(clicks(CLICKS_S), flashes(CLICKS_S, 20.0, 3.0), 20.0)).reason == "too few frames"
    few = read(show(clicks([15.0, 17.0]), flashes([15.0, 17.0], 20.0), 20.0))
    assert few.reason == "fewer than 3 onsets"


def test_a_frame_that_stands_still_while_there_are_onsets_goes_with_none_of_them():
    still = [np.full((36, 64, 3), 90, np.uint8)] * 400
    reading = read(show(clicks(CLICKS_S), still, 20.0))
    assert (reading.value, reading.floor, reading.reason) == (0.0, 0.0, "")


def changed(frames: list[Frame], times_s: Sequence[float], change: Callable[[Frame], Frame]) -> list[Frame]:
    """Change the frames of the quarter of a second from each of these times on."""
    return [change(f) if any(0.0 <= f.time_s - time_s < 0.25 for time_s in times_s) else f for f in frames]


OFF_BEAT_S = [*(CLICKS_S[12:23] + 0.2)]
"""Where nothing is heard, and where motion would count as idle."""


def jumped(frame: Frame) -> Frame:
    return replace(frame, pixels_HWC=255 - frame.pixels_HWC)


def test_motion_that_the_model_did_not_make_counts_neither_way():
    frames = show(clicks(CLICKS_S), flashes(CLICKS_S, 20.0), 20.0)
    some_s = OFF_BEAT_S[::3]
    fooled = read(changed(frames, some_s, jumped))
    told = read(changed(frames, some_s, lambda frame: replace(jumped(frame), follows=False)))
    assert fooled.value < 0.75
    assert told.value == pytest.approx(read(frames).value, abs=0.1)


def test_skipped_hops_do_not_count_as_motion():
    frames = show(clicks(CLICKS_S), flashes(CLICKS_S, 20.0), 20.0)
    lost = [f for f in frames if not any(0.0 <= f.time_s - time_s < 0.25 for time_s in OFF_BEAT_S[::3])]
    assert read(lost).value == pytest.approx(read(frames).value, abs=0.1)


def test_a_frame_that_is_frozen_becomes_undefined_and_comes_back():
    frames = show(clicks(CLICKS_S), flashes(CLICKS_S, 20.0), 20.0)
    meter = SyncMeter()
    for frame in frames[:140]:
        meter.add(frame)
    assert meter.reading().value > 0.8
    for frame in frames[140:270]:
        meter.add(replace(frame, pixels_HWC=frames[139].pixels_HWC, follows=False))
    assert meter.reading().reason == "too few frames"
    for frame in frames[270:]:
        meter.add(frame)
    assert meter.reading().value > 0.8


def test_a_show_that_begins_again_is_measured_again():
    frames = show(clicks(CLICKS_S), flashes(CLICKS_S, 20.0), 20.0)
    assert read([*show(clicks(CLICKS_S), flashes(CLICKS_S + 0.5, 20.0), 20.0), *frames]) == read(frames)
    assert read([*frames, *frames[:20]]).reason == "too few frames"


def test_the_figures_of_a_whole_show_are_means_over_its_stretches():
    frames = show(clicks(CLICKS_S), flashes(CLICKS_S, 20.0), 20.0)
    meter = SyncMeter()
    assert meter.summary()["value"] is None
    for frame in frames:
        meter.add(frame)
    figures = meter.summary()
    assert figures["stretches"] == figures["defined_stretches"] == 1
    assert figures["value"] is not None
    assert figures["value"] > 0.8
    json.dumps(figures, allow_nan=False)
    silent = SyncMeter()
    for frame in show(clicks([]), flashes(CLICKS_S, 20.0), 20.0):
        silent.add(frame)
    assert silent.summary() == {"value": None, "floor": None, "defined_stretches": 0, "stretches": 1}


def test_memory_does_not_grow_with_the_show():
    meter, sizes = SyncMeter(), list[int]()
    frames = show(clicks(CLICKS_S), flashes(CLICKS_S, 20.0), 20.0)
    for number in range(20):
        for frame in frames:
            later = frame.index + number * len(frames)
            heard = replace(frame.audio_features, onsets=frame.audio_features.onsets + 1000 * number)
            meter.add(replace(frame, index=later, time_s=0.05 * (later + 1), audio_features=heard))
        sizes.append(len(pickle.dumps(meter)))
    assert sizes[-1] < 1.2 * sizes[4]
