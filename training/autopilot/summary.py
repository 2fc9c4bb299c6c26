"""What came of a run, in plain words."""

from __future__ import annotations

from pathlib import Path

from training.logging.records import read_records
from training.loop.run_folder import STATS_FILE

STILL_SHARE = 0.4
"""Who moves less than this beside the clip looks like a still."""


def outcome(run_folder: Path, model_file: Path, iteration: int) -> str:
    """Return the held-out figures of a run after `iteration`, beside its best before, and the line that plays the model."""
    found = validations(run_folder)
    now = found.pop(iteration, None)
    lines = held_out_words(now) + (progress_words(found, now) if now else [])
    return "\n".join(
        [*lines, f"play it:   python run_live.py --model {model_file}", "teach it more: the same command again"]
    )


def validations(run_folder: Path) -> dict[int, dict[str, float]]:
    """Return the numbers of every validation of a run by iteration."""
    records = read_records(run_folder / STATS_FILE)
    return {record["iteration"]: record["validation"] for record in records if "validation" in record}


def progress_words(before: dict[int, dict[str, float]], now: dict[str, float]) -> list[str]:
    """Say so when the error was lower before: from there on more time brings motion or nothing."""
    nearer = {iteration: numbers for iteration, numbers in before.items() if numbers["l1"] < now["l1"]}
    if not nearer:
        return []
    best = min(nearer, key=lambda iteration: nearer[iteration]["l1"])
    numbers = nearer[best]
    return [
        f"After {best:,} iterations its error was {numbers['l1']:.3f}, with {numbers['motion_share']:.0%} of the motion: more "
        "time no longer brings it nearer to this clip; a longer clip would."
    ]


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
