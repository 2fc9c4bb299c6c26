"""Arrange real CC0 recordings (Debian package sonic-pi-samples) into the sound track of a generated clip.

The track is a sequence of sections of 4 to 9 s: one loop, spaced one-shots, an ambience or instrument, a layered mixture, a
swell from -30 dB to 0 dB, and silence. The last fifth, which training holds out for validation, also uses recordings that the
rest does not use. A third group of recordings is in no clip at all and makes the held-out track.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.media.channels import mix_down
from engine.media.sound_reader import SoundReader

Array = NDArray[np.float32]

RATE_HZ = 48_000
SAMPLES_FOLDER = Path("/usr/share/sonic-pi/samples")
PEAK = 10 ** (-3 / 20)
LATE_FROM = 0.8


def _names(text: str) -> list[str]:
    return text.split()


LOOPS = _names("""loop_amen_full loop_tabla loop_garzul loop_compus loop_breakbeat loop_industrial loop_perc1 loop_amen
loop_mehackit1 loop_weirdo loop_3d_printer drum_roll""")
ONE_SHOTS = _names("""bd_808 bd_ada bd_boom bd_fat bd_haus bd_klub bd_pure bd_tek bd_zome drum_bass_hard drum_bass_soft drum_cowbell
drum_cymbal_closed drum_cymbal_hard drum_cymbal_open drum_heavy_kick drum_snare_hard drum_splash_soft drum_tom_hi_hard
drum_tom_lo_hard drum_tom_mid_soft elec_bell elec_blip elec_bong elec_chime elec_filt_snare elec_hi_snare elec_ping elec_plip
elec_soft_kick elec_tick elec_triangle elec_wood glitch_perc1 glitch_perc3 perc_impact1 perc_snap perc_bell sn_dolf sn_zome
tabla_dhec tabla_ghe2 tabla_ghe5 tabla_ke1 tabla_na tabla_na_o tabla_re tabla_tas1 tabla_te1 tabla_tun1""")
AMBIENCES = _names("""ambi_choir ambi_drone ambi_glass_hum ambi_lunar_land ambi_piano ambi_soft_buzz bass_dnb_f bass_hard_c bass_hit_c
bass_thick_c bass_voxy_c bass_woodsy_c guit_e_fifths guit_e_slide guit_em9 vinyl_hiss misc_cineboom loop_drone_g_97""")

LATE_LOOPS = _names("loop_safari loop_electric loop_perc2")
LATE_ONE_SHOTS = _names("""bd_gas bd_mehackit drum_snare_soft drum_cymbal_soft drum_tom_hi_soft drum_tom_mid_hard elec_hollow_kick
elec_twip glitch_perc4 perc_impact2 sn_dub tabla_ghe6 tabla_tas2 tabla_tun3""")
LATE_AMBIENCES = _names("ambi_haunted_hum ambi_swoosh bass_trance_c guit_harmonics")

HELD_OUT_LOOPS = _names("loop_mika loop_mehackit2")
HELD_OUT_ONE_SHOTS = _names("bd_sone drum_tom_lo_soft perc_bell2 tabla_tun2 elec_snare drum_splash_hard bd_zum")

GAINS_DB = (0.0, -3.0, -6.0, 0.0, -10.0, -4.0, -16.0, 0.0, -22.0, -8.0, -2.0, -30.0)
KINDS = _names(
    "loop one_shots layers ambience silence loop swell one_shots layers loop one_shots silence ambience layers loop"
)


@dataclass
class Arrangement:
    """The recordings to use. Each group is taken in a shuffled rotation: all come once before one comes again."""

    random: np.random.Generator
    rotations: dict[str, Iterator[str]]
    read: Callable[[str], Array]
    gains_db: Iterator[float]
    used: list[str] = field(default_factory=list)

    def take(self, rotation: str) -> Array:
        """Return the next recording of a rotation, with its peak at PEAK, and remember its name."""
        name = next(self.rotations[rotation])
        if name not in self.used:
            self.used.append(name)
        return self.read(name)


def read_sound(path: Path, rate_hz: int = RATE_HZ) -> Array:
    """Return a sound file, or the sound of a video, as mono samples `[T]` at `rate_hz`.

    Raises MediaError when the file is missing or holds no sound.
    """
    with SoundReader(path) as reader:
        sound_T = np.concatenate([mix_down(block_TC) for block_TC in reader.blocks()])
        return np.asarray(soxr.resample(sound_T, reader.rate_hz, rate_hz), dtype=np.float32)


def read_recording(name: str) -> Array:
    """Return one recording of the sample package, with its peak at PEAK.

    Raises TrainingError, which says how to install the package, when it is missing.
    """
    path = SAMPLES_FOLDER / f"{name}.flac"
    if not path.exists():
        raise TrainingError(f"{path} is missing; install the CC0 recordings with: apt-get install sonic-pi-samples")
    sound_T = read_sound(path)
    return sound_T * (PEAK / max(float(np.abs(sound_T).max()), 1e-6))


def _amplitude(gain_db: float) -> np.float32:
    return np.float32(10 ** (gain_db / 20))


def _fit(sound_T: Array, samples: int) -> Array:
    """Cut to length with a 10 ms fade at the end, or fill with silence."""
    part_T = np.zeros(samples, np.float32)
    part_T[: min(samples, len(sound_T))] = sound_T[:samples]
    fade = min(RATE_HZ // 100, samples)
    part_T[samples - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return part_T


def _within_peak(sound_T: Array) -> Array:
    return sound_T * np.float32(PEAK / max(float(np.abs(sound_T).max()), PEAK))


def _loop(arrangement: Arrangement, samples: int) -> Array:
    sound_T = arrangement.take("loops")
    return _fit(np.tile(sound_T, samples // len(sound_T) + 1), samples)


def _one_shots(arrangement: Arrangement, samples: int) -> Array:
    """Place one-shots at varied distances and levels, sometimes the same one again."""
    part_T, at = np.zeros(samples, np.float32), 0
    while at < samples:
        one_shot_T = arrangement.take("one_shots")
        pace = arrangement.random.choice([0.2, 0.3, 0.45, 0.7, 1.1])
        for _ in range(int(arrangement.random.integers(1, 4))):
            length = min(len(one_shot_T), samples - at)
            part_T[at : at + length] += one_shot_T[:length] * _amplitude(
                -arrangement.random.choice([0.0, 3.0, 8.0, 15.0])
            )
            at += int(RATE_HZ * pace)
            if at >= samples:
                break
    return _fit(_within_peak(part_T), samples)


def _ambience(arrangement: Arrangement, samples: int) -> Array:
    """Join ambiences, basses and guitars one after another."""
    part_T = arrangement.take("ambiences")
    while len(part_T) < samples:
        part_T = np.concatenate([part_T, np.zeros(RATE_HZ // 4, np.float32), arrangement.take("ambiences")])
    return _fit(part_T, samples)


def _layers(arrangement: Arrangement, samples: int) -> Array:
    under = _ambience if arrangement.random.random() < 0.6 else _one_shots
    mix_T = _loop(arrangement, samples) * _amplitude(-arrangement.random.choice([0.0, 4.0])) + under(
        arrangement, samples
    ) * _amplitude(-arrangement.random.choice([2.0, 6.0]))
    return _within_peak(mix_T)


def _section(arrangement: Arrangement, kind: str, samples: int) -> Array:
    if kind == "silence":
        return np.zeros(samples, np.float32)
    if kind == "swell":
        ramp_T = 10 ** (np.linspace(-30.0, 0.0, samples, dtype=np.float32) / 20)
        return _loop(arrangement, samples) * ramp_T
    make = {"loop": _loop, "one_shots": _one_shots, "ambience": _ambience, "layers": _layers}[kind]
    gain_db = max(next(arrangement.gains_db), -12.0) if kind == "one_shots" else next(arrangement.gains_db)
    return make(arrangement, samples) * _amplitude(gain_db)


def _arrangement(
    random: np.random.Generator, loops: list[str], one_shots: list[str], ambiences: list[str]
) -> Arrangement:
    def rotate(names: list[str]) -> Iterator[str]:
        while True:
            yield from random.permutation(names).tolist()

    rotations = {"loops": rotate(loops), "one_shots": rotate(one_shots), "ambiences": rotate(ambiences)}
    return Arrangement(random, rotations, read_recording, cycle(random.permutation(GAINS_DB).tolist()))


def _fill(arrangement: Arrangement, samples: int) -> Array:
    """Join sections until `samples` are full."""
    parts, filled = [], 0
    for kind in cycle(KINDS):
        seconds = arrangement.random.uniform(2.0, 3.5) if kind == "silence" else arrangement.random.uniform(4.0, 8.5)
        part_T = _section(arrangement, kind, min(int(seconds * RATE_HZ), samples - filled))
        parts.append(part_T)
        filled += len(part_T)
        if filled == samples:
            return np.concatenate(parts)
    raise AssertionError("cycle never ends")


def arrange(seconds: float, seed: int = 7) -> tuple[Array, list[str]]:
    """Return a training track `[T]` at RATE_HZ and for each part one line that names its recordings."""
    random = np.random.default_rng(seed)
    samples = int(seconds * RATE_HZ)
    early = _arrangement(random, LOOPS, ONE_SHOTS, AMBIENCES)
    # New recordings count twice, so that about half of the validation part is new and half is known.
    late = _arrangement(
        random, LOOPS[:5] + LATE_LOOPS * 2, ONE_SHOTS[::3] + LATE_ONE_SHOTS * 2, AMBIENCES[::3] + LATE_AMBIENCES * 2
    )
    first_T = _fill(early, int(samples * LATE_FROM))
    last_T = _fill(late, samples - len(first_T))
    lines = [f"first {LATE_FROM:.0%}: {' '.join(sorted(early.used))}", f"then: {' '.join(sorted(late.used))}"]
    return np.concatenate([first_T, last_T]), lines


def held_out(seed: int = 7) -> tuple[Array, list[str]]:
    """Return 20 s of recordings that no clip uses: a groove, quieter, silence, single one-shots, a second groove."""
    random = np.random.default_rng(seed)
    arrangement = _arrangement(random, HELD_OUT_LOOPS, HELD_OUT_ONE_SHOTS, HELD_OUT_ONE_SHOTS)
    groove_T, second_T = (read_recording(name) for name in HELD_OUT_LOOPS)
    whole = 20 * RATE_HZ
    track_T = np.concatenate(
        [
            _fit(groove_T, 5 * RATE_HZ),
            _fit(groove_T[5 * RATE_HZ :], 3 * RATE_HZ) * _amplitude(-12.0),
            np.zeros(2 * RATE_HZ, np.float32),
            _one_shots(arrangement, 5 * RATE_HZ),
            _fit(np.tile(second_T, 4), 5 * RATE_HZ),
        ]
    )
    return track_T[:whole], [f"held out: {' '.join(HELD_OUT_LOOPS + sorted(arrangement.used))}"]
