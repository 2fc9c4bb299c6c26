"""What to teach a clip with: picture size and network width from the pace of this machine and the time there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.core.errors import TrainingError
from training.autopilot.clip_analysis import ClipAnalysis
from training.autopilot.crop import Crop
from training.loop.config import TrainConfig

RESERVE_S = 60.0
RESERVE_SHARE = 0.2
LEAST_TEACHING_SHARE = 0.5
ENLARGED_AT_MOST = 1.5
"""A picture this much larger than its crop shows nothing more."""
SMALLEST_SIZE = 32
SHORTEST_MINUTES, LONGEST_MINUTES = 5, 60

# Where bending one picture explains much of the clip, maps that are added only blur what the warp keeps sharp.
SOLID: dict[str, Any] = {
    "model.generator.warp_rank": 16,
    "model.generator.canvas_rank": 0,
    "model.generator.relief_rank": 0,
    "losses.detail": 4.0,
}


@dataclass(frozen=True, slots=True)
class SizeStep:
    """A size of picture and a width of network, `channels_base` in the configuration."""

    image_size: int
    channels_base: int
    iterations: int = 0
    """With fewer, the rung below comes out better."""


LADDER = (SizeStep(64, 256), SizeStep(128, 128, 500), SizeStep(128, 256, 1000), SizeStep(256, 256, 3000))
USUAL = LADDER[2]
"""What a clip is taught with when nobody names a time, if the clip is large enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What will be done, and why."""

    seen: ClipAnalysis
    crop: Crop
    rung: SizeStep
    iteration_s: float
    minutes: float
    """In all, from the command to the model file."""
    spent_s: float
    """Of it, before teaching starts."""
    larger: SizeStep | None = None
    """What more time would have allowed."""

    @property
    def reserve_s(self) -> float:
        """Seconds kept for evaluation and export."""
        return reserve_s(self.minutes)

    @property
    def teaching_s(self) -> float:
        """Seconds left to teach; at least half of the whole, however slowly the clip was read."""
        return teaching_s(self.minutes, self.spent_s)

    @property
    def iterations(self) -> int:
        """About how many fit in."""
        return max(1, round(self.teaching_s / self.iteration_s))

    def settings(self) -> dict[str, Any]:
        """Return the settings of training that differ from the configuration, by dotted key."""
        return model_settings(self.rung, self.seen.solid) | {
            "clip.crop": list(self.crop.box()),
            "minutes": self.teaching_s / 60.0,
            # Time ends the run, however much faster the machine becomes; the progress bar needs a number.
            "total_iterations": 2 * self.iterations,
        }

    def _larger_words(self) -> list[str]:
        if self.larger is None or self.larger.image_size == self.rung.image_size:
            return []
        return [
            f"size      the time is short for {self.larger.image_size} pixels; a run keeps its size for good: for a larger "
            f"picture give more --minutes now, or --size {self.larger.image_size}"
        ]

    def lines(self, hardware: str) -> list[str]:
        """Describe the plan for a person."""
        seen, size = self.seen, self.rung.image_size
        camera = (
            f"moves (the whole picture shifts in {seen.camera_moves_share:.0%} of the looks): expect blur"
            if seen.camera_moves
            else "stands still"
        )
        motion = (
            "of solid things: one picture of the clip is bent by the sound"
            if seen.solid
            else "of surfaces: pictures of the clip are mixed by the sound"
        )
        crop = self.crop
        return [
            f"clip      {seen.path}: {seen.duration_s:.1f} s, {seen.width}x{seen.height}, "
            f"{seen.pictures_per_s:.4g} pictures a second, sound {seen.level_db:.0f} dB",
            f"camera    {camera}",
            f"motion    {motion}",
            f"crop      {crop.x},{crop.y},{crop.width},{crop.height}: {crop.reason}",
            f"model     {size}x{size}, width {self.rung.channels_base}; one iteration takes {self.iteration_s:.2f} s "
            f"on {hardware}",
            *self._larger_words(),
            f"time      {self.minutes:g} minute{'' if self.minutes == 1 else 's'} in all: {self.teaching_s / 60.0:.1f} to teach, about "
            f"{self.iterations:,} iterations, and {self.reserve_s:.0f} s kept for evaluation and export",
        ]


def reserve_s(minutes: float) -> float:
    """Return the seconds kept for evaluation and export: a minute, or a fifth of a shorter budget."""
    return min(RESERVE_S, RESERVE_SHARE * 60.0 * minutes)


def teaching_s(minutes: float, spent_s: float) -> float:
    """Return the seconds left to teach of so many minutes, of which `spent_s` are over."""
    whole_s = 60.0 * minutes
    return max(whole_s - reserve_s(minutes) - spent_s, LEAST_TEACHING_SHARE * whole_s)


def model_settings(rung: SizeStep, solid: bool) -> dict[str, Any]:
    """Return size, width and way of moving by their dotted keys in the training configuration."""
    size = {"model.image_size": rung.image_size, "model.generator.channels_base": rung.channels_base}
    return size | (SOLID if solid else {})


def usual_iterations(duration_s: float) -> int:
    """Return how many iterations a clip gets when nobody names a time: more for a longer clip, which has more to learn."""
    return round(min(1500 + 25 * duration_s, 8000))


def choose_plan(
    seen: ClipAnalysis,
    crop: Crop,
    rungs: Sequence[SizeStep],
    measure: Callable[[SizeStep], float],
    spent_s: Callable[[], float],
    minutes: float | None = None,
) -> Plan:
    """Return the plan for a clip: the last of `rungs`, smallest first, that leaves time for enough iterations.

    `measure` gives the seconds of one iteration and `spent_s` those since the command was given: both are asked several
    times. Without `minutes` the time follows from the clip's length and the pace.
    """
    paces: dict[SizeStep, float] = {}
    if minutes is None:
        usual = USUAL if USUAL in rungs else rungs[-1]
        paces[usual] = measure(usual)
        minutes = usual_minutes(usual_iterations(seen.duration_s) * paces[usual])
    chosen, larger = rungs[0], None
    for rung in rungs:
        paces[rung] = paces.get(rung) or measure(rung)
        if rung != chosen and teaching_s(minutes, spent_s()) / paces[rung] < rung.iterations:
            larger = rung
            break
        chosen = rung
    return Plan(
        seen=seen, crop=crop, rung=chosen, iteration_s=paces[chosen], minutes=minutes, spent_s=spent_s(), larger=larger
    )


def rung_of(config: TrainConfig) -> SizeStep:
    """Return the rung of a run that exists."""
    return SizeStep(config.model.image_size, config.model.generator.channels_base)


def allowed_rungs(crop: Crop, image_size: int | None) -> list[SizeStep]:
    """Return the rungs, smallest first, that suit a crop, or those of one size.

    Raises TrainingError for a size that is no power of two from 32.
    """
    if image_size is not None:
        if image_size < SMALLEST_SIZE or image_size & (image_size - 1):
            raise TrainingError(
                f"--size is {image_size}; a power of two from {SMALLEST_SIZE} was expected, such as 128."
            )
        of_size = [rung for rung in LADDER if rung.image_size == image_size]
        return of_size or [SizeStep(image_size, USUAL.channels_base)]
    side = min(crop.width, crop.height)
    return [rung for rung in LADDER if rung.image_size <= ENLARGED_AT_MOST * side] or [LADDER[0]]


def usual_minutes(teaching_seconds: float) -> float:
    """Return whole minutes for so many seconds of teaching and the reserve, between 5 and 60."""
    whole = -(-(teaching_seconds + RESERVE_S) // 60.0)
    return float(min(max(whole, SHORTEST_MINUTES), LONGEST_MINUTES))
