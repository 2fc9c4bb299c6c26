"""Frames in a temporary file come back as they were."""

import numpy as np
import pytest

from training.autopilot.stored_frames import StoredFrames


def test_frames_come_back_in_their_order() -> None:
    stored = StoredFrames(3, 5)
    frames = np.random.default_rng(0).integers(0, 256, (4, 3, 5), np.uint8)
    for frame_HW in frames:
        stored.add(frame_HW)
    assert np.array_equal(np.stack(list(stored)), frames)
    assert np.array_equal(np.stack(stored[1:3]), frames[1:3])
    stored.keep(2)
    assert len(stored) == 2
    with pytest.raises(IndexError):
        stored[2]
    stored.close()
