"""Plays clicks beside a running program and follows them to the screen: the part of the click test that all programs share."""

from __future__ import annotations

import subprocess
from typing import Protocol

from benchmarks.click_desktop import ClickDesktop
from benchmarks.click_figures import RATE_HZ, Click, follow_clicks
from benchmarks.click_jack import JackPlayer
from benchmarks.click_sound import PulseAudioSound
from benchmarks.private_desktop import wait_until
from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from engine.ops.calibration.clicks import click_starts

GAP_S = (0.3, 0.7)
"""Shortest and longest distance of two clicks."""
Sound = PulseAudioSound | JackPlayer
Program = subprocess.Popen[bytes]


class Rises(Protocol):
    """What sees the screen."""

    rises_s: list[float]
    """Times at which it turned bright."""


def wait_for_light(desktop: ClickDesktop, sound: Sound, light: Rises, program: Program, log: str) -> None:
    """Play clicks until some are seen. Raises ConfigError, with the last output of the program, where none is."""

    def is_lit() -> bool:
        _check_runs(desktop, program, log)
        if len(sound.written_s) == waited_for[0]:
            sound.play([RATE_HZ // 2])
            waited_for[0] += 1
        return len(light.rises_s) >= 3

    waited_for = [len(sound.written_s)]
    try:
        wait_until(is_lit, "light after a click")
    except ConfigError as error:
        raise ConfigError(f"{error} Its last output: {desktop.output(log)[-600:]}") from error


def play_clicks(desktop: ClickDesktop, sound: Sound, program: Program, log: str, clicks: int, seed: int) -> int:
    """Play so many clicks and return the number of those that were played before. Raises ConfigError where the program ends."""
    clock, first = WallClock(), len(sound.written_s)
    length_s = sound.play(click_starts(clicks, seed, RATE_HZ, first_s=0.5, gap_s=GAP_S))
    # The player waits for a server that stalls.
    until_s = clock.now_s() + 2.0 * length_s + 10.0
    while clock.now_s() < until_s and program.poll() is None and len(sound.written_s) < first + clicks:
        clock.sleep(0.1)
    clock.sleep(1.0)
    _check_runs(desktop, program, log)
    return first


def followed(sound: Sound, light: Rises, first: int) -> list[Click]:
    """Return the times of the clicks from number `first` on."""
    return follow_clicks(sound.written_s[first:], sound.captured(), light.rises_s)


def _check_runs(desktop: ClickDesktop, program: Program, log: str) -> None:
    if program.poll() is not None:
        raise ConfigError(f"The program ended during the click test; its last output: {desktop.output(log)[-600:]}")
