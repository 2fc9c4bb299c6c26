"""Rewrites of a model before it is exported, by name: the same frames and states from fewer or faster operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from engine.core.errors import TrainingError, nearest_name
from training.core.streaming import StreamingModel

Pass = Callable[[StreamingModel], None]
"""Changes the modules of a model in place, for playing only; names, shapes and layout of its states stay."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewrites:
    """The rewrites of a family; a family without any uses an empty one."""

    passes: Mapping[str, Pass] = field(default_factory=dict[str, Pass])
    """Every rewrite by name, in the order of work, each exact up to rounding."""
    alternatives: tuple[tuple[str, ...], ...] = ()
    """Passes that rewrite the same part: at most one of each group can be applied."""
    defaults: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The passes to apply for each backend; a backend that is not listed gets the plain graph."""

    def apply(self, model: StreamingModel, names: Iterable[str]) -> tuple[str, ...]:
        """Rewrite `model` in place, for playing, and return the names of the applied passes in the order of `passes`.

        Raises TrainingError for a name that is unknown or given twice, and for two passes that rewrite the same part.
        """
        wanted: list[str] = []
        for name in names:
            if name not in self.passes:
                known = ", ".join(self.passes) or "none; this family has no rewrites"
                raise TrainingError(
                    f"There is no rewrite '{name}'.{nearest_name(name, self.passes)} Choose from: {known}."
                )
            if name in wanted:
                raise TrainingError(f"The rewrite '{name}' is named twice; name it once.")
            wanted.append(name)
        for group in self.alternatives:
            taken = [name for name in wanted if name in group]
            if len(taken) > 1:
                raise TrainingError(
                    f"The rewrites '{taken[0]}' and '{taken[1]}' change the same part; choose one of them."
                )
        applied = tuple(name for name in self.passes if name in wanted)
        for name in applied:
            self.passes[name](model.eval())
        return applied
