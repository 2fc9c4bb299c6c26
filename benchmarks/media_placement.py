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

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.media_cases import CLICK_S, EVENTS_S, FPS, Case, cases, click
from benchmarks.record import append_record, print_table
from engine.audio.sources.media_file import MediaFileSource
from engine.core.errors import UserError, run_main
from engine.core.printable import print_line
from engine.media.channels import mix_down
from training.data.clip_sound import read_sound
from training.data.frames import read_frames
from training.data.video import ClipFormat

# T samples, N frames

TRAINED_HZ = 48000
SEARCHED_S = 0.4
"""A click that is further off counts as lost."""
LEAST_LIKENESS = 0.5
LONGEST_SHIFT_S = LONGEST_PRIMING_S = 0.1
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
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.media_placement", description=(__doc__ or "").split("\n")[0]
    )
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
            shown = [
                _shown(error) for error in (placed.live_ms, placed.training_ms, placed.frames, placed.pass_samples)
            ]
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
    frames = float("inf") if case.flashes_s else None
    try:
        live_T, rate_hz, notices = played(case.path)
        sentences += notices
        clicks_s = [first_frame_s(case.path) + click_s for click_s in case.clicks_s]
        live_ms, _ = click_error_ms(live_T, rate_hz, clicks_s, case.parts)
        pass_samples = pass_error(case.path, live_T, rate_hz)
    except UserError as error:
        sentences.append(str(error))
    try:
        trained_T = read_sound(case.path, TRAINED_HZ)
        training_ms, shifts_s = click_error_ms(trained_T, TRAINED_HZ, case.clicks_s, case.parts)
        if case.flashes_s:
            frames = flash_error(case.path, case.flashes_s, shifts_s)
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


def first_frame_s(path: Path) -> float:
    """Return when FFmpeg shows the first frame, since the first sound or frame; 0 without video.

    Sound of less than LONGEST_PRIMING_S before the first frame is what the encoder needed to start: a show begins after it.
    """
    with av.open(str(path)) as container:
        if not container.streams.video or container.start_time is None:
            return 0.0
        track = container.streams.video[0]
        lead_s = float((track.start_time or 0) * (track.time_base or 0)) - container.start_time / av.time_base
        return lead_s if lead_s >= LONGEST_PRIMING_S else 0.0


def click_error_ms(
    sound_T: NDArray[np.float32], rate_hz: int, expected_s: Sequence[float], parts: int
) -> tuple[float, list[float]]:
    """Return the largest distance of a click from its time, infinite where one is missing, and the shift of every part.

    Where recordings are joined, each part may begin up to LONGEST_SHIFT_S later or earlier: its tracks end at different times.
    """
    found_s = [click_near(sound_T, rate_hz, time_s) for time_s in expected_s if time_s >= 0.0]
    errors_s = [
        float("inf") if came_s is None else came_s - time_s
        for came_s, time_s in zip(found_s, [time_s for time_s in expected_s if time_s >= 0.0], strict=True)
    ]
    shifts_s = [0.0]
    count = len(errors_s) // parts
    for part in range(1, parts):
        shift_s = float(np.median(errors_s[part * count : (part + 1) * count]))
        shifts_s.append(shift_s if abs(shift_s) <= LONGEST_SHIFT_S else 0.0)
    return 1000.0 * max(abs(error_s - shifts_s[number // count]) for number, error_s in enumerate(errors_s)), shifts_s


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


def flash_error(path: Path, expected_s: Sequence[float], shifts_s: Sequence[float]) -> float:
    """Return the largest distance of a flash from its frame; infinite where their number is wrong.

    A joined part is shifted as its sound is: they stay together.
    """
    bright_N = np.array([float(frame_HWC.mean()) for frame_HWC in read_frames(path, FORMAT)]) > BRIGHT
    begins = np.flatnonzero(bright_N[1:] & ~bright_N[:-1]) + 1
    count = len(expected_s) // len(shifts_s)
    expected = [(time_s + shifts_s[number // count]) * FPS for number, time_s in enumerate(expected_s)]
    if len(begins) != len(expected):
        return float("inf")
    return float(max(abs(round(int(came) - wanted, 3)) for came, wanted in zip(begins, expected, strict=True)))


def _shown(error: float | None) -> str:
    return "" if error is None else "lost" if error == float("inf") else f"{error:.3g}"


if __name__ == "__main__":
    run_main(main)
