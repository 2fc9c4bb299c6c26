"""Which hop to step next: pure functions of counts, tried in tests with invented times."""

from __future__ import annotations

from dataclasses import dataclass

MOST_BUSY = 0.8
"""Share of a hop that its own step and its early steps may take together."""


@dataclass(frozen=True, slots=True)
class Pick:
    """The hop to step now."""

    index: int
    skipped_hops: int
    """Hops before it that will never be stepped."""


def pick_hop(received_samples: int, hop_samples: int, last_index: int, live: bool) -> Pick | None:
    """Return the hop to step, or None while its sound has not all arrived.

    Hop k is complete at sample (k + 1) * hop. Live, when several wait, the newest is taken and the others are skipped, so that
    latency never accumulates. Offline they are taken one by one. `last_index` is -1 before the first.
    """
    newest = received_samples // hop_samples - 1
    if newest <= last_index:
        return None
    index = newest if live else last_index + 1
    return Pick(index, index - last_index - 1)


def early_step_fits(step_s: float, hop_s: float, left_s: float, taken: int) -> bool:
    """Tell whether a hop can be stepped early, `left_s` before its sound is complete, when `taken` early steps were taken in it.

    `step_s` is the duration of a slow step: the hop's own step must not wait for the early one, and a machine that is busy as it is
    takes none.
    """
    return step_s <= left_s and (taken + 2) * step_s <= MOST_BUSY * hop_s


def is_over(next_index: int, hop_s: float, seconds: float | None) -> bool:
    """Tell whether hop `next_index` lies beyond `seconds` of sound."""
    return seconds is not None and next_index * hop_s >= seconds
