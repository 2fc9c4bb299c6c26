"""What `python -m training.teach` does after training: export, test, evaluate as far as there is time, and write the report."""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from engine.core.errors import TrainingError, UserError
from engine.core.printable import print_line
from training import evaluate
from training.autopilot.clip_analysis import ClipAnalysis
from training.autopilot.held_out import HeldOutTest, held_out_test
from training.autopilot.summary import Ending
from training.autopilot.time_budget import Extent, TimeBudget
from training.core.device import choose_device
from training.data.footage import load_footage
from training.data.video import ClipFormat
from training.evaluation.files import RECORD
from training.evaluation.held_out_synchrony import suite_rows, synchrony_phrase
from training.logging.records import concluded
from training.loop.checkpoint import BEST, ChosenCheckpoint, chosen_checkpoint, load_generator
from training.loop.config import load_train_config
from training.loop.memory import memory_watched
from training.loop.run_folder import CONFIG_FILE, EVALUATION_FOLDER, find_checkpoint
from training.loop.validation import Validation, validate_segments
from training.report import write_report

NO_SYNCHRONY = "synchrony not measured: "


def exported(
    arguments: argparse.Namespace, run_folder: Path, model_file: Path, analysis: ClipAnalysis, budget: TimeBudget
) -> Ending:
    """Export the best checkpoint, test it and write the report. Raises TrainingError where the export fails."""
    # The model file comes first: nothing that is measured or written about it may cost it.
    newest, chosen = find_checkpoint(run_folder), chosen_checkpoint(run_folder)
    try:
        export(chosen.folder, model_file)
    except TrainingError:
        if chosen.folder == newest:
            raise
        print_line(f"notice: the best checkpoint cannot be exported; the newest one is: {newest}", file=sys.stderr)
        chosen = ChosenCheckpoint(newest, "")
        export(newest, model_file)
    found = tested(arguments, run_folder, chosen.folder, int(newest.name))
    measured = ""
    if found.figures is not None:
        measured = write_tables(arguments, run_folder, chosen.folder, budget.evaluation())
    return Ending(
        analysis=analysis,
        figures=found.figures,
        reason=found.reason,
        exported=int(chosen.folder.name),
        last=int(newest.name),
        chosen=chosen.reason == BEST,
        synchrony=measured,
        more_clips=more_clips(run_folder),
        model_file=model_file,
        film=str(found.film or ""),
        report=written_report(run_folder),
    )


def tested(arguments: argparse.Namespace, run_folder: Path, checkpoint: Path, last: int) -> HeldOutTest:
    """Test the exported checkpoint on the held-out part, unless somebody waits for the end."""
    if not concluded(run_folder, last):
        return HeldOutTest(None, "training was stopped before the test on the held-out part")
    return held_out_test(run_folder, int(checkpoint.name), last, lambda: play_held_out(arguments, checkpoint))


def play_held_out(arguments: argparse.Namespace, checkpoint: Path) -> tuple[Validation, ClipFormat]:
    """Play the held-out part with a checkpoint that is not the newest. Raises TrainingError."""
    loaded = load_generator(checkpoint)
    config, clip_config = loaded.config, replace(loaded.config.clip, path=str(arguments.clip))
    footage = load_footage(clip_config, config.clip_format(), config.sequence_frames, arguments.cache_folder)
    model = loaded.model.to(choose_device(arguments.device))
    with memory_watched(config, "while the held-out part was played"):
        found = validate_segments(model, footage.validation, footage.mean_frame(), config.sequence_frames)
    return found, footage.format


def write_tables(arguments: argparse.Namespace, run_folder: Path, checkpoint: Path, extent: Extent | None) -> str:
    """Write the tables of the evaluation for the report, as many as there is time for; return what is to be said of synchrony."""
    if extent is None:
        command = f"python -m training.evaluate {run_folder}"
        print_line(f"notice: no time is left for the evaluation's tables; {command} makes them.", file=sys.stderr)
        return f"{NO_SYNCHRONY}no time was left"
    try:
        # The tables are on the page that is written; a person who waits for the model wants five lines.
        with contextlib.redirect_stdout(io.StringIO()):
            evaluate.main(evaluation_arguments(arguments, run_folder, checkpoint, extent))
    except KeyboardInterrupt:
        print_line("notice: the evaluation was stopped; its tables are missing.", file=sys.stderr)
        return f"{NO_SYNCHRONY}the evaluation was stopped"
    except (UserError, OSError) as error:
        print_line(f"notice: there are no evaluation tables: {error}", file=sys.stderr)
        return f"{NO_SYNCHRONY}there are no evaluation tables"
    return synchrony_phrase(suite_rows(run_folder / EVALUATION_FOLDER / RECORD))


def evaluation_arguments(
    arguments: argparse.Namespace, run_folder: Path, checkpoint: Path, extent: Extent
) -> list[str]:
    """Return the command line for `training.evaluate`."""
    argv = [str(checkpoint), "--out", str(run_folder / EVALUATION_FOLDER), "--device", arguments.device]
    argv += ["--clip", str(arguments.clip)]
    argv += ["--lengths", extent.lengths, "--sequences", str(extent.sequences), "--shifts", "1"]
    return argv + (["--cache-folder", str(arguments.cache_folder)] if arguments.cache_folder else [])


def more_clips(run_folder: Path) -> int:
    """Return how many further clips a run was trained on."""
    try:
        return len(load_train_config(run_folder / CONFIG_FILE).clip.more)
    except TrainingError:
        # Lost or damaged meanwhile: the ending is not worth an error.
        return 0


def written_report(run_folder: Path) -> str:
    """Write the report and say where it is, or why it is not there."""
    try:
        return f"tables: {write_report(run_folder)}"
    except (OSError, TrainingError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).rstrip(".")
        return f"the report was not written ({reason})"


def export(checkpoint: Path, model_file: Path) -> None:
    """Export a checkpoint. Raises TrainingError when that fails; its own message is already on stderr."""
    # In a process of its own: training must not import export, because a checkpoint has to contain all that export needs.
    command = [sys.executable, "-m", "export.to_onnx", str(checkpoint), "-o", str(model_file)]
    print_line(f"export    {model_file}")
    # What it prints when all is well, parity and drift, is in the model file too.
    if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
        raise TrainingError(
            f"{model_file} was not written; the checkpoint {checkpoint} is saved. Try: {' '.join(['python', *command[1:]])}"
        )
