"""Train many: clips × configurations × seeds from one file, each trial in a process and a run folder of its own.

    python -m training.sweep configs/sweep/paper.yaml [--executor local|slurm] [--dry-run]

Everything is checked before anything starts. The same command again skips what is finished and goes on with what was
interrupted. A trial that fails does not stop the others; it is named at the end, and the exit code is 2.

Trials are run by submitit: on this machine, or as jobs of Slurm. It is a small library without dependencies of weight (MIT)
that runs a function somewhere else and tells when it is done. Hydra would be a second definition of the configuration beside
training/loop/config.py, and its submitit launcher has had no release since 2022; Ray Tune brings some 70 MB, a scheduler and a
service of its own, to start as many processes.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from engine.core.errors import TrainingError, run_main
from training.sweeps.launch import executor_of, run_all
from training.sweeps.plan import Trial, load_sweep, trials_of
from training.sweeps.table import Row, as_text, row_of, write_tables
from training.sweeps.trial import State, command_of, last_error, log_file, state_of, write_config


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", type=Path, metavar="SWEEP.yaml")
    parser.add_argument("--executor", choices=("local", "slurm"), default="local", help="where trials run")
    parser.add_argument(
        "--cache-folder", type=Path, metavar="FOLDER", help="where decoded clips are kept; default ~/.cache/fluid/clips"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the trials and their commands, then stop")
    return parser


def outcome(trial: Trial, code: int) -> Row:
    """Return the row of a trial that has ended."""
    if code:
        return row_of(trial, "failed", last_error(trial))
    state = state_of(trial)
    return row_of(trial, state, "" if state == "finished" else "it was stopped; the same command goes on")


def complaint(rows: list[Row]) -> str:
    """Name the trials that did not come to their end; empty when all did."""
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
            print(
                f"{trial.name}: {states[trial.name]}" + ("" if states[trial.name] == "finished" else f"\n    {command}")
            )
        return 0
    folder = Path(sweep.runs_folder)
    executor = executor_of(arguments.executor, sweep.launch, folder)
    for trial in trials:
        write_config(trial)
    rows = {trial.name: row_of(trial, states[trial.name]) for trial in trials}
    todo = [trial for trial in trials if states[trial.name] != "finished"]
    print(f"{len(trials)} trials, {len(trials) - len(todo)} of them finished before; logs: {log_file(trials[0])} …")
    for trial, code in run_all(executor, arguments.executor, todo, sweep.launch, arguments.cache_folder):
        rows[trial.name] = outcome(trial, code)
        write_tables(folder, list(rows.values()))
        print(f"{trial.name}: {rows[trial.name].state}", file=sys.stderr)
    write_tables(folder, list(rows.values()))
    print(as_text(list(rows.values())))
    unfinished = complaint(list(rows.values()))
    if unfinished:
        raise TrainingError(unfinished)
    return 0


if __name__ == "__main__":
    run_main(main)
