"""Control inputs of modal models. At their defaults the frame is what the sound makes of it."""

from __future__ import annotations

from engine.model.card import ControlSpec
from training.families.modal.config import ModalConfig

PLAYED_MODES = 3
"""So many of the strongest modes have a control of their own."""
FARTHEST = 3.0
"""In deviations that the amplitude has in the clip: farther out, frames are none that the clip could have."""

_MOTION = ControlSpec(name="motion", help="How far the sound bends the frame.", low=0.0, high=2.5, default=1.0)
_SHADE = ControlSpec(name="shade", help="Amount of colour that the sound adds.", low=0.0, high=2.0, default=1.0)
_LIGHT = ControlSpec(
    name="lighting", help="How much the sound brightens, darkens and colours the frame.", low=0.0, high=2.0, default=1.0
)
_MIX = ControlSpec(
    name="mix",
    help="Which of the stored frames is seen more: the direction in which they change most in the clip.",
    low=-FARTHEST,
    high=FARTHEST,
    default=0.0,
)
_ELASTICITY = ControlSpec(
    name="elasticity", help="Stiffness: four times as much rings twice as fast.", low=0.1, high=4.0, default=1.0
)
_DAMPING = ControlSpec(
    name="damping", help="How soon what rings comes to rest: 2 is twice as soon.", low=0.1, high=4.0, default=1.0
)
GUIDANCE = "sound_guidance"
_GUIDANCE = ControlSpec(
    name=GUIDANCE,
    help="How far the sound leads the frame away from the one without sound: 0 is deaf, 1 as trained, above exaggerates.",
    low=0.0,
    high=4.0,
    default=1.0,
)


def control_specs(config: ModalConfig) -> tuple[ControlSpec, ...]:
    """Describe the controls that have an effect in this configuration."""
    return (
        _MOTION,
        *([_SHADE] if config.residual_rank else []),
        *([_LIGHT] if config.light_rank else []),
        *([_MIX] if config.textures > 1 else []),
        _ELASTICITY,
        _DAMPING,
        *([_GUIDANCE] if config.guidance else []),
        *(_mode(number) for number in range(1, min(PLAYED_MODES, config.modes) + 1)),
    )


def _mode(number: int) -> ControlSpec:
    which = ("strongest", "second", "third")[number - 1]
    return ControlSpec(
        name=f"mode_{number}",
        help=f"Bends the frame by its {which} mode, beside the sound.",
        low=-FARTHEST,
        high=FARTHEST,
        default=0.0,
    )
