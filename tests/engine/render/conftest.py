"""What the tests of rendering share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import EffectParameters


@pytest.fixture
def effects_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the media times at which effects are applied."""
    times_s: list[float] = []
    apply = EffectChain.apply

    def counted(
        chain: EffectChain, pixels_HWC: NDArray[np.uint8], parameters: EffectParameters, time_s: float
    ) -> NDArray[np.uint8]:
        times_s.append(time_s)
        return apply(chain, pixels_HWC, parameters, time_s)

    monkeypatch.setattr(EffectChain, "apply", counted)
    return times_s
