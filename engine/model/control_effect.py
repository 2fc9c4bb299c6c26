"""How far a control of a model changes its frames: a part of the model card."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.card_limits import check_limits


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlEffect:
    """How far a control changes the frames over its range, as measured when the file was made."""

    name: str
    levels: float
    """Difference of the frames in levels of 255, where they differ most; see export/verification/control_effects.py."""
    least_levels: float
    """What it had to reach to become a parameter; 0: it is one whatever it does by itself."""

    def __post_init__(self) -> None:
        check_limits(self)

    @property
    def is_seen(self) -> bool:
        """Whether it changes the frames enough to be a parameter."""
        return self.levels >= self.least_levels
