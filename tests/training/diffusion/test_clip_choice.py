"""Clips are drawn from a seed, and those that cannot be read are passed over."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import MediaError
from training.diffusion.clip_choice import ClipChoice

NAMES = ("a", "b", "broken", "d")


def read(name: str, random: torch.Generator) -> float:
    drawn = float(torch.rand((), generator=random))
    if name == "broken":
        raise MediaError(f"{name} cannot be read.")
    return drawn


def drawn(choice: ClipChoice[str, float], seed: int, count: int = 20) -> list[tuple[str, float]]:
    random = torch.Generator().manual_seed(seed)
    return [choice.draw(random) for _ in range(count)]


def test_a_clip_that_cannot_be_read_is_left_out_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    found = drawn(ClipChoice(NAMES, read), 0)
    assert {name for name, _ in found} == {"a", "b", "d"}
    assert capsys.readouterr().out == "notice    left out: broken cannot be read.\n"
    assert len({value for _, value in found}) == len(found)


def test_a_run_that_goes_on_draws_what_it_would_have_drawn() -> None:
    """Whether a clip was met before or not."""
    knows = ClipChoice(NAMES, read)
    drawn(knows, 0)
    assert drawn(knows, 1) == drawn(ClipChoice(NAMES, read), 1)


def test_without_any_clip_the_reason_is_told() -> None:
    with pytest.raises(MediaError, match="broken cannot be read"):
        drawn(ClipChoice(("broken", "broken"), read), 0)
