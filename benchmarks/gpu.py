"""What a machine with a graphics card does with this project, in one command, within its minutes.

    python -m benchmarks.gpu --minutes 8                      # on the machine with the card
    python -m benchmarks.gpu --make FOLDER                    # elsewhere: make the model files only
    python -m benchmarks.gpu --minutes 8 --models FOLDER      # and take them from there

It runs from the source tree with what is installed, and says what it skips and why. Every backend plays 64 carried steps against
the processor, plays on while models are swapped, and is timed in four frame sizes against what the card's memory and arithmetic
allow; training runs 100 iterations, with --reference beside the original's. Each job is a process of its own with a limit of time.
The figures go to gpu.json and the page to gpu.md, in the folder of -o. Without a card the processor's backends are measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.gpu_child import Job, Outcome, run_job
from benchmarks.gpu_jobs import PARTS, Bench, jobs_of
from benchmarks.gpu_models import NAMES
from benchmarks.gpu_page import figures, page
from engine.core.atomic_files import write_text
from engine.core.clock import Clock, WallClock
from engine.core.errors import ConfigError, run_main
from engine.model.backends.graphics_card import find_card

LEAST_MINUTES = 0.5
LEAST_JOB_S, ENOUGH_S = 2.0, 15.0


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.make:
        return make_only(arguments.make)
    if not arguments.minutes >= LEAST_MINUTES:
        raise ConfigError(f"--minutes is {arguments.minutes:g}; at least {LEAST_MINUTES:g} was expected.")
    for flag, folder in (("--models", arguments.models), ("--reference", arguments.reference)):
        if folder and not folder.is_dir():
            raise ConfigError(f"{flag} is {folder}, which is no folder; give the path of one.")
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(work=Path(work), models=arguments.models, reference=arguments.reference, card=find_card())
        run_parts(bench, arguments.only or tuple(PARTS), 60.0 * arguments.minutes, WallClock(), outcomes)
    arguments.output.mkdir(parents=True, exist_ok=True)
    record = figures(outcomes, bench.card, arguments.minutes)
    for name, text in (("gpu.json", record), ("gpu.md", page(record))):
        write_text(arguments.output / name, text)
    print(f"{arguments.output / 'gpu.md'} and gpu.json")
    return 0


def make_only(folder: Path) -> int:
    """Make the model files in `folder`, without a limit, and say what was left out."""
    left_out = 0
    for name in NAMES:
        outcome = run_job(
            Job(part="make", name=name, call="make", arguments={"folder": str(folder), "name": name}), 3600.0
        )
        tell(outcome)
        left_out += bool(outcome.fault)
    return 1 if left_out else 0


def run_parts(bench: Bench, parts: Iterable[str], total_s: float, clock: Clock, outcomes: list[Outcome]) -> None:
    """Run the parts one after another; each gets its share of the time that is left, and what it leaves goes to the later ones."""
    end_s, remaining = clock.now_s() + total_s, [part for part in PARTS if part in parts]
    while remaining:
        part_s = (end_s - clock.now_s()) * PARTS[remaining[0]] / sum(PARTS[part] for part in remaining)
        part = remaining.pop(0)
        run_part(jobs_of(part, bench), clock.now_s() + part_s, clock, outcomes)


def run_part(jobs: Sequence[Job], end_s: float, clock: Clock, outcomes: list[Outcome]) -> None:
    """Run jobs until `end_s`; those for which no time is left are skipped."""
    waiting = sum(1 for job in jobs if not job.skip)
    for job in jobs:
        left_s = end_s - clock.now_s()
        if job.skip:
            outcomes.append(run_job(job, 0.0))
        elif left_s < LEAST_JOB_S:
            outcomes.append(Outcome(part=job.part, name=job.name, fault="the time of its part was over", skipped=True))
        else:
            outcomes.append(run_job(job, job_limit_s(job.part, left_s, waiting)))
        waiting -= not job.skip
        tell(outcomes[-1])


def job_limit_s(part: str, left_s: float, waiting: int) -> float:
    """Return the limit of the next job of a part with `left_s` left for `waiting` jobs: twice its share, and ENOUGH_S at least.

    The first models are worth more than a little of each, so one may take all the time of its part.
    """
    return left_s if part == "make" else min(left_s, max(ENOUGH_S, 2.0 * left_s / waiting))


def tell(outcome: Outcome) -> None:
    """Print one line for a job that has ended."""
    how = ("skipped: " if outcome.skipped else "") + outcome.fault if outcome.fault else "done"
    print(
        f"{outcome.part:<6} {outcome.name:<40} {outcome.took_s:5.1f} s  {len(outcome.rows)} rows  {how}",
        file=sys.stderr,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--minutes", type=float, default=8.0, help="for everything together (default %(default)g)")
    add("-o", "--output", type=Path, default=Path("gpu-report"), metavar="FOLDER", help="default: gpu-report")
    add("--make", type=Path, metavar="FOLDER", help="make the model files there and do nothing else")
    add("--models", type=Path, metavar="FOLDER", help="take the model files from there, where none can be made")
    add("--reference", type=Path, metavar="CHECKOUT", help="the original's code, to train beside it")
    add("--only", nargs="+", choices=tuple(PARTS), metavar="PART", help=f"some of the parts: {', '.join(PARTS)}")
    return parser


if __name__ == "__main__":
    run_main(main)
