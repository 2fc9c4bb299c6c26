"""The rule for channels."""

import numpy as np
import pytest

from engine.media.channels import mix_down, mixed, mixed_channels

FIVE_ONE = ("FL", "FR", "FC", "LFE", "BL", "BR")


def one(channels: int, sounding: int) -> np.ndarray:
    sound_TC = np.zeros((100, channels), np.float32)
    sound_TC[:, sounding] = 1.0
    return sound_TC


def test_mono_is_the_mean_of_two_channels() -> None:
    assert mix_down(np.array([[0.5, -0.25]], np.float32)).tolist() == [0.125]


@pytest.mark.parametrize("channels", [3, 8, 64])
def test_unnamed_channels_are_added_with_equal_power(channels: int) -> None:
    assert mix_down(one(channels, channels - 1)) == pytest.approx(channels**-0.5)
    assert mixed_channels(channels) == 1


def test_one_and_two_channels_stay_as_they_are() -> None:
    stereo_TC = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
    assert np.array_equal(mixed(stereo_TC, 2, ("FL", "FR")), stereo_TC)
    assert np.array_equal(mixed(stereo_TC[:, :1], 1, ("FC",)), stereo_TC[:, :1])


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [("FL", 0.5**0.5, 0.0), ("FC", 0.5, 0.5), ("LFE", 0.0, 0.0), ("BL", 0.5, 0.0), ("BR", 0.0, 0.5)],
)
def test_named_layouts_are_mixed_by_the_weights_of_itu(name: str, left: float, right: float) -> None:
    stereo_TC = mixed(one(6, FIVE_ONE.index(name)), 2, FIVE_ONE)
    assert stereo_TC[0].tolist() == pytest.approx([left, right])
    assert mixed(one(6, FIVE_ONE.index(name)), 1, FIVE_ONE)[0, 0] == pytest.approx((left + right) / 2)


def test_an_unknown_name_makes_a_layout_an_unnamed_one() -> None:
    assert mixed_channels(3, ("FL", "FR", "USR7")) == 1
    assert mixed_channels(6, FIVE_ONE) == 2
