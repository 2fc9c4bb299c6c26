"""Where clicks and flashes of a clip come in shows and in training, in every container and every kind of trouble.

    python -m benchmarks.media_placement [--only TEXT] [--keep FOLDER]

The goal is 1 ms for clicks, one frame for flashes, one sample for the passes of a repeated file.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.media_cases import CLICK_S, EVENTS_S, FPS, Case, cases, click
from benchmarks.record import append_record, print_table
from engine.audio.sources.media_file import MediaFileSource
from engine.core.errors import UserError, run_main
from engine.core.printable import print_line
from engine.media.channels import mix_down
from training.data.video import ClipFormat, read_frames, read_sound

# T samples, N frames

TRAINED_HZ = 48000
SEARCHED_S = 0.4
"""A click that is further off counts as lost."""
LEAST_LIKENESS = 0.5
PASSES = 3
GOAL_MS, GOAL_FRAMES, GOAL_SAMPLES = 1.0, 1, 1
FORMAT = ClipFormat(fps=FPS, image_size=16, sample_rate_hz=TRAINED_HZ)
BRIGHT = 140


@dataclass(frozen=True, slots=True)
class Placement:
    """The largest errors of one file; None where there is nothing to measure, infinite where something is missing."""

    live_ms: float
    training_ms: float
    frames: float | None
    pass_samples: float
    sentences: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        return (
            max(self.live_ms, self.training_ms) <= GOAL_MS
            and (self.frames or 0) <= GOAL_FRAMES
            and self.pass_samples <= GOAL_SAMPLES
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.media_placement", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases whose name holds this")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy the files that miss a goal here")
    arguments = parser.parse_args()
    rows: list[list[object]] = []
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder)):
            if arguments.only not in case.name:
                continue
            placed = place(case)
            shown = [_shown(error) for error in (placed.live_ms, placed.training_ms, placed.frames, placed.pass_samples)]
            rows.append([case.name, *shown, "" if placed.reached else "missed"])
            print_line(*(f"{case.name}: {sentence}" for sentence in placed.sentences))
            if not placed.reached:
                missed += 1
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(case.path, arguments.keep)
    headings = ["case", "live ms", "training ms", "frames", "passes", "goal"]
    print_table(headings, rows)
    append_record("media_placement", {"cases": len(rows), "missed": missed, "headings": headings, "rows": rows})
    return 1 if missed else 0


def place(case: Case) -> Placement:
    """Measure one file in all readers."""
    sentences: list[str] = []
    live_ms = pass_samples = training_ms = float("inf")
    frames = None if case.first_frame_s is None else float("inf")
    try:
        live_T, rate_hz, notices = played(case.path)
        sentences += notices
        live_ms = click_error_ms(live_T, rate_hz, case.clicks_s)
        pass_samples = pass_error(case.path, live_T, rate_hz)
    except UserError as error:
        sentences.append(str(error))
    start_s = case.first_frame_s or 0.0
    try:
        trained_T = read_sound(case.path, TRAINED_HZ)
        training_ms = click_error_ms(trained_T, TRAINED_HZ, [click_s - start_s for click_s in case.clicks_s])
        if case.first_frame_s is not None:
            frames = flash_error(case.path, [flash_s - start_s for flash_s in case.flashes_s])
    except UserError as error:
        sentences.append(str(error))
    return Placement(live_ms, training_ms, frames, pass_samples, tuple(dict.fromkeys(sentences)))


def played(path: Path, passes: int = 1, most_samples: int = 10**7) -> tuple[NDArray[np.float32], int, list[str]]:
    """Play a file as a show does; return its sound [T], mixed, its rate, and the notices."""
    source = MediaFileSource(path, repeat=passes > 1)
    try:
        source.start()
        parts: list[NDArray[np.float32]] = []
        while sum(map(len, parts)) < most_samples:
            block = source.read()
            if block is None:
                break
            parts.append(mix_down(block[0]))
        return np.concatenate(parts), source.rate_hz, source.notices()
    finally:
        source.close()


def click_error_ms(sound_T: NDArray[np.float32], rate_hz: int, expected_s: Sequence[float]) -> float:
    """Return the largest distance of a click from its time; infinite where one is missing or there are too many."""
    errors_s: list[float] = []
    for time_s in expected_s:
        if time_s < 0.0:
            continue
        found_s = click_near(sound_T, rate_hz, time_s)
        errors_s.append(float("inf") if found_s is None else abs(found_s - time_s))
    return 1000.0 * max(errors_s)


def click_near(sound_T: NDArray[np.float32], rate_hz: int, time_s: float) -> float | None:
    """Return the time of the click near a time; None where nothing is like it."""
    template_T = click(np.arange(round(CLICK_S * rate_hz)) / rate_hz)
    begin = max(0, round((time_s - SEARCHED_S) * rate_hz))
    part_T = sound_T[begin : round((time_s + SEARCHED_S) * rate_hz) + len(template_T)].astype(np.float64)
    if len(part_T) <= len(template_T):
        return None
    products_T = np.correlate(part_T, template_T, mode="valid")
    at = int(products_T.argmax())
    energy = float(np.square(part_T[at : at + len(template_T)]).sum() * np.square(template_T).sum())
    likeness = float(products_T[at]) / max(energy, 1e-12) ** 0.5
    return (begin + at) / rate_hz if likeness >= LEAST_LIKENESS else None


def pass_error(path: Path, single_T: NDArray[np.float32], rate_hz: int) -> float:
    """Return by how many samples the length of a pass differs from the sound of one, from its clicks."""
    repeated_T, _, _ = played(path, PASSES, most_samples=PASSES * len(single_T) - len(single_T) // 50)
    worst = 0.0
    for event_s in (EVENTS_S[0], EVENTS_S[-1]):
        first_s = click_near(single_T, rate_hz, event_s)
        if first_s is None:
            continue
        for number in range(PASSES):
            begin_s = number * len(single_T) / rate_hz
            found_s = click_near(repeated_T, rate_hz, begin_s + first_s)
            worst = max(worst, float("inf") if found_s is None else abs(found_s - begin_s - first_s) * rate_hz)
    return round(worst, 3)


def flash_error(path: Path, expected_s: Sequence[float]) -> float:
    """Return the largest distance of a flash from its frame; infinite where their number is wrong."""
    bright_N = np.array([float(frame_HWC.mean()) for frame_HWC in read_frames(path, FORMAT)]) > BRIGHT
    begins = np.flatnonzero(bright_N[1:] & ~bright_N[:-1]) + 1
    expected = [round(time_s * FPS) for time_s in expected_s]
    if len(begins) != len(expected):
        return float("inf")
    return float(max(abs(int(came) - wanted) for came, wanted in zip(begins, expected, strict=True)))


def _shown(error: float | None) -> str:
    return "" if error is None else "lost" if error == float("inf") else f"{error:.3g}"


if __name__ == "__main__":
    run_main(main)
