"""Controls that a model has and that are no parameters of it, since nobody sees what they do. What names one goes on without it."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.card import ModelCard


def left_out_controls(card: ModelCard) -> Mapping[str, str]:
    """Return, by the names of the controls that were left out, the sentence for whoever sets one."""
    return {
        effect.name: f"{effect.name} is no parameter of the model {card.name}: over its whole range it changes the frames by "
        f"{effect.levels:.1f} of 255 levels, less than the {effect.least_levels:g} that a parameter has to; it is left out."
        for effect in card.left_out
    }
