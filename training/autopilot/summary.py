"""Summary at the end of `python -m training.teach`: the result on the held-out part, and the command that plays the model."""

from __future__ import annotations

from pathlib import Path

from training.logging.records import read_records
from training.loop.run_folder import STATS_FILE

STILL_SHARE = 0.4
"""With a smaller share of the clip's motion, the result looks like a still image."""


def summary(run_folder: Path, model_file: Path, iteration: int) -> str:
    """Return the held-out figures of a run after `iteration`, its best earlier ones, and the command that plays the model."""
    earlier = validations(run_folder)
    now = earlier.pop(iteration, None)
    lines = held_out_lines(now) + (progress_lines(earlier, now) if now else [])
    return "\n".join(
        [*lines, f"play it:   python run_live.py --model {model_file}", "train it longer: run the same command again"]
    )


def validations(run_folder: Path) -> dict[int, dict[str, float]]:
    """Return the figures of every validation of a run by iteration."""
    records = read_records(run_folder / STATS_FILE)
    return {record["iteration"]: record["validation"] for record in records if "validation" in record}


def progress_lines(earlier: dict[int, dict[str, float]], now: dict[str, float]) -> list[str]:
    """Return a line when the error was lower before: from there on, more time adds only motion, if anything."""
    better = {iteration: figures for iteration, figures in earlier.items() if figures["l1"] < now["l1"]}
    if not better:
        return []
    best = min(better, key=lambda iteration: better[iteration]["l1"])
    figures = better[best]
    return [
        f"After {best:,} iterations its error was {figures['l1']:.3f}, with {figures['motion_share']:.0%} of the motion: more "
        "time no longer reduces the error; a longer clip would."
    ]


def held_out_lines(figures: dict[str, float] | None) -> list[str]:
    """Describe the model's error and motion on the held-out part of the clip."""
    if figures is None:
        return ["Training was stopped before the model was tested on the held-out part of the clip."]
    error, still, share = figures["l1"], figures["mean_frame_l1"], figures["motion_share"]
    reduction = 1.0 - error / still
    lines = [
        "On the held-out part, the last fifth of the clip, the model moves "
        f"{share:.0%} as much as the clip; its error is {error:.3f}, and the error of the clip's mean frame is {still:.3f} "
        f"({abs(reduction):.0%} {'less' if reduction > 0 else 'more'} error)."
    ]
    if share < STILL_SHARE:
        lines.append("It moves little so far: train it longer.")
    if reduction <= 0:
        lines.append(
            "It is not better than a still frame: the end of the clip differs from the rest, or more time or a longer "
            "clip is needed."
        )
    return lines
