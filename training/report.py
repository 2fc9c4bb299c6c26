"""Write a report about a run on one page: curves, contact sheets, the last sample with sound, settings, machine and events.

    python -m training.report runs/NAME

writes runs/NAME/report.html. Training also writes it at its end. The page contains everything it shows and needs no network.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import jinja2
import numpy as np
import yaml

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from engine.core.yaml_reading import read_yaml
from training.evaluation.held_out_synchrony import suite_rows
from training.evaluation.results import direction
from training.evaluation.text import synchrony_extent, synchrony_lines
from training.logging.charts import Point, Series, line_chart
from training.logging.records import Record, read_records
from training.loop.checkpoint import best_checkpoint
from training.loop.run_folder import (
    CONFIG_FILE,
    EVALUATION_FOLDER,
    REPORT_FILE,
    SAMPLES_FOLDER,
    STATS_FILE,
    TENSORBOARD_FOLDER,
    checkpoint_folders,
    sound_sample_name,
)
from training.losses.quality import QUALITY

TEMPLATE = Path(__file__).parent / "logging" / "report_page.html"
LARGEST_VIDEO_BYTES = 16_000_000
"""The page links a larger video instead of containing it."""
EVALUATION_FILES, EVALUATION_CURVES = ("evaluation.html", "evaluation.json"), "curves.png"
SHEETS, SHEET_QUALITY = 6, 88
ENDINGS = {
    "started": ("open", "running or killed"),
    "resumed": ("open", "running or killed"),
    "finished": ("good", "finished"),
    "interrupted": ("open", "interrupted; it can be resumed"),
    "failed": ("bad", "stopped by an error"),
}
UNKNOWN_END = ("open", "no record of its end")
ADVERSARIAL = ("g_", "d_")
NOTHING_MOVES = "nothing moves in the held-out part"


def write_report(run_folder: Path) -> Path:
    """Write the report of a run and return its path. Raises OSError, and TrainingError for a folder without a run."""
    path = run_folder / REPORT_FILE
    write_text(path, page(run_folder))
    return path


def page(run_folder: Path) -> str:
    """Return the page. Raises TrainingError for a folder without a run."""
    records = read_records(run_folder / STATS_FILE)
    if not records:
        raise TrainingError(f"{run_folder} holds no {STATS_FILE} with records; a run folder was expected.")
    config = _config(run_folder)
    losses = [record for record in records if "event" not in record and "validation" not in record]
    validations = [record for record in records if "validation" in record]
    events = [record for record in records if "event" in record]
    template = jinja2.Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        name=_get(config, "model", "name") or run_folder.resolve().name,
        clip=config.get("clip") or {},
        model=config.get("model") or {},
        status=next((ENDINGS[r["event"]] for r in reversed(events) if r["event"] in ENDINGS), UNKNOWN_END),
        written=datetime.datetime.now().strftime("%d %B %Y, %H:%M"),
        tiles=_tiles(records, losses, validations),
        charts=_charts(losses, validations),
        video=_video(run_folder, validations),
        sounds=_sounds(run_folder, validations),
        sheets=_sheets(run_folder, validations),
        events=[_event(record) for record in events],
        machine=next((record["machine"] for record in reversed(events) if "machine" in record), {}),
        commit=next((record["commit"] for record in reversed(events) if "commit" in record), ""),
        checkpoints=_checkpoints(run_folder),
        evaluation=_evaluation(run_folder),
        settings=yaml.safe_dump(config, sort_keys=False),
        exported=best_checkpoint(run_folder) or run_folder,
        folders={"run": run_folder, "tensorboard": run_folder / TENSORBOARD_FOLDER},
    )


def _config(run_folder: Path) -> dict[str, Any]:
    try:
        values = read_yaml(run_folder / CONFIG_FILE)
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _get(values: Any, *names: str) -> Any:
    for name in names:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _tiles(
    records: Sequence[Record], losses: Sequence[Record], validations: Sequence[Record]
) -> list[tuple[str, str, str]]:
    """Return (name, figure, remark) of each tile at the top of the page."""
    tiles: list[tuple[str, str, str]] = []
    if validations:
        last_found = validations[-1]["validation"]
        best = min(validations, key=lambda record: record["validation"]["l1"])
        tiles.append(("Held-out L1", f"{last_found['l1']:.4f}", _beside_mean_frame(last_found)))
        share = last_found["motion_share"]
        about = "of the clip's motion, on the held-out part" if math.isfinite(share) else NOTHING_MOVES
        tiles.append(("Motion", _percent(share), about))
        if best is not validations[-1]:
            tiles.append(("Best L1", f"{best['validation']['l1']:.4f}", f"after {best['iteration']:,} iterations"))
    last = max(records, key=lambda record: record["iteration"])
    tiles.append(("Iterations", f"{last['iteration']:,}", "batches of sequences"))
    tiles.append(("Time", _duration(max(r.get("elapsed_s", 0.0) for r in records)), "including validation and samples"))
    speed = _speed(losses)
    if speed:
        tiles.append(("Speed", f"{statistics.median(speed):.2f}", "iterations per second, median"))
    return tiles


def _beside_mean_frame(found: Mapping[str, float]) -> str:
    """Compare the error with that of the mean frame, which has none where the held-out part shows that frame alone."""
    error, still = found["l1"], found["mean_frame_l1"]
    if not (math.isfinite(error) and still > 0.0):
        return f"the mean frame has {still:.4f}"
    better = 100.0 * (1.0 - error / still)
    return f"{abs(better):.0f} % {'better' if better > 0 else 'worse'} than the mean frame, {still:.4f}"


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %" if math.isfinite(share) else "not measured"


def _charts(losses: Sequence[Record], validations: Sequence[Record]) -> list[dict[str, Any]]:
    def points(records: Sequence[Record], name: str) -> list[Point]:
        return [(r["iteration"], r[name]) for r in records if isinstance(r.get(name), (int, float))]

    held_out = [{"iteration": r["iteration"], **r["validation"]} for r in validations]
    apart = {"iteration", "elapsed_s", "learning_rate", *QUALITY}
    names = [n for n in dict.fromkeys(n for r in losses for n in r) if n not in apart]
    training = [Series(n, points(losses, n)) for n in names if not n.startswith(ADVERSARIAL)]
    generator = [Series(n, points(losses, n)) for n in names if n.startswith("g_")]
    discriminators = [Series(n, points(losses, n)) for n in names if n.startswith("d_")]
    errors = [Series("model", points(held_out, "l1")), Series("mean frame", points(held_out, "mean_frame_l1"), True)]
    moved = [Series("model", points(held_out, "motion_share"))]
    moved += [Series("the clip itself", [(0, 1.0)], True)] if held_out else []
    rate = [Series("rate", points(losses, "learning_rate"))]
    end = max(r["iteration"] for r in (*losses, *held_out)) if losses or held_out else 0
    drawn = [
        ("Held-out error", "L1 on the held-out part, for frames in −1 … 1", line_chart(errors, end)),
        ("Motion", "of the model, as a share of the clip's", line_chart(moved, end, from_zero=True)),
        ("Training losses", "mean since the last record", line_chart(training, end, noisy=True)),
        *(
            (
                label,
                f"of the last training batch; {direction(label)}",
                line_chart([Series(label, points(losses, name))], end, noisy=True),
            )
            for name, label in QUALITY.items()
        ),
        ("Learning rate", "of the generator", line_chart(rate, end, from_zero=True)),
        ("Generator against discriminators", "adversarial losses", line_chart(generator, end, noisy=True)),
        ("Discriminators", "their losses", line_chart(discriminators, end, noisy=True)),
    ]
    return [{"title": title, "about": about, "svg": svg} for title, about, svg in drawn if svg]


def _speed(losses: Sequence[Record]) -> list[float]:
    """Return iterations per second between records; the time may stand still or go back where a run was resumed."""
    found: list[float] = []
    for one, other in itertools.pairwise(losses):
        seconds, iterations = other["elapsed_s"] - one["elapsed_s"], other["iteration"] - one["iteration"]
        if seconds > 0 and iterations > 0:
            found.append(iterations / seconds)
    return found


def _video(run_folder: Path, validations: Sequence[Record]) -> dict[str, str] | None:
    """Return the newest sample video."""
    for record in reversed(validations):
        file = run_folder / SAMPLES_FOLDER / f"{record['iteration']:07d}.mp4"
        if file.is_file():
            return {"source": _video_source(file), "iteration": f"{record['iteration']:,}"}
    return None


def _sounds(run_folder: Path, validations: Sequence[Record]) -> dict[str, Any]:
    """Return the newest videos of sounds from outside the clip."""
    for record in reversed(validations):
        start = sound_sample_name(record["iteration"], "").removesuffix(".mp4")
        files = sorted((run_folder / SAMPLES_FOLDER).glob(f"{start}*.mp4"))
        if files:
            videos = [{"name": file.stem.removeprefix(start), "source": _video_source(file)} for file in files]
            return {"iteration": f"{record['iteration']:,}", "videos": videos}
    return {}


def _video_source(file: Path) -> str:
    """Return the content of a sample video for the page, or a link to a large one."""
    if file.stat().st_size > LARGEST_VIDEO_BYTES:
        return f"{SAMPLES_FOLDER}/{quote(file.name)}"
    return f"data:video/mp4;base64,{base64.b64encode(file.read_bytes()).decode()}"


def _sheets(run_folder: Path, validations: Sequence[Record]) -> list[dict[str, str]]:
    """Return contact sheets spread over the run, oldest first, without unreadable ones."""
    there = [r for r in validations if (run_folder / SAMPLES_FOLDER / f"{r['iteration']:07d}.png").is_file()]
    chosen = np.unique(np.linspace(0, len(there) - 1, min(SHEETS, len(there))).round().astype(int))
    found: list[dict[str, str]] = []
    for record in (there[index] for index in chosen):
        image_HWC = cv2.imread(str(run_folder / SAMPLES_FOLDER / f"{record['iteration']:07d}.png"))
        if image_HWC is None:
            continue
        _, content = cv2.imencode(".jpg", image_HWC, [cv2.IMWRITE_JPEG_QUALITY, SHEET_QUALITY])
        found.append(
            {
                "source": f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}",
                "iteration": f"{record['iteration']:,}",
                "time": _duration(record.get("elapsed_s", 0.0)),
                "l1": f"{record['validation']['l1']:.4f}",
                "motion": _percent(record["validation"]["motion_share"]),
            }
        )
    return found


def _event(record: Record) -> dict[str, str]:
    came_from = f"from the weights of {'; '.join(record['from'])}" if record.get("from") else ""
    return {
        "at": str(record.get("at", "")),
        "iteration": f"{record['iteration']:,}",
        "name": record["event"],
        "why": str(record.get("why", "")) or came_from,
    }


def _evaluation(run_folder: Path) -> dict[str, Any]:
    """Return the results of an evaluation: its curves, embedded, and the files to link."""
    folder = run_folder / EVALUATION_FOLDER
    links = [f"{EVALUATION_FOLDER}/{name}" for name in EVALUATION_FILES if (folder / name).is_file()]
    curves = folder / EVALUATION_CURVES
    small = curves.is_file() and curves.stat().st_size <= LARGEST_VIDEO_BYTES
    embedded = f"data:image/png;base64,{base64.b64encode(curves.read_bytes()).decode()}" if small else ""
    rows = suite_rows(folder / EVALUATION_FILES[1])
    suite = (
        {"about": synchrony_extent(rows), "labels": list(rows[0].values), "lines": synchrony_lines(rows)}
        if rows
        else {}
    )
    return {"links": links, "curves": embedded, "synchrony": suite} if links or embedded else {}


def _checkpoints(run_folder: Path) -> list[dict[str, Any]]:
    best = best_checkpoint(run_folder)
    return [
        {"name": folder.name, "mb": _megabytes(folder), "best": folder == best}
        for folder in checkpoint_folders(run_folder)
    ]


def _megabytes(folder: Path) -> str:
    return f"{sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.1f}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60.0)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 100 else f"{minutes} min"


def main(argv: list[str] | None = None) -> int:
    parser = ArgumentParser(
        prog="python -m training.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    arguments = parser.parse_args(argv)
    try:
        print_line(write_report(arguments.run))
    except OSError as error:
        raise TrainingError(f"Cannot write {arguments.run / REPORT_FILE} ({error.strerror}).") from error
    return 0


if __name__ == "__main__":
    run_main(main)
