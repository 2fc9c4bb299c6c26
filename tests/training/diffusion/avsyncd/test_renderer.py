"""The offline family itself: frames of a still and a sound, with small networks from files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from tests.training.diffusion.avsyncd.published_folder import write_folder
from training.diffusion.avsyncd.published import unet_file, weight_files
from training.diffusion.avsyncd.renderer import AVSyncD, heard
from training.diffusion.avsyncd.sampling import Guidance
from training.diffusion.avsyncd.settings import Settings
from training.diffusion.loaded import Loaded
from training.diffusion.progress import RenderProgress
from training.diffusion.render_family import RenderJob
from training.diffusion.weight_files import require

RATE_HZ = 48000
UNET = unet_file("avsync15")
NOISE = (0.3 * np.random.default_rng(0).standard_normal(3 * RATE_HZ)).astype(np.float32)
SHORT, LONG = NOISE[: 2 * RATE_HZ], NOISE
Render = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("weights"))
    for name, value in (("photo.png", 40), ("other.png", 200)):
        still = np.full((40, 60, 3), value, np.uint8)
        still[:, :25] = 255 - value
        cv2.imwrite(str(folder / name), still)
    return folder


@pytest.fixture(scope="module")
def render(folder: Path) -> Render:
    """Renders with other settings, or with other ones of the job, than the usual ones."""

    def frames(sound_S: NDArray[np.float32] = SHORT, width: int = 16, **other: object) -> NDArray[np.uint8]:
        of_job = {name: other.pop(name) for name in ("seed", "kind", "save_memory") if name in other}
        usual = RenderJob(folder, len(sound_S) / RATE_HZ, width, 8, 2, 3, torch.device("cpu"), torch.float32, False)
        settings = replace(Settings(folder / "photo.png", "raining", "avsync15", UNET, Guidance(), "pndm", 3), **other)
        files = require(folder, weight_files(UNET))
        renderer = AVSyncD(
            job=replace(usual, **of_job), files=files, progress=RenderProgress(), loaded=Loaded(), settings=settings
        )
        return np.stack(list(renderer.render(sound_S))).astype(int)

    return frames


@pytest.fixture(scope="module")
def usual(render: Render) -> NDArray[np.uint8]:
    return render()


def test_frames(usual: NDArray[np.uint8]) -> None:
    assert usual.shape == (12, 8, 16, 3)
    assert np.abs(usual[1:] - usual[:-1]).max(axis=(1, 2, 3)).min() > 0, "each frame differs from the one before"


def test_a_seed_gives_the_same_frames(render: Render, usual: NDArray[np.uint8]) -> None:
    assert np.array_equal(render(), usual)


def test_the_first_frame_is_that_of_the_still(render: Render, usual: NDArray[np.uint8], folder: Path) -> None:
    """Whatever is heard or said; only what the autoencoder draws depends on the seed."""
    for other in ({"sound_S": LONG[-2 * RATE_HZ :]}, {"text": "thunder"}, {"guidance": Guidance(sound=2.0)}):
        found = render(**other)
        assert np.array_equal(found[0], usual[0])
        assert not np.array_equal(found[1:], usual[1:]), other
    assert not np.array_equal(render(image=folder / "other.png")[0], usual[0])


@pytest.mark.parametrize("other", [{"seed": 4}, {"sampler": "dpm"}, {"guidance": Guidance(text=3.0)}])
def test_what_else_changes_the_frames(render: Render, usual: NDArray[np.uint8], other: dict[str, object]) -> None:
    assert not np.array_equal(render(**other)[1:], usual[1:])


def test_a_longer_clip_begins_as_a_short_one(render: Render, usual: NDArray[np.uint8]) -> None:
    """Up to the last frame that its chunks do not share; the resampler rounds a little differently near the end of a sound."""
    long = render(LONG)
    assert len(long) == 18
    assert np.abs(long[:9] - usual[:9]).max() <= 1
    assert np.abs(render(LONG, seam_frames=1)[:11] - usual[:11]).max() <= 1


def test_less_than_a_chunk(render: Render, usual: NDArray[np.uint8]) -> None:
    found = render(SHORT[: RATE_HZ // 2])
    assert len(found) == 3
    assert np.array_equal(found[0], usual[0])


def test_saving_memory_changes_nothing(render: Render, usual: NDArray[np.uint8]) -> None:
    assert np.array_equal(render(save_memory=True), usual)


def test_bfloat16_gives_nearly_the_same(render: Render, usual: NDArray[np.uint8]) -> None:
    found = render(kind=torch.bfloat16)
    assert 0.0 < np.abs(found - usual).mean() < 0.1 * np.abs(usual[1:] - usual[:-1]).mean()


def test_other_shapes(render: Render) -> None:
    assert render(width=24).shape == (12, 8, 24, 3)


def test_no_sound_at_all_is_refused(render: Render) -> None:
    with pytest.raises(TrainingError, match=r"The sound has 0\.000 s; at least one frame"):
        render(np.zeros(0, np.float32))


def steps_of(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean change to each frame from the one before; to the first one from the last."""
    return np.abs(frames - np.roll(frames, 1, axis=0)).mean(axis=(1, 2, 3))


@pytest.mark.parametrize("frames", [6, 18])
def test_the_end_of_a_loop_goes_over_into_its_beginning(render: Render, frames: int) -> None:
    """These networks know nothing, so frames differ by their noise: from the last to the first no less than from one to the next.

    Of a loop that step is smaller than all that lie away from it.
    """
    sound_S = NOISE[: frames * RATE_HZ // 6]
    plain, loop = (steps_of(render(sound_S, loop=loop)) for loop in (False, True))
    assert len(loop) == frames
    assert plain[0] > 0.9 * np.median(plain[1:])
    assert loop[0] < 0.7 * loop[2:-3].min()
    # Frames that are not led keep their motion.
    assert loop[2:-3].min() > 0.7 * np.median(plain)


def test_behind_the_end_of_a_loop_its_beginning_is_heard() -> None:
    sound_S = np.arange(10, dtype=np.float32)
    assert heard(sound_S, 7, 5, None).tolist() == [7, 8, 9, 0, 0]
    assert heard(sound_S, 7, 5, 10).tolist() == [7, 8, 9, 0, 1]
    # What of the sound is behind the last frame is not heard, and a short loop comes round more than once.
    assert heard(sound_S, 2, 7, 4).tolist() == [2, 3, 0, 1, 2, 3, 0]
    # The resampler may leave a sample out.
    assert heard(sound_S, 8, 4, 11).tolist() == [8, 9, 0, 1]
