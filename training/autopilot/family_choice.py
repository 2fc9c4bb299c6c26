"""Choose the family: of those that can learn a clip, the one that suits it best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.core.errors import TrainingError
from training.families.registry import DEFAULT_FAMILY, family, family_names
from training.families.teaching import ClipTraits, Teaching


@dataclass(frozen=True, slots=True)
class FamilyChoice:
    """A family, how it is trained, and why it was chosen."""

    name: str
    teaching: Teaching
    because: str


def teachings() -> dict[str, Teaching]:
    """Return how each family is trained, of those that can be: the default one first, the others by name."""
    names = sorted(family_names(), key=lambda name: (name != DEFAULT_FAMILY, name))
    found = {name: family(name).teaching for name in names}
    return {name: teaching for name, teaching in found.items() if teaching is not None}


def named_teaching(name: str) -> Teaching:
    """Return how a family is trained. Raises TrainingError for one that is not there or that cannot be trained in this way."""
    teaching = family(name).teaching
    if teaching is None:
        raise TrainingError(
            f"The family '{name}' cannot be trained by this command, which knows {', '.join(sorted(teachings()))}; choose one of them, "
            "or train with python -m training.train."
        )
    return teaching


def accepting(candidates: Mapping[str, Teaching], check: Callable[[Teaching], object]) -> dict[str, Teaching]:
    """Return the candidates whose settings `check` accepts: what is set for one family is unknown to others.

    Raises the TrainingError of the first candidate where it accepts none.
    """
    found: dict[str, Teaching] = {}
    refusals: list[TrainingError] = []
    for name, teaching in candidates.items():
        try:
            check(teaching)
            found[name] = teaching
        except TrainingError as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    return found


def choose_family(candidates: Mapping[str, Teaching], clip: ClipTraits) -> FamilyChoice:
    """Return the candidate that suits a clip best; of equal ones the first in the alphabet."""
    suits = {name: teaching.suitability(clip) for name, teaching in candidates.items()}
    best = min(suits, key=lambda name: (-suits[name].rank, name))
    return FamilyChoice(best, candidates[best], suits[best].because)
