"""Does any sound tear the frames? Twelve kinds of sound at several levels, with input conditioning and without it.

    python -m benchmarks.sound_range [MODEL ...] [--sheet FOLDER] [--kinds drums,dense] [--levels=-40,0]

A frame is dark if it is darker than half the median of the second before while the sound is no quieter than that second's median:
an attack tore it, the music did not stop. Motion is the mean absolute difference of successive frames, in levels of 255, in the second half of a
kind: by then the conditioning knows the sound. The sheet shows of each kind, at the loudest level, evenly spaced frames and the darkest one against its median; without conditioning left, with it right.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.record import append_record, print_table
from benchmarks.sound_kinds import KINDS
from engine.app.config import DEFAULT_MODEL
from engine.audio.conditioned_model import ConditionedModel
from engine.audio.conditioning import Conditioner
from engine.audio.window_buffer import window_samples
from engine.core.errors import run_main
from engine.model.backend import Backend
from engine.model.backends.selection import open_backend
from engine.model.rest import RestingBackend
from engine.model.session import Session
from engine.model.shipped import model_path

# N frames, H W rows and columns, C colours, T audio samples

LEVELS_DB = (-40.0, -20.0, -10.0, 0.0)
SHOWN, THUMB_SIDE = 7, 72
DARK_SHARE = 0.5
SETTLED_S = 0.5
"""The first frames have no second before them."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a kind of sound at a level did."""

    kind: str
    level_db: float
    conditioned: bool
    mean_level: float
    """Mean of all pixels, in levels of 255."""
    darkest: float
    """The darkest frame under sound that is no quieter, as a share of the median of the second before."""
    dark_frames: int
    motion: float


def played(backend: Backend, sound_T: NDArray[np.float32], conditioned: bool) -> NDArray[np.uint8]:
    """Return the frames [N, H, W, C] of a show of this sound, which is at the model's rate."""
    card = backend.card
    model = ConditionedModel(Session(backend), Conditioner(card.sample_rate_hz, card.hop_samples))
    length, hop = window_samples(card), card.hop_samples
    padded_T = np.concatenate([np.zeros(length, np.float32), sound_T])
    values = {"conditioning": conditioned}
    return np.stack(
        [
            model.step(padded_T[(k + 1) * hop : (k + 1) * hop + length], values, k).pixels_HWC
            for k in range(len(sound_T) // hop)
        ]
    )


def darkness(frames_NHWC: NDArray[np.uint8], sound_T: NDArray[np.float32], hop: int, fps: float) -> NDArray[np.float64]:
    """Return the level [N] of each frame as a share of the median of the second before; infinite where the sound got quieter."""
    level_N = frames_NHWC.mean(axis=(1, 2, 3))
    power_N = np.square(sound_T[: len(level_N) * hop], dtype=np.float64).reshape(-1, hop).mean(axis=1)
    before, shares = round(fps), np.full(len(level_N), np.inf)
    for k in range(round(SETTLED_S * fps), len(level_N)):
        window = slice(max(0, k - before), k)
        if power_N[k] >= np.median(power_N[window]):
            shares[k] = level_N[k] / max(float(np.median(level_N[window])), 1.0)
    return shares


def figures(
    kind: str, level_db: float, conditioned: bool, frames_NHWC: NDArray[np.uint8], share_N: NDArray[np.float64]
) -> Figures:
    """Return the figures of one run."""
    moved_N = np.abs(np.diff(frames_NHWC.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))
    return Figures(
        kind=kind,
        level_db=level_db,
        conditioned=conditioned,
        mean_level=float(frames_NHWC.mean()),
        darkest=float(share_N.min()),
        dark_frames=int((share_N < DARK_SHARE).sum()),
        motion=float(moved_N[len(moved_N) // 2 :].mean()),
    )


def strip(frames_NHWC: NDArray[np.uint8], share_N: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a row of thumbnails: evenly spaced frames, then the darkest with the one before it."""
    darkest = int(share_N.argmin())
    places = [
        *np.linspace(len(frames_NHWC) // 4, len(frames_NHWC) - 1, SHOWN).astype(int),
        max(darkest - 1, 0),
        darkest,
    ]
    height, width = frames_NHWC.shape[1:3]
    scale = THUMB_SIDE / math.sqrt(height * width)
    size = (round(scale * width), round(scale * height))
    thumbs = [cv2.resize(frames_NHWC[k], size, interpolation=cv2.INTER_AREA) for k in places]
    return np.concatenate(thumbs, axis=1).astype(np.uint8)


def measure(
    path: str, kinds: Sequence[str], levels_db: Sequence[float], seconds: float, sheet: Path | None
) -> list[Figures]:
    """Measure a model, and write its sheet."""
    backend = RestingBackend(open_backend(path, "auto", 1))
    card, found, rows = backend.card, list[Figures](), list[NDArray[np.uint8]]()
    for kind in kinds:
        whole = KINDS[kind](seconds, card.sample_rate_hz)
        for level_db in levels_db:
            sound_T = (10.0 ** (level_db / 20.0) * whole).astype(np.float32)
            strips = []
            for conditioned in (False, True):
                frames_NHWC = played(backend, sound_T, conditioned)
                share_N = darkness(frames_NHWC, sound_T, card.hop_samples, card.fps)
                found.append(figures(kind, level_db, conditioned, frames_NHWC, share_N))
                strips.append(strip(frames_NHWC, share_N))
            if level_db == max(levels_db):
                gap_HWC = np.full((len(strips[0]), 8, 3), 255, np.uint8)
                rows.append(np.concatenate([strips[0], gap_HWC, strips[1]], axis=1))
    if sheet:
        sheet.mkdir(parents=True, exist_ok=True)
        whole_HWC = np.concatenate([_labelled(row, kind) for row, kind in zip(rows, kinds, strict=True)])
        cv2.imwrite(str(sheet / f"{Path(path).stem}-sounds.png"), cv2.cvtColor(whole_HWC, cv2.COLOR_RGB2BGR))
    return found


def _labelled(row_HWC: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    label_HWC = np.zeros((len(row_HWC), 80, 3), np.uint8)
    cv2.putText(
        label_HWC, text, (4, len(row_HWC) // 2 + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA
    )
    return np.concatenate([label_HWC, row_HWC], axis=1)


def share_of_drums(found: Sequence[Figures], conditioned: bool) -> list[tuple[float, float]]:
    """Return for each level the motion under dense music as a share of that under drums."""
    motion = {(one.kind, one.level_db): one.motion for one in found if one.conditioned == conditioned}
    levels_db = sorted({level_db for kind, level_db in motion if kind == "dense"})
    return [(db, motion["dense", db] / max(motion["drums", db], 1e-6)) for db in levels_db if ("drums", db) in motion]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[DEFAULT_MODEL], metavar="MODEL")
    parser.add_argument("--sheet", type=Path, metavar="FOLDER")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--levels", default=",".join(f"{level_db:g}" for level_db in LEVELS_DB))
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--no-record", action="store_true")
    arguments = parser.parse_args()
    kinds, levels_db = arguments.kinds.split(","), [float(text) for text in arguments.levels.split(",")]
    for path in map(model_path, arguments.models):
        found = measure(path, kinds, levels_db, arguments.seconds, arguments.sheet)
        print(Path(path).stem)
        pairs = zip(found[::2], found[1::2], strict=True)
        print_table(
            ("kind", "dB", "mean", "with", "darkest", "with", "dark frames", "with", "motion", "with"),
            [
                (a.kind, f"{a.level_db:g}", a.mean_level, b.mean_level, a.darkest, b.darkest, a.dark_frames, b.dark_frames, a.motion, b.motion)
                for a, b in pairs
            ],
        )  # fmt: skip
        for conditioned in (False, True):
            shares = ", ".join(f"{share:.0%} at {db:g} dB" for db, share in share_of_drums(found, conditioned))
            print(f"motion, dense against drums, {'with' if conditioned else 'without'} conditioning: {shares}")
        if not arguments.no_record:
            append_record("sound_range", {"figures": [asdict(one) for one in found]}, model=Path(path).stem)
    return 0


if __name__ == "__main__":
    run_main(main)
