"""Sound of several channels becomes mono."""

import numpy as np

from engine.media.channels import mix_down


def test_mono_is_the_mean() -> None:
    assert mix_down(np.array([[0.5, -0.25]], np.float32)).tolist() == [0.125]
