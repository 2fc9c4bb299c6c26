"""The ending of `python -m training.teach`, five lines: how good, trained on what, where to look, how to go on, how to play it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.autopilot.clip_analysis import ClipAnalysis
from training.logging.records import read_records
from training.loop.run_folder import STATS_FILE

STILL_SHARE = 0.4
"""With a smaller share of the clip's motion, the result looks like a still frame."""
MOTION = ((1.3, "more restless than the clip"), (0.7, "as lively as the clip"), (STILL_SHARE, "calmer than the clip"))
NEARLY_STILL = "nearly still"
QUALITY = ((0.2, "good"), (0.05, "fair"), (1e-9, "weak"))
"""How much less error than the clip's mean frame deserves the word: a talking head reached 0.15, water 0.35."""
POOR = "poor, no better than a still frame"
FAR_APART, FAR_ITERATIONS = 2.0, 500
"""The best checkpoint tells that more time no longer helps only where training went on for as long again, and for so many
iterations: nearer ones differ by accident."""
LONGER = "run the same command again to train it longer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What the ending tells of. `figures` is None where they could not be had, and `reason` says why."""

    analysis: ClipAnalysis
    figures: Mapping[str, float] | None
    """Of the exported checkpoint on the held-out part."""
    reason: str
    exported: int
    last: int
    """Iterations of the exported checkpoint and of the newest one."""
    chosen: bool
    """Whether the exported checkpoint was chosen by its loss on the tuning part."""
    model_file: Path
    film: str
    """Where the film is that shows the clip beside the model; empty where there is none."""
    report: str
    """Where the report is, or why there is none."""
    synchrony: str = ""
    """How the exported checkpoint goes with the sound, or why that was not measured."""
    more_clips: int = 0
    """Further clips of the same scene; `analysis` is of the first one, and `figures` are of all."""

    def lines(self) -> list[str]:
        """Return the five lines."""
        film = f"{self.film}, the clip beside the model; " if self.film else ""
        synchrony = f"; {self.synchrony}" if self.synchrony and self.figures else ""
        return [
            f"quality   {_quality(self.figures, self.reason, bool(self.more_clips))}{synchrony}",
            f"trained   {self._trained()}",
            f"watch     {film}{self.report}",
            f"go on     {advice(self.figures, self.exported, self.last)}",
            f"play it   python run_live.py --model {self.model_file}",
        ]

    def _trained(self) -> str:
        quiet_db, loud_db = self.analysis.level_range_db
        best = (
            f"the checkpoint after {self.exported:,} of {self.last:,} iterations, the best on a part kept aside for this choice"
            if self.chosen
            else f"the newest checkpoint, after {self.exported:,} iterations"
        )
        name, others = self.analysis.path.name, self.more_clips
        levels = f"from {quiet_db:.0f} dB in quiet moments to {loud_db:.0f} dB in loud ones"
        more = (
            f" and on {others} more {'clip' if others == 1 else 'clips'}; the sound of {name} goes"
            if others
            else ", with sound"
        )
        return f"on {self.analysis.trained_s:.1f} s of {name}{more} {levels}; the model file holds {best}"


def advice(figures: Mapping[str, float] | None, exported: int, last: int) -> str:
    """Return one way to go on."""
    if no_longer_helps(exported, last):
        return "use a longer clip: more time no longer helped with this one"
    if figures is None:
        return LONGER
    if figures["l1"] >= figures["mean_frame_l1"] and last >= FAR_APART * FAR_ITERATIONS:
        return "use a longer clip whose end is like the rest"
    if figures["motion_share"] < STILL_SHARE:
        return "run the same command again: with more time it moves more"
    return LONGER


def no_longer_helps(best: int, last: int) -> bool:
    """Tell whether the best checkpoint is so far behind the last one that more training is known to be in vain."""
    return last >= FAR_APART * best and last - best >= FAR_ITERATIONS


def validations(run_folder: Path) -> dict[int, dict[str, float]]:
    """Return the figures of every validation of a run by iteration."""
    records = read_records(run_folder / STATS_FILE)
    return {record["iteration"]: record["validation"] for record in records if "validation" in record}


def _quality(figures: Mapping[str, float] | None, reason: str, of_several: bool) -> str:
    if figures is None:
        return f"not measured: {reason}"
    error, still = figures["l1"], figures["mean_frame_l1"]
    of_clip, whose = ("each clip", "the clips'") if of_several else ("the clip", "the clip's")
    if not still > 0.0:
        return f"not measured: the last fifth of {of_clip}, which was not trained, is a still frame"
    word = _word(1.0 - error / still, QUALITY, POOR)
    return (
        f"{word}: on the last fifth of {of_clip}, which was not trained, the error is {error:.3f} (a still frame: {still:.3f}), "
        f"with {_motion(figures['motion_share'], whose)}"
    )


def _motion(share: float, whose: str) -> str:
    if not math.isfinite(share):
        return "nothing that moves in it"
    return f"{share:.0%} of {whose} motion: {_word(share, MOTION, NEARLY_STILL)}"


def _word(value: float, words: Sequence[tuple[float, str]], otherwise: str) -> str:
    """Return the word of the first number that `value` reaches."""
    return next((word for least, word in words if value >= least), otherwise)
