"""Whether damaged and hostile files are read or refused in one sentence, quickly and in little memory.

    python -m benchmarks.fuzz_files --minutes 10 [--seed 18] [--keep FOLDER]

Each trial damages good files of one kind at random and reads them as the product does. Anything but a result or a UserError of one
line is a fault, and so is a trial that takes longer than HANGS_S, which ends the program with the place where it hangs.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import shutil
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz_damage import damaged, replace_by_other
from benchmarks.fuzz_subjects import Subject, random_mapping, subjects
from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import UserError, run_main
from engine.core.printable import print_line
from engine.ops.health_monitor import resident_mib

HANGS_S = 60.0
LONGEST_SENTENCE = 1000
OTHER_THAN_A_FILE = 0.05
"""Share of trials in which something else lies in the place of a file."""


@dataclass(slots=True)
class Outcome:
    """What became of the trials of one kind."""

    trials: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list[str])
    slowest_s: float = 0.0


def trial(subject: Subject, folder: Path, drawn: random.Random) -> None:
    """Damage the files of one kind, then read them. Raises what reading raises."""
    hurt = set(drawn.sample(sorted(subject.files), drawn.randint(1, min(2, len(subject.files)))))
    for name, content in subject.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(damaged(content, drawn) if name in hurt else content)
        if name in hurt and subject.name == "mapping" and drawn.random() < 0.7:
            file.write_text(random_mapping(drawn))
        elif name in hurt and subject.name not in ("mapping", "array") and drawn.random() < OTHER_THAN_A_FILE:
            replace_by_other(file, drawn)
    subject.read(folder)


def run_trial(subject: Subject, folder: Path, seed: str, outcome: Outcome) -> None:
    """Run the trial of a seed and count what became of it."""
    begun_s = WallClock().now_s()
    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    try:
        trial(subject, folder, random.Random(seed))
    except UserError as error:
        outcome.refused += 1
        if "\n" in str(error) or len(str(error)) > LONGEST_SENTENCE:
            outcome.faults.append(f"{seed}: no sentence: {str(error)[:200]!r}")
    except Exception as error:  # noqa: BLE001  (whatever comes is what is looked for)
        place = traceback.extract_tb(error.__traceback__)[-1]
        outcome.faults.append(
            f"{seed}: {type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:200]}"
        )
    finally:
        faulthandler.cancel_dump_traceback_later()
    outcome.trials += 1
    outcome.slowest_s = max(outcome.slowest_s, WallClock().now_s() - begun_s)


def fuzz(
    seed: int, *, minutes: float | None = None, trials: int | None = None, keep: Path | None = None
) -> dict[str, Outcome]:
    """Run trials of all kinds in turn, for so long or so many of each; copy the files of faults to `keep`."""
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as place:
        kinds = subjects(Path(place) / "good")
        until_s = WallClock().now_s() + 60.0 * (minutes or float("inf"))
        number = 0
        while WallClock().now_s() < until_s and (trials is None or number < trials):
            for subject in kinds:
                outcome, name = outcomes.setdefault(subject.name, Outcome()), f"{seed}.{subject.name}.{number}"
                folder, faults = Path(place) / "trial", len(outcome.faults)
                folder.mkdir()
                run_trial(subject, folder, name, outcome)
                if keep and len(outcome.faults) > faults:
                    shutil.copytree(folder, keep / name, symlinks=True, ignore_dangling_symlinks=True)
                shutil.rmtree(folder)
            number += 1
    return outcomes


def figures(outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """Return the figures of a record."""
    return {
        name: {"trials": o.trials, "refused": o.refused, "faults": len(o.faults), "slowest_s": round(o.slowest_s, 3)}
        for name, o in outcomes.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_files", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy the files of every fault here")
    arguments = parser.parse_args()
    before_mib = resident_mib()
    outcomes = fuzz(arguments.seed, minutes=arguments.minutes, keep=arguments.keep)
    found = figures(outcomes)
    print_table(
        ["kind", "trials", "refused", "faults", "slowest s"], [[name, *one.values()] for name, one in found.items()]
    )
    faults = [fault for outcome in outcomes.values() for fault in outcome.faults]
    kinds = Counter(fault.split(": ", 1)[1].split(" at ")[0] for fault in faults)
    print_line(*faults[:50], *(f"{kind}: {count}" for kind, count in kinds.most_common(20)))
    grown = {"rss_before_mib": before_mib, "rss_after_mib": resident_mib()}
    append_record("fuzz_files", {"minutes": arguments.minutes, "seed": arguments.seed, "kinds": found, **grown})
    return 1 if faults else 0


if __name__ == "__main__":
    run_main(main)
