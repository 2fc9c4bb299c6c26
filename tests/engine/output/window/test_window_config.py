"""Settings of a window, and its first size."""

from __future__ import annotations

import pytest

from engine.core.errors import SinkError
from engine.output.window.window_config import WindowConfig, initial_size


def test_a_window_begins_at_768_pixels_or_the_frames_own_size() -> None:
    assert initial_size(128, 64) == (768, 384)
    assert initial_size(1024, 64) == (1024, 64)


def test_an_unknown_upscaler_is_refused() -> None:
    with pytest.raises(SinkError, match=r"no upscaler 'lanczoss'.* Did you mean 'lanczos'"):
        WindowConfig(upscale="lanczoss")
