"""The playhead: which samples the loudspeaker gets next. Pure decisions from times that the driver gives, tried with invented ones.

The loudspeaker's clock is not the show's. The playhead compares the sample that is about to be heard with the one that is due, averages
the difference, because drivers' times jitter by milliseconds, and corrects it by one sample in a block: that block alone is
stretched. All other samples pass as they are. Far from where it should be, it jumps.
"""

from __future__ import annotations

from typing import NamedTuple

AVERAGED_S = 3.0
APART_S, CLOSE_S = 0.004, 0.0005
"""A correction begins at the one difference and ends at the other."""
FAR_S, FAR_AT_FIRST_S = 0.04, 0.004
"""Over a longer one it jumps; in the first BEGINNING_S sooner, when nobody has heard much and drivers' times are still wrong."""
BEGINNING_S = 3.0
LASTING_S = 0.3
"""How long a difference must last before it jumps."""
SAMPLES_A_CORRECTION = 480
"""At least so many samples from one correction to the next: a clock may be 0.2 % off."""


class Span(NamedTuple):
    """Samples to play in a block."""

    first: int
    taken: int
    """Samples of the source; one more or less than the block has where it is corrected."""
    left: int | None = None
    """Where it would have gone on, after a jump: to fade from."""


class Playhead:
    """Where the loudspeaker is in the sound."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._position: int | None = None
        self._ahead = 0.0
        """Average of how many samples it is ahead of what is due."""
        self._averaged_samples = self._far_samples = self._since_correction = self._played_samples = 0
        self._is_correcting = False
        self.left_out = self.added = 0
        """Samples left out and added so far, to follow the loudspeaker's clock."""
        self.jumps = 0
        """Jumps after the beginning."""

    def next(self, samples: int, due: float, moved: int = 0) -> Span:
        """Return what to play in a block of `samples` whose first is to be sample number `due`.

        `moved` says by how much `due` has changed since the last block because another delay was asked for.
        """
        if self._position is None:
            self._position = round(due)
        begun, self._played_samples = self._played_samples, self._played_samples + samples
        ahead = self._position + moved - due
        far_s = FAR_S if begun > BEGINNING_S * self._rate_hz else FAR_AT_FIRST_S
        self._far_samples = self._far_samples + samples if abs(ahead) > far_s * self._rate_hz else 0
        if self._far_samples > LASTING_S * self._rate_hz:
            self.jumps += far_s == FAR_S
            self._ahead, self._averaged_samples, self._far_samples = 0.0, 0, 0
            return self._go_on(round(due), samples, samples)
        # A driver that is wrong for a block must not count.
        if abs(ahead) <= FAR_S * self._rate_hz:
            self._averaged_samples = min(self._averaged_samples + samples, round(AVERAGED_S * self._rate_hz))
            self._ahead += (ahead - self._ahead) * samples / self._averaged_samples
        self._since_correction += samples
        return self._go_on(self._position + moved, samples, samples + self._correction())

    def _correction(self) -> int:
        """Return 1 to leave a sample out of the next block, -1 to add one, 0 for neither."""
        limit_s = CLOSE_S if self._is_correcting else APART_S
        self._is_correcting = abs(self._ahead) > limit_s * self._rate_hz
        if not self._is_correcting or self._since_correction < SAMPLES_A_CORRECTION:
            return 0
        step = -1 if self._ahead > 0 else 1
        self.left_out, self.added = self.left_out + (step > 0), self.added + (step < 0)
        self._ahead, self._since_correction = self._ahead + step, 0
        return step

    def _go_on(self, first: int, samples: int, taken: int) -> Span:
        left, self._position = self._position, first + taken
        return Span(first, taken, None if left == first else left)
