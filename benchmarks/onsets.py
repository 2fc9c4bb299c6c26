"""Accuracy and delay of onset detection and beat tracking.

    python -m benchmarks.onsets

Onsets: of the built-in demo sound, whose score is known, at several rates and 30 dB quieter, and of recorded drum sounds of FOLDER,
mixed at known random times with overlapping tails. For each: precision, recall and F-measure within 50 and 25 ms, and the delay
from the onset to the end of the frame that reports it; the same of aubio's default method where it is installed (aubio-ledfx, GPL).
Beats: of the demo sound, of clicks, of tempo steps and breaks, of the loops of FOLDER and of random drum patterns made from its
sounds: F-measure within 70 ms and errors after the first 5 s, and the time until the beat was found. Cost: processor time per
second of sound.

FOLDER (--sounds) holds sounds of Debian's sonic-pi-samples (CC0), by default where that package installs them. Half the drum sounds
(every second by name) and all loops were also used to choose the constants of engine/audio/features; the other half and the
patterns were not.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import append_record, print_table
from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.audio_features import AudioFeatures
from engine.audio.resample import Resampler
from engine.audio.sources import demo
from engine.audio.sources.media_file import MediaFileSource
from engine.core.errors import run_main

RATE_HZ = 16000
BLOCK_SAMPLES = 32
"""At most one frame at any rate, so that every frame is read."""
SOUNDS = Path("/usr/share/sonic-pi/samples")
DRUM_SOUNDS = ("bd_", "drum_", "elec_", "perc_", "sn_", "tabla_")
# Several onsets, or none that is sharp.
NOT_SHARP = ("drum_roll", "perc_door", "perc_impact", "perc_swash", "perc_swoosh", "perc_till")
# Beats of each loop, from its length; each starts on a beat.
LOOP_BEATS = {
    "loop_amen": 4,
    "loop_amen_full": 16,
    "loop_breakbeat": 4,
    "loop_compus": 16,
    "loop_electric": 4,
    "loop_garzul": 16,
    "loop_industrial": 2,
    "loop_mehackit1": 4,
    "loop_mehackit2": 4,
    "loop_mika": 16,
    "loop_perc1": 4,
    "loop_safari": 16,
    "loop_weirdo": 8,
}
PATTERNS = 12
PATTERN_DRUMS = (
    ("bd_",),
    ("sn_", "drum_snare", "elec_snare"),
    ("drum_cymbal_closed", "drum_cymbal_pedal", "elec_tick"),
)
# Probability of kick, snare and hat on each sixteenth of the bar.
PATTERN_PROBABILITIES = (
    (1.0, 0.0, 0.1, 0.1, 0.3, 0.0, 0.2, 0.2, 0.8, 0.0, 0.3, 0.1, 0.3, 0.0, 0.2, 0.2),
    (0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.1, 0.0, 0.1, 0.0, 0.0, 1.0, 0.0, 0.1, 0.1),
    (0.9, 0.2, 0.8, 0.2, 0.9, 0.2, 0.8, 0.2, 0.9, 0.2, 0.8, 0.2, 0.9, 0.2, 0.8, 0.2),
)
STEADY_S = 5.0
FOUND_S = 4.0

Sound = NDArray[np.float32]
Times = NDArray[np.float64]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sounds", type=Path, default=SOUNDS, metavar="FOLDER")
    sounds: Path = parser.parse_args().sounds
    if not any(sounds.glob("*.flac")):
        print(f"No recorded sounds in {sounds}; install sonic-pi-samples or give --sounds FOLDER.")
    onset_headings = ["onsets of", "n", "precision", "recall", "F 50 ms", "F 25 ms", "delay ms", "p95 ms"]
    cases = onset_cases(sounds)
    onset_rows = [
        onset_row(name, detected_onsets_s(sound_T, rate_hz), true_s) for name, sound_T, true_s, rate_hz in cases
    ]
    if importlib.util.find_spec("aubio"):
        slow = [case for case in cases if case[3] == RATE_HZ]
        onset_rows += [
            onset_row(f"aubio: {name}", detected_by_aubio_s(sound_T, RATE_HZ), true_s)
            for name, sound_T, true_s, _ in slow
        ]
    print_table(onset_headings, onset_rows)
    beat_headings = ["beats of", "bpm", "measured bpm", "F 70 ms", "error ms", "p95 ms", "other tempo %", "found s"]
    beat_rows = [beat_row(*case) for case in beat_cases(sounds)]
    print_table(beat_headings, beat_rows)
    cost_rows = [[block, cost_percent(block)] for block in (64, 160, 800)]
    print_table(["block samples", "% of a core"], cost_rows)
    append_record(
        "onsets",
        {
            "sounds": len(list(sounds.glob("*.flac"))),
            "onset_headings": onset_headings,
            "onset_rows": onset_rows,
            "beat_headings": beat_headings,
            "beat_rows": beat_rows,
            "cost_percent": cost_rows,
        },
    )
    return 0


def onset_cases(folder: Path) -> list[tuple[str, Sound, Times, int]]:
    """Return name, sound, onsets and rate of each case."""
    onsets_s = demo_onsets_s()
    cases = [(f"demo {rate_hz} Hz", demo_mono(rate_hz), onsets_s, rate_hz) for rate_hz in (16000, 8000, 24000, 48000)]
    quieter = np.float32(10 ** (-30 / 20))
    cases.append(("demo -30 dB", cases[0][1] * quieter, onsets_s, RATE_HZ))
    dropped_T = cases[0][1].copy()
    dropped_T[len(dropped_T) // 2 :] *= quieter
    cases.append(("demo, second half -30 dB", dropped_T, onsets_s, RATE_HZ))
    paths = [path for path in sorted(folder.glob("*.flac")) if path.stem.startswith(DRUM_SOUNDS)]
    paths = [path for path in paths if path.stem not in NOT_SHARP and not path.stem.startswith(NOT_SHARP)]
    halves = (
        {"drum sounds, seen half": paths[::2], "drum sounds, unseen half": paths[1::2]}
        if len(paths) > 20
        else {"drum sounds": paths}
    )
    for name, half in halves.items():
        if half:
            drum_sounds = [drum_sound(path) for path in half]
            mixed_T, times_s = mix_at_random(drum_sounds, noise_db=-20.0)
            cases.append((f"{name}, noise -20 dB", mixed_T, times_s, RATE_HZ))
            cases.append((f"{name}, all -30 dB", mixed_T * quieter, times_s, RATE_HZ))
            cases.append((f"{name}, clean", *mix_at_random(drum_sounds, noise_db=-80.0), RATE_HZ))
    return cases


def detected_onsets_s(sound_T: Sound, rate_hz: int) -> Times:
    """Return the end of each frame that reports an onset."""
    ends = [after.end_sample for before, after in pairwise(analyse(sound_T, rate_hz)) if after.onsets > before.onsets]
    return np.array(ends, dtype=np.float64) / rate_hz


def detected_by_aubio_s(sound_T: Sound, rate_hz: int) -> Times:
    """Return the onsets of aubio, with frames of 4 ms and its usual window."""
    import aubio

    hop_samples = rate_hz // 250
    detector = aubio.onset("default", 512, hop_samples, rate_hz)
    ends = range(hop_samples, len(sound_T) + 1, hop_samples)
    return np.array([end for end in ends if detector(sound_T[end - hop_samples : end])[0]], dtype=np.float64) / rate_hz


def onset_row(name: str, detected_s: Times, true_s: Times) -> list[object]:
    delays_s = matched(detected_s, true_s, 0.05)
    precision, recall = len(delays_s) / max(1, len(detected_s)), len(delays_s) / len(true_s)
    closer = f_measure(len(matched(detected_s, true_s, 0.025)), detected_s, true_s)
    f50 = f_measure(len(delays_s), detected_s, true_s)
    delay_ms = 1e3 * np.array(delays_s or [np.nan])
    median, late = float(np.median(delay_ms)), float(np.percentile(delay_ms, 95))
    return [name, len(true_s), precision, recall, f50, closer, median, late]


def beat_cases(folder: Path) -> list[tuple[str, Sound, Times]]:
    """Return name, sound and beats of each case."""
    cases = [("demo", demo_mono(RATE_HZ), np.arange(0.0, demo.BARS * 4) * demo.BEAT_S)]
    for bpm in (70, 85, 100, 120, 140, 155, 170):
        cases.append((f"clicks {bpm}", *clicks([(bpm, 20.0)])))
    for before, after in ((120, 140), (140, 90), (100, 106)):
        # The first 10 s are left out: only the time after the step counts.
        cases.append((f"step {before} to {after}", *clicks([(before, 10.0), (after, 14.0)])))
    for stem, beats in LOOP_BEATS.items():
        path = folder / f"{stem}.flac"
        if path.exists():
            loop_T = file_mono(path)
            period_s = len(loop_T) / RATE_HZ / beats
            sound_T = np.tile(loop_T, int(np.ceil(30.0 * RATE_HZ / len(loop_T))))
            cases.append((stem, sound_T, np.arange(0.0, len(sound_T) / RATE_HZ, period_s)))
            if stem in ("loop_garzul", "loop_mika", "loop_amen_full"):
                broken_T = sound_T.copy()
                broken_T[round(12 * RATE_HZ) : round((12 + 8 * period_s) * RATE_HZ)] = 0.0
                cases.append((f"{stem}, two bars' break", broken_T, cases[-1][2]))
    return [*cases, *pattern_cases(folder)]


def pattern_cases(folder: Path) -> list[tuple[str, Sound, Times]]:
    """Return random drum patterns of recorded sounds, which were not used to choose any constant."""
    drums = [
        [drum_sound(path) for path in sorted(folder.glob("*.flac")) if path.stem.startswith(names)]
        for names in PATTERN_DRUMS
    ]
    random, cases = np.random.default_rng(23), list[tuple[str, Sound, Times]]()
    for number, bpm in enumerate(random.uniform(72.0, 168.0, PATTERNS).tolist() if all(drums) else [], 1):
        kick, snare, hat = (family[int(random.integers(len(family)))] for family in drums)
        is_played = random.random((3, 16)) < np.array(PATTERN_PROBABILITIES)
        sound_T, step_s = np.zeros(round(30.0 * RATE_HZ)), 15.0 / bpm
        for step in range(int(30.0 / step_s) - 1):
            for (note_T, onset), chosen, loudness in zip(
                (kick, snare, hat), is_played[:, step % 16], (0.5, 0.4, 0.15), strict=True
            ):
                begin = round((0.05 + step * step_s + float(random.normal(0.0, 0.005))) * RATE_HZ) - onset
                if chosen and begin >= 0:
                    fits = note_T[: len(sound_T) - begin]
                    sound_T[begin : begin + len(fits)] += loudness * 10 ** (random.uniform(-4.0, 0.0) / 20) * fits
        sound_T += 0.003 * random.standard_normal(len(sound_T))
        cases.append((f"pattern {number}", sound_T.astype(np.float32), np.arange(0.05, 30.0, 60.0 / bpm)))
    return cases


def beat_row(name: str, sound_T: Sound, true_s: Times) -> list[object]:
    features = analyse(sound_T, RATE_HZ)
    detected_s = beats_s(features)
    nearest = np.abs(detected_s[:, None] - true_s[None, :]).argmin(axis=1)
    error_s = detected_s - true_s[nearest]
    is_near = np.abs(error_s) < 0.07
    step_s = 10.0 if name.startswith("step") else 0.0
    found_s = next(
        (
            float(at_s - step_s)
            for at_s in detected_s[detected_s >= step_s]
            if is_near[(detected_s >= at_s) & (detected_s < at_s + FOUND_S)].all()
        ),
        None,
    )
    steady_s = STEADY_S + step_s
    late, true_late_s = (detected_s > steady_s) & (detected_s < true_s[-1] + 0.07), true_s[true_s > steady_s]
    f70 = f_measure(len(matched(detected_s[late], true_late_s, 0.07)), detected_s[late], true_late_s)
    errors_ms = 1e3 * error_s[late]
    bpm = 60.0 / float(np.median(np.diff(true_late_s)))
    tempos = np.array(
        [audio_features.tempo_bpm for audio_features in features if audio_features.end_sample > steady_s * RATE_HZ]
    )
    other_percent = 100.0 * float((np.abs(tempos / bpm - 1.0) > 0.04).mean())
    spread_ms = float(np.percentile(np.abs(errors_ms), 95))
    return [name, bpm, float(np.median(tempos)), f70, float(np.median(errors_ms)), spread_ms, other_percent, found_s]


def analyse(sound_T: Sound, rate_hz: int) -> list[AudioFeatures]:
    """Return the features of every frame."""
    analyser, features = FeatureAnalyser(rate_hz), list[AudioFeatures]()
    for begin in range(0, len(sound_T), BLOCK_SAMPLES):
        analyser.feed(sound_T[begin : begin + BLOCK_SAMPLES])
        if not features or analyser.latest().end_sample > features[-1].end_sample:
            features.append(analyser.latest())
    return features


def beats_s(features: Sequence[AudioFeatures]) -> Times:
    """Return when the beat clock passed each whole beat."""
    known = [audio_features for audio_features in features if audio_features.tempo_bpm]
    ends_s = np.array([audio_features.end_sample / RATE_HZ for audio_features in known])
    beats = np.array([audio_features.beats for audio_features in known])
    passed = np.flatnonzero(np.diff(np.floor(beats)) > 0)
    share = (np.floor(beats[passed + 1]) - beats[passed]) / (beats[passed + 1] - beats[passed])
    return ends_s[passed] + share * (ends_s[passed + 1] - ends_s[passed])


def matched(detected_s: Times, true_s: Times, within_s: float) -> list[float]:
    """Return the delay of each onset detected within `within_s`; each detection counts once."""
    free, delays_s = np.ones(len(detected_s), bool), list[float]()
    for at_s in true_s:
        distances_s = np.where(free, np.abs(detected_s - at_s), np.inf)
        if len(detected_s) and distances_s.min() <= within_s:
            nearest = int(distances_s.argmin())
            free[nearest] = False
            delays_s.append(float(detected_s[nearest] - at_s))
    return delays_s


def f_measure(matches: int, detected_s: Times, true_s: Times) -> float:
    return 2.0 * matches / max(1, len(detected_s) + len(true_s))


def cost_percent(block_samples: int) -> float:
    """Return the processor time of the demo sound in percent of its length: the least of three runs."""
    sound_T = demo_mono(RATE_HZ)
    taken_s: list[float] = []
    for _ in range(3):
        analyser, started_s = FeatureAnalyser(RATE_HZ), time.process_time()
        for begin in range(0, len(sound_T), block_samples):
            analyser.feed(sound_T[begin : begin + block_samples])
        taken_s.append(time.process_time() - started_s)
    return 100.0 * min(taken_s) * RATE_HZ / len(sound_T)


def demo_onsets_s() -> Times:
    """Return the onsets of the demo sound from its score."""
    steps: set[int] = set()
    for bar in range(demo.BARS):
        melody = demo.MELODY[bar % 4]
        for eighth in range(8):
            plucked = melody[eighth] is not None and (bar >= 2 or eighth % 4 == 0)
            kicked = bar != demo.QUIET_BAR and eighth % 2 == 0
            hat_or_bass = bar != demo.QUIET_BAR and (bar >= 2 or (bar >= 1 and eighth not in (0, 4)))
            if plucked or kicked or hat_or_bass:
                steps.add(8 * bar + eighth)
    return np.array(sorted(steps)) * (demo.BEAT_S / 2)


def demo_mono(rate_hz: int) -> Sound:
    return mono(demo.demo_sound(), demo.RATE_HZ, rate_hz)


def mono(sound_TC: Sound, from_hz: int, to_hz: int) -> Sound:
    resampler = Resampler(from_hz, to_hz)
    return np.concatenate([resampler.feed(sound_TC), resampler.finish()])


def file_mono(path: Path) -> Sound:
    source, blocks = MediaFileSource(path), list[Sound]()
    source.start()
    while came := source.read():
        blocks.append(came[0])
    source.close()
    return mono(np.concatenate(blocks), source.rate_hz, RATE_HZ)


def drum_sound(path: Path) -> tuple[Sound, int]:
    """Return a recorded drum sound and its onset: the first sample above a tenth of its peak."""
    sound_T = file_mono(path)
    sound_T /= np.abs(sound_T).max()
    return sound_T, int(np.argmax(np.abs(sound_T) > 0.1))


def mix_at_random(
    drum_sounds: Sequence[tuple[Sound, int]], noise_db: float, seconds: float = 60.0
) -> tuple[Sound, Times]:
    """Mix drum sounds of different loudness (14 dB) at random times 0.12 to 0.6 s apart, and add noise."""
    random = np.random.default_rng(11)
    sound_T = np.zeros(round(seconds * RATE_HZ))
    times_s, at_s = list[float](), 0.5
    while at_s < seconds - 0.1:
        note_T, onset = drum_sounds[int(random.integers(len(drum_sounds)))]
        begin = round(at_s * RATE_HZ) - onset
        note_T = note_T[max(0, -begin) :]
        begin = max(0, begin)
        fits = note_T[: len(sound_T) - begin]
        sound_T[begin : begin + len(fits)] += 0.5 * 10 ** (random.uniform(-14.0, 0.0) / 20) * fits
        times_s.append(at_s)
        at_s += random.uniform(0.12, 0.6)
    rms = float(np.sqrt(np.square(sound_T).mean()))
    sound_T += rms * 10 ** (noise_db / 20) * random.standard_normal(len(sound_T))
    return sound_T.astype(np.float32), np.array(times_s)


def clicks(parts: Sequence[tuple[float, float]]) -> tuple[Sound, Times]:
    """Return 10 ms clicks at given beats per minute for given seconds, part after part."""
    click_T = 0.5 * np.random.default_rng(1).standard_normal(160) * np.exp(-np.arange(160) / 30)
    total_s = sum(seconds for _, seconds in parts)
    sound_T = np.zeros(round(total_s * RATE_HZ))
    times_s, at_s, part_end_s = list[float](), 0.3, 0.0
    for bpm, seconds in parts:
        part_end_s += seconds
        while at_s < part_end_s - 0.02:
            begin = round(at_s * RATE_HZ)
            sound_T[begin : begin + 160] += click_T[: len(sound_T) - begin]
            times_s.append(at_s)
            at_s += 60.0 / bpm
    return sound_T.astype(np.float32), np.array(times_s)


if __name__ == "__main__":
    run_main(main)
