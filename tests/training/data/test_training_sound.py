"""What a card says of the training sound."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.data.test_reader import FORMAT, SEGMENTS
from training.data.training_sound import measured_sound, segments_sound
from training.data.video import Clip
from training.data.windows import FrameRange, Segment

RATE_HZ, HOP = 16000, 800


def tone(seconds: float, level_db: float, hz: float) -> np.ndarray:
    """Return a tone whose root mean square is `level_db`."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (10 ** (level_db / 20) * np.sqrt(2) * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def test_loud_and_quiet_parts_bands_and_peak_are_measured_and_silence_does_not_count() -> None:
    sound_T = np.concatenate([tone(4.0, -40.0, 100.0), np.zeros(20 * RATE_HZ, np.float32), tone(4.0, -10.0, 4400.0)])
    measured = measured_sound([sound_T], RATE_HZ, HOP, "a clip")
    assert measured.loudness_db == pytest.approx(-10.0, abs=0.3)
    assert measured.quiet_db < -35.0
    assert measured.peak_db == pytest.approx(-7.0, abs=0.1)
    assert measured.bands[4].loud_db == pytest.approx(-10.0, abs=0.5)
    assert measured.bands[2].loud_db < -30.0
    assert measured.sound == "a clip, 28 s"


def test_only_the_parts_that_are_trained_count_and_a_gain_of_training_raises_the_ceilings() -> None:
    sound_T = np.concatenate([tone(1.0, -30.0, 1000.0), tone(1.0, -5.0, 1000.0)])
    clip = Clip(np.zeros((40, 8, 8, 3), np.uint8), sound_T, FORMAT, "clip")
    measured = segments_sound([Segment(clip, FrameRange(0, 20))], "a clip")
    assert measured.loudness_db < -29.0
    louder = segments_sound([Segment(clip, FrameRange(0, 20))], "a clip", 12.0)
    raised_db = [b.loud_db - a.loud_db for a, b in zip(measured.bands, louder.bands, strict=True)]
    assert raised_db == pytest.approx([12.0] * 6)
    assert louder.loudness_db == measured.loudness_db
    assert louder.peak_db == pytest.approx(measured.peak_db + 12.0)
    assert segments_sound([Segment(clip, FrameRange(0, 20))], "a clip", 40.0).peak_db == 0.0


def test_silence_alone_can_be_measured() -> None:
    measured = measured_sound([np.zeros(HOP, np.float32)], RATE_HZ, HOP, "nothing")
    assert measured.loudness_db == measured.peak_db == -120.0


def test_several_clips_are_measured_as_one() -> None:
    whole = segments_sound(SEGMENTS, "two")
    assert whole.sound == "two, 2 s"
