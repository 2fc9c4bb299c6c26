"""Run a sweep: clips × configurations × seeds from one file, each trial in its own process and run folder.

    python -m training.sweep configs/sweep/paper.yaml [--executor local|slurm] [--dry-run]

All trials are checked before the first one starts. The same command again skips finished trials and resumes interrupted ones.
A failed trial does not stop the others; it is named at the end, and the exit code is 2.

submitit runs the trials on this machine or as Slurm jobs. docs/many-machines.md compares it with Hydra and Ray Tune.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line, print_lines
from engine.core.stop_signals import StopRequest, on_stop_signals
from training.sweeps.launch import executor_of, run_all
from training.sweeps.plan import Trial, load_sweep, trials_of
from training.sweeps.table import Row, as_text, row_of, write_tables
from training.sweeps.trial import State, command_of, last_error, log_file, state_of, write_config


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        prog="python -m training.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", type=Path, metavar="SWEEP.yaml")
    parser.add_argument("--executor", choices=("local", "slurm"), default="local", help="where to run the trials")
    parser.add_argument(
        "--cache-folder", type=Path, metavar="FOLDER", help="cache of decoded clips; default ~/.cache/fluid/clips"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the trials and their commands and stop")
    return parser


def finished_row(trial: Trial, code: int) -> Row:
    """Return the row of a trial that has ended with an exit code."""
    if code:
        return row_of(trial, "failed", last_error(trial))
    state = state_of(trial)
    return row_of(
        trial, state, "" if state == "finished" else "it was stopped; run the same command again to resume it"
    )


def unfinished_message(rows: list[Row]) -> str:
    """Return a sentence that names the unfinished trials, or an empty string."""
    unfinished = [row for row in rows if row.state != "finished"]
    named = "; ".join(f"{row.trial} {row.state}: {row.why.rstrip('.')}" for row in unfinished)
    return f"{len(unfinished)} of {len(rows)} trials did not finish. {named}." if unfinished else ""


def main(argv: list[str] | None = None) -> int:
    arguments = argument_parser().parse_args(argv)
    sweep = load_sweep(arguments.sweep)
    trials = trials_of(sweep, arguments.sweep)
    states: dict[str, State] = {trial.name: state_of(trial) for trial in trials}
    if arguments.dry_run:
        for trial in trials:
            command = shlex.join(command_of(trial, sweep.launch.gpus, arguments.cache_folder))
            print_lines(
                f"{trial.name}: {states[trial.name]}" + ("" if states[trial.name] == "finished" else f"\n    {command}")
            )
        return 0
    folder = Path(sweep.runs_folder)
    executor = executor_of(arguments.executor, sweep.launch, folder)
    for trial in trials:
        write_config(trial)
    rows = {trial.name: row_of(trial, states[trial.name]) for trial in trials}
    todo = [trial for trial in trials if states[trial.name] != "finished"]
    print_line(
        f"{len(trials)} trials, {len(trials) - len(todo)} of them already finished; logs: {log_file(trials[0])} …"
    )
    stop = StopRequest()
    with on_stop_signals(stop.ask):
        for trial, code in run_all(executor, arguments.executor, todo, sweep.launch, arguments.cache_folder, stop):
            rows[trial.name] = finished_row(trial, code)
            write_tables(folder, list(rows.values()))
            print_line(f"{trial.name}: {rows[trial.name].state}", file=sys.stderr)
    if stop.is_set():
        raise TrainingError("The sweep was stopped; run the same command again to resume it.")
    write_tables(folder, list(rows.values()))
    print_lines(as_text(list(rows.values())))
    unfinished = unfinished_message(list(rows.values()))
    if unfinished:
        raise TrainingError(unfinished)
    return 0


if __name__ == "__main__":
    run_main(main)
