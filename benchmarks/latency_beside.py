"""Other programs in the click test: what an audience sees of them, on the same desktop and by the same clicks.

None of them runs a network, but the eye compares. Each shows sound in a window of the size of ours; a narrow band across it, a little
below its middle, where a wave swings and a spectrum's bars rise, is read, and a mean level well above the one between clicks is light. Programs that are not installed are left out with a sentence.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.click_desktop import MONITOR, SCREEN, ClickDesktop
from benchmarks.click_figures import Click, spread_ms
from benchmarks.click_light import BandLight, Screen
from benchmarks.click_run import followed, play_clicks, wait_for_light
from benchmarks.click_sound import PulseAudioSound
from benchmarks.private_desktop import end
from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, nearest_name

SIDE = 768
"""Width and height of the windows, as of ours."""
PRESET_S = 10
"""projectM begins with a preset of its own, and with ours after this time."""
BAND = 0.62
"""Height of the band, from the top of the screen."""
SETTLE_S = 3.0
Measure = Callable[[int, int], list[Click]]
"""From the number of clicks and a seed to the clicks."""

_PRESET = """[preset00]
fDecay=0
fWaveAlpha=0
ob_size=1
ob_a=1
per_frame_1=level = if(above(bass+mid+treb, 1.5), min(1, (bass+mid+treb)/6), 0);
per_frame_2=ob_r = level;
per_frame_3=ob_g = level;
per_frame_4=ob_b = level;
"""
"""A preset of projectM whose border, which covers all, turns white with the sound."""


@dataclass(frozen=True, slots=True)
class OtherProgram:
    """A program that shows sound."""

    program: str
    packages: str
    """What to install on Debian."""
    command: Callable[[Path], Sequence[str]]
    """From the folder of the desktop, where it may leave files, to its command line."""


def _gstreamer(element: str, is_small: bool) -> Callable[[Path], Sequence[str]]:
    buffers = ("buffer-time=10000", "latency-time=2000") if is_small else ()

    def command(folder: Path) -> Sequence[str]:
        source = ("pulsesrc", f"device={MONITOR}", *buffers)
        frames = (f"video/x-raw,width={SIDE},height={SIDE}", "!", "videoconvert", "!", "ximagesink", "sync=false")
        return ("gst-launch-1.0", "-q", *source, "!", "audioconvert", "!", *element.split(), "!", *frames)

    return command


def _projectm(folder: Path) -> Sequence[str]:
    presets, settings = folder / "presets", folder / ".projectM"
    for made in (presets, settings):
        made.mkdir(exist_ok=True)
    (presets / "white.milk").write_text(_PRESET, encoding="utf-8")
    values = {
        "Texture Size": 512, "Mesh X": 8, "Mesh Y": 8, "FPS": 60, "Fullscreen": "false", "Window Width": SIDE, "Window Height": SIDE,
        "Smooth Preset Duration": 0, "Preset Duration": PRESET_S, "Preset Path": presets, "Shuffle Enabled": "false",
    }  # fmt: skip
    (settings / "config.inp").write_text(
        "".join(f"{key} = {value}\n" for key, value in values.items()), encoding="utf-8"
    )
    # OpenCV leads programs of this process to its own Qt.
    without = ("-u", "QT_QPA_PLATFORM_PLUGIN_PATH", "-u", "QT_QPA_FONTDIR")
    return ("env", *without, f"HOME={folder}", f"PULSE_SOURCE={MONITOR}", "projectM-pulseaudio")


_GSTREAMER = (
    "gstreamer1.0-tools gstreamer1.0-pulseaudio gstreamer1.0-plugins-base gstreamer1.0-plugins-bad gstreamer1.0-x"
)
OTHERS: Mapping[str, Mapping[str, OtherProgram]] = {
    "projectm": {"projectM (PulseAudio)": OtherProgram("projectM-pulseaudio", "projectm-pulseaudio", _projectm)},
    "gstreamer": {
        "GStreamer spectrascope, small buffers": OtherProgram(
            "gst-launch-1.0", _GSTREAMER, _gstreamer("spectrascope", True)
        ),
        "GStreamer wavescope, small buffers": OtherProgram(
            "gst-launch-1.0", _GSTREAMER, _gstreamer("wavescope style=lines", True)
        ),
        "GStreamer wavescope, its defaults": OtherProgram(
            "gst-launch-1.0", _GSTREAMER, _gstreamer("wavescope style=lines", False)
        ),
    },
}


def measure_in_turns(arguments: argparse.Namespace, ours: Mapping[str, Measure]) -> None:
    """Play clicks to all programs in turns, print one table and append the record. Raises ConfigError."""
    if arguments.server != "pulse" or arguments.turns < 1:
        raise ConfigError(
            "--beside needs --server pulse, which the other programs listen to, and --turns of at least 1."
        )
    programs: dict[str, Measure] = {f"ours, {path} at {arguments.fps:g} fps": run for path, run in ours.items()}
    for name, other in _chosen(arguments.beside):
        if shutil.which(other.program):
            programs[name] = _measure_of(other)
        else:
            what = f"{other.program} is not installed (Debian, Ubuntu: apt install {other.packages})."
            print(f"{name} is left out: {what}")
    clicks: dict[str, list[Click]] = {name: [] for name in programs}
    for turn in range(arguments.turns):
        for name in programs if turn % 2 == 0 else reversed(programs):
            print(f"turn {turn + 1} of {arguments.turns}: {name}")
            clicks[name] += programs[name](max(1, arguments.clicks // arguments.turns), arguments.seed + turn)
    rows = {name: _figures(of) for name, of in clicks.items()}
    columns = ("p50", "p95", "p99", "max")
    print_table(
        ["sound to light", "clicks", "missed", *(f"{column} ms" for column in columns)],
        [
            [name, row["count"], row["missed"], *(row.get(column, 0.0) for column in columns)]
            for name, row in rows.items()
        ],
    )
    if not arguments.no_record:
        append_record("latency_beside", {"fps": arguments.fps, "turns": arguments.turns, "programs": rows})


def _chosen(names: Sequence[str]) -> list[tuple[str, OtherProgram]]:
    for name in names:
        if name not in OTHERS:
            raise ConfigError(
                f"There is no program '{name}' to measure beside.{nearest_name(name, OTHERS)} Known are {', '.join(OTHERS)}."
            )
    return [each for name in names for each in OTHERS[name].items()]


def _measure_of(other: OtherProgram) -> Measure:
    def measure(clicks: int, seed: int) -> list[Click]:
        with ClickDesktop() as desktop:
            sound = PulseAudioSound(desktop.environment["PULSE_SERVER"], MONITOR)
            program = desktop.start(other.command(desktop.folder), "other.log")
            # The window is nearly as large as the screen, so the band crosses it wherever it opens.
            margin = SCREEN[0] - SIDE
            light = BandLight(Screen(desktop.display), margin, round(BAND * SCREEN[1]), SIDE - margin)
            try:
                wait_for_light(desktop, sound, light, program, "other.log")
                WallClock().sleep(SETTLE_S)
                first = play_clicks(desktop, sound, program, "other.log", clicks, seed)
                end(program)
            finally:
                sound.close()
                light.close()
            return followed(sound, light, first)

    return measure


def _figures(clicks: Sequence[Click]) -> dict[str, Any]:
    left = [click for click in clicks if click.left_s is not None]
    spread = spread_ms(
        [click.light_s - click.left_s for click in left if click.light_s is not None and click.left_s is not None]
    )
    return {**spread, "missed": len(left) - spread["count"]}
