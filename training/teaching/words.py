"""What came of a run, in plain words."""

from __future__ import annotations

from pathlib import Path

from training.run_folder import STATS_FILE
from training.stats import read_stats

STILL_SHARE = 0.4
"""Who moves less than this beside the clip looks like a still."""


def outcome(run_folder: Path, model_file: Path) -> str:
    """Return the held-out figures of a run's last validation, and the line that plays the model."""
    lines = held_out_words(last_validation(run_folder))
    return "\n".join(
        [*lines, f"play it:   python run_live.py --model {model_file}", "teach it more: the same command again"]
    )


def last_validation(run_folder: Path) -> dict[str, float] | None:
    """Return the numbers of the newest validation, or None before the first."""
    found = [record["validation"] for record in read_stats(run_folder / STATS_FILE) if "validation" in record]
    return found[-1] if found else None


def held_out_words(numbers: dict[str, float] | None) -> list[str]:
    """Say how near the model comes to the part of the clip that it was not taught, and how much it moves."""
    if numbers is None:
        return ["It was stopped before it was tried on the held-out part of the clip."]
    error, still, share = numbers["l1"], numbers["mean_frame_l1"], numbers["motion_share"]
    nearer = 1.0 - error / still
    lines = [
        "On the last fifth of the clip, which it was not taught, it moves "
        f"{share:.0%} as much as the clip; its error is {error:.3f}, and the clip's mean picture held still has {still:.3f} "
        f"({abs(nearer):.0%} {'less' if nearer > 0 else 'more'} error)."
    ]
    if share < STILL_SHARE:
        lines.append("It moves little yet: teach it longer.")
    if nearer <= 0:
        lines.append(
            "It is no nearer than a still picture: the end of the clip looks unlike the rest, or more time or a longer "
            "clip is needed."
        )
    return lines
