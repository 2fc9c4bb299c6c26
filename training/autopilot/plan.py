"""Choose the frame size, with the settings that go with it, from the speed of this machine and the time available."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from engine.core.errors import TrainingError
from training.autopilot.clip_analysis import ClipAnalysis
from training.autopilot.crop import Crop, check_shape
from training.autopilot.family_choice import FamilyChoice
from training.core.frame_size import FrameSize
from training.families.teaching import SizeStep

RESERVE_S = 60.0
LEAST_RESERVE_S, RESERVE_SHARE = 12.0, 0.11
LEAST_TRAINING_SHARE = 0.25
LEAST_SLOWER = 0.7
"""No larger size takes less than this factor of the time of the one before."""
SMALLEST_SIZE = 32
SHORTEST_MINUTES, LONGEST_MINUTES = 5, 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Family, crop, size and time of a training, with the reasons."""

    analysis: ClipAnalysis
    family: FamilyChoice
    crop: Crop
    size_step: SizeStep
    iteration_s: float
    minutes: float
    """Total time, from the command to the model file."""
    spent_s: float
    """The part of it that passes before training starts."""
    larger: SizeStep | None = None
    """The next larger size, if the time is too short for it."""
    share: float = 1.0
    """Of a processor, 0 to 1, that one thread got while the machine was timed."""
    ending_s: float = 0.0
    """The least that test and export take at that share."""
    given: frozenset[str] = frozenset()
    """The settings of the user's own configuration file, by dotted key, which the family's for this clip leave alone."""

    @property
    def reserve_s(self) -> float:
        """Seconds reserved for evaluation and export."""
        return max(reserve_s(self.minutes), self.ending_s)

    @property
    def training_s(self) -> float:
        """Seconds left for training; at least a quarter of the total, even if reading the clip took long."""
        return training_s(self.minutes, self.spent_s, self.reserve_s)

    @property
    def iterations(self) -> int:
        """Approximate number of iterations in that time."""
        return max(1, round(self.training_s / self.iteration_s))

    def settings(self) -> dict[str, Any]:
        """Return the settings that differ from the configuration, by dotted key."""
        return model_settings(self.family, self.size_step, self.analysis, self.given) | {
            "clip.crop": list(self.crop.box()),
            "minutes": self.training_s / 60.0,
            # The time limit ends the run, even if the machine becomes faster. The progress bar needs a number.
            "total_iterations": 2 * self.iterations,
        }

    def _larger_lines(self) -> list[str]:
        if self.larger is None or self.larger.image_size == self.size_step.image_size:
            return []
        return [
            f"size      the time is too short for {self.larger.image_size} pixels, and the size of a run cannot change later; for "
            f"larger frames give more --minutes now, or --size {self.larger.image_size}"
        ]

    def _beginning(self) -> str:
        share = self.family.teaching.beginning_share
        return f" (in a new run fewer: its beginning takes up to {share:.0%} of that time)" if share else ""

    def lines(self, hardware: str) -> list[str]:
        """Describe the plan for a person."""
        analysis, size = self.analysis, self.size_step.frame_size
        camera = (
            f"moves (the whole frame shifts in {analysis.camera_moves_share:.0%} of the frames): expect blur"
            if analysis.camera_moves
            else "stands still"
        )
        crop, words = self.crop, f"{self.size_step.words}; " if self.size_step.words else ""
        return [
            f"clip      {analysis.path}: {analysis.duration_s:.1f} s, {analysis.width}x{analysis.height}, "
            f"{analysis.frames_per_s:.4g} frames per second, sound {analysis.level_db:.0f} dB",
            f"camera    {camera}",
            f"motion    {analysis.motion_words()}",
            f"family    {self.family.name}: {self.family.because}",
            f"crop      {crop.x},{crop.y},{crop.width},{crop.height}: {crop.reason}",
            f"model     {size}, {words}one iteration takes {self.iteration_s:.2f} s on {hardware}",
            *self._larger_lines(),
            f"time      {self.minutes:g} minute{'' if self.minutes == 1 else 's'} in total: {self.training_s / 60.0:.1f} for training, about "
            f"{self.iterations:,} iterations{self._beginning()}, and {self.reserve_s:.0f} s for evaluation and export",
        ]


def reserve_s(minutes: float) -> float:
    """Return the seconds reserved for evaluation and export: 12, and a ninth of the budget, up to a minute."""
    return min(RESERVE_S, LEAST_RESERVE_S + RESERVE_SHARE * 60.0 * minutes)


def training_s(minutes: float, spent_s: float, reserved_s: float) -> float:
    """Return the seconds left for training out of `minutes`, after `spent_s` and before `reserved_s`."""
    whole_s = 60.0 * minutes
    return max(whole_s - reserved_s - spent_s, LEAST_TRAINING_SHARE * whole_s)


def model_settings(
    family: FamilyChoice, size_step: SizeStep, analysis: ClipAnalysis, given: Collection[str] = ()
) -> dict[str, Any]:
    """Return frame size and the settings of the family, but those of the clip that are `given`, by their dotted keys in the training configuration."""
    size = {"model.image_size": size_step.image_size, **dict(size_step.settings)}
    of_clip = family.teaching.settings(analysis.traits())
    return size | {key: value for key, value in of_clip.items() if key not in given}


def choose_plan(
    analysis: ClipAnalysis,
    family: FamilyChoice,
    crop: Crop,
    size_steps: Sequence[SizeStep],
    measure: Callable[[SizeStep], float],
    spent_s: Callable[[], float],
    minutes: float | None = None,
) -> Plan:
    """Return the plan for a clip: the largest of `size_steps` (smallest first) with time for enough iterations.

    `measure` returns the seconds of one iteration, `spent_s` the seconds since the start of the command; both are called
    several times. Without `minutes` the time follows from the clip's length and the speed of the machine.
    """
    paces: dict[SizeStep, float] = {}
    if minutes is None:
        usual = next((step for step in size_steps if step.is_usual), size_steps[-1])
        paces[usual] = measure(usual)
        minutes = usual_minutes(family.teaching.usual_iterations(analysis.duration_s) * paces[usual])
    chosen, larger = size_steps[0], None
    paces[chosen] = paces.get(chosen) or measure(chosen)
    for size_step in size_steps[1:]:
        left_s = training_s(minutes, spent_s(), reserve_s(minutes))
        # On a busy machine a measurement is dear: what is out of reach is not measured.
        within_reach = left_s / (LEAST_SLOWER * paces[chosen]) >= size_step.iterations
        if within_reach:
            paces[size_step] = paces.get(size_step) or measure(size_step)
        if not within_reach or left_s / paces[size_step] < size_step.iterations:
            larger = size_step
            break
        chosen = size_step
    return Plan(
        analysis=analysis,
        family=family,
        crop=crop,
        size_step=chosen,
        iteration_s=paces[chosen],
        minutes=minutes,
        spent_s=spent_s(),
        larger=larger,
    )


def allowed_size_steps(family: FamilyChoice, crop: Crop, size: FrameSize | None) -> Sequence[SizeStep]:
    """Return the size steps of a family, smallest first, that suit a crop, in its shape; or those of one frame size.

    Raises TrainingError for a frame size of another shape than the crop's.
    """
    if size is not None:
        check_shape(crop, size)
    return family.teaching.size_steps(FrameSize(crop.height, crop.width), size)


def parse_size(text: str, name: str = "--size") -> FrameSize:
    """Return the frame size given as pixels of a square or WIDTHxHEIGHT.

    Raises TrainingError, with `name` in its sentence, for a wrong text, a side below 32 and sides that are no multiples of 8.
    """
    size = FrameSize.of(int(text) if text.isdecimal() else text, name)
    if size.short_side < SMALLEST_SIZE:
        raise TrainingError(
            f"{name} is {text}; {SMALLEST_SIZE} pixels or more were expected on each side, such as 128."
        )
    size.check(name)
    return size


def usual_minutes(training_seconds: float) -> float:
    """Return whole minutes for these seconds of training plus the reserve, between 5 and 60."""
    whole = -(-(training_seconds + RESERVE_S) // 60.0)
    return float(min(max(whole, SHORTEST_MINUTES), LONGEST_MINUTES))
