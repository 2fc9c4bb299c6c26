"""What several tests of training share: one torch thread, and a small clip."""

from collections.abc import Iterator

import pytest
import torch

from tests.training.clips import moving_clip
from tests.training.runs import small_config
from training.data.cache import load_clip
from training.data.video import Clip


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Compute on one thread, so that two runs can be compared to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Return the moving clip as `small_config` reads it."""
    folder = tmp_path_factory.mktemp("clip")
    return load_clip(moving_clip(folder / "clip.mp4"), small_config().clip_format(), folder / "cache")
