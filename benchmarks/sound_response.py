"""How a generator answers sound that its clip lacks: louder sound, dense music, silence. For the set `sound` of benchmarks/ablation.py."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.sound_kinds import KINDS
from benchmarks.sound_range import darkness
from training.core.streaming import StreamingModel
from training.data.footage import Footage
from training.data.training_sound import segments_sound
from training.data.windows import FrameRange
from training.loop.validation import NOISE_SEED, frame_bytes, generated_sequences

# N frames, H W rows and columns, C colours, S samples of sound

SECONDS, SETTLED_S = 3.0, 0.5
LOUDER_DB = 12.0
ATTACKS = ("drums", "stabs", "clipped", "loud")


def sound_response(model: StreamingModel, footage: Footage) -> dict[str, float]:
    """Return what frames do under sound at the training sound's loudness and louder, without input conditioning.

    `darkest louder`: of kinds with loud attacks, 12 dB louder than the training sound, the darkest frame as a share of the median of
    the second before; below 0.5 an attack tears the frame. `dense motion`: motion under dense music as a share of that under drums.
    `rest error`: the mean absolute difference, in levels of 255, of the frames that silence leads to from the clip's frames in its
    quietest second; `rest motion`: their motion.
    """
    loudness_db = segments_sound(footage.training, "").loudness_db
    played = {
        kind: _played(model, _made(kind, loudness_db, model.sample_rate_hz)) for kind in ("drums", "dense", "silence")
    }
    motion = {kind: _motion(frames_NHWC, model.fps) for kind, frames_NHWC in played.items()}
    quiet_HWC = _quietest_second(footage)
    rest_NHWC = played["silence"][model.fps :]
    return {
        "darkest louder": min(_darkest(model, loudness_db + LOUDER_DB, kind) for kind in ATTACKS),
        "dense motion": motion["dense"] / max(motion["drums"], 1e-6),
        "rest error": float(np.abs(rest_NHWC.astype(np.float32) - quiet_HWC).mean()),
        "rest motion": motion["silence"],
    }


def _made(kind: str, loudness_db: float, rate_hz: int) -> NDArray[np.float32]:
    """Return a kind of sound [S] of this loudness."""
    whole_S = KINDS[kind](SECONDS, rate_hz)
    own_db = 10.0 * np.log10(max(float(np.square(whole_S).mean()), 1e-12))
    scale = 10.0 ** ((loudness_db - own_db) / 20.0) if kind != "silence" else 0.0
    return (scale * whole_S).astype(np.float32)


def _played(model: StreamingModel, sound_S: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the frames [N, H, W, C] of a sound, from the initial state on."""
    noise, frames = torch.Generator().manual_seed(NOISE_SEED), FrameRange(0, len(sound_S) // model.hop_samples)
    with torch.no_grad():
        parts = generated_sequences(model, sound_S, frames, model.fps, noise)
        return np.concatenate([frame_bytes(fake_THWC) for _, fake_THWC in parts])


def _darkest(model: StreamingModel, loudness_db: float, kind: str) -> float:
    sound_S = _made(kind, loudness_db, model.sample_rate_hz)
    return float(darkness(_played(model, sound_S), sound_S, model.hop_samples, model.fps).min())


def _motion(frames_NHWC: NDArray[np.uint8], fps: int) -> float:
    """Return the mean absolute difference of successive frames, in levels of 255, without the first half second."""
    settled_NHWC = frames_NHWC[round(SETTLED_S * fps) :].astype(np.int16)
    return float(np.abs(np.diff(settled_NHWC, axis=0)).mean())


def _quietest_second(footage: Footage) -> NDArray[np.float32]:
    """Return the mean frame [H, W, C] of the quietest second of the training part."""
    fps, hop = footage.format.fps, footage.format.sample_rate_hz // footage.format.fps
    found: list[tuple[float, NDArray[np.float32]]] = []
    for segment in footage.training:
        clip, frames = segment.clip, segment.frame_range
        for first in range(frames.first, frames.end - fps + 1, fps // 2):
            sound_S = np.asarray(clip.sound_S[first * hop : (first + fps) * hop], np.float64)
            found.append((float(np.square(sound_S).mean()), clip.frames_NHWC[first : first + fps].mean(axis=0)))
    return min(found, key=lambda one: one[0])[1]
