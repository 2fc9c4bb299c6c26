"""What the way through a browser adds to a sound.

    python -m benchmarks.browser_sound --clicks 60

A private sound server plays clicks. Two sources hear them at once: the engine's own microphone, and a Chromium whose page sends its
microphone to the show. For each click the moments are compared in which a show could have used it. Network and phone come on top.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.private_desktop import PULSE_PROGRAMS, SINK_NAME, PrivateDesktop, wait_until
from benchmarks.record import append_record, print_table
from engine.audio.source import Source
from engine.audio.sources.registry import open_source
from engine.audio.sources.web import RATE_HZ, BrowserSound
from engine.core.clock import Clock, WallClock
from engine.core.errors import run_main
from engine.web.access import WebAccess
from engine.web.server import WebServer, bind_web
from engine.web.sound import PageSound
from engine.web.static_files import StaticFiles
from engine.web.web_address import parse_web_address

EVERY_S, CLICK_S = 0.7, 0.01
LOUD, QUIET_S = 0.1, 0.3
READS_EVERY_S = 0.002
SETTLES_S = 8.0
"""The pace of a browser's blocks is known after five seconds."""
PAIRED_WITHIN_S = 0.35
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
SENDS = """async () => {
    const { BrowserSound } = await import("/page/sound.js");
    window.states = [];
    await new BrowserSound((state) => window.states.push(state)).start();
}"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the way through a browser adds to a sound.")
    parser.add_argument("--clicks", type=int, default=60, help="how many clicks are compared (default 60)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    clock, browser_sound = WallClock(), BrowserSound()
    with PrivateDesktop("browser sound", (*PULSE_PROGRAMS, "pacat", "chromium"), "pulseaudio chromium") as stage:
        stage.start_sound()
        # A browser shows no monitor of an output as a microphone.
        stage.run(
            "pactl", "load-module", "module-remap-source", f"master={SINK_NAME}.monitor", "source_name=microphone"
        )
        stage.run("pactl", "set-default-source", "microphone")
        os.environ |= {name: stage.environment[name] for name in ("XDG_RUNTIME_DIR", "PULSE_SERVER")}
        direct, sent = open_source("system", live=True), browser_sound.source(clock)
        with clicking(stage), sending(stage, browser_sound, sent):
            direct.start()
            came = {name: Clicks(source) for name, source in (("direct", direct), ("browser", sent))}
            for seconds in (SETTLES_S, arguments.clicks * EVERY_S):
                until_s = clock.now_s() + seconds
                for clicks in came.values():
                    clicks.came_s.clear()
                while clock.now_s() < until_s:
                    for clicks in came.values():
                        clicks.read(clock)
                    clock.sleep(READS_EVERY_S)
            waiting_ms = 1e3 * sent.buffer_s
        direct.close()
        sent.close()
    added_ms = 1e3 * differences_s(came["direct"].came_s, came["browser"].came_s)
    figures: dict[str, Any] = {"clicks": len(added_ms), "waiting_ms": round(waiting_ms, 1)}
    if len(added_ms):
        percentiles = zip(("p5", "p50", "p95"), np.percentile(added_ms, (5, 50, 95)), strict=True)
        figures |= {f"added_{name}_ms": round(float(value), 1) for name, value in percentiles}
    print_table(list(figures), [list(figures.values())])
    if not arguments.no_record:
        append_record("browser_sound", figures)
    return 0


class Clicks:
    """When the clicks in a source could be used."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._samples = 0
        self._loud_until = -RATE_HZ
        self.came_s = list[float]()

    def read(self, clock: Clock) -> None:
        block = self._source.read()
        now_s = clock.now_s()
        if block is None or not len(block[0]):
            return
        for sample in np.flatnonzero(np.abs(block[0]).max(axis=1) > LOUD) + self._samples:
            if sample - self._loud_until > QUIET_S * self._source.rate_hz:
                self.came_s.append(now_s)
            self._loud_until = int(sample)
        self._samples += len(block[0])


def differences_s(direct_s: list[float], browser_s: list[float]) -> NDArray[np.float64]:
    """Return how much later each click came by the browser; a click that only one of them heard is left out."""
    paired = [
        (moment_s, min(direct_s, key=lambda other_s: abs(moment_s - other_s), default=-1.0)) for moment_s in browser_s
    ]
    return np.array([late_s - early_s for late_s, early_s in paired if abs(late_s - early_s) < PAIRED_WITHIN_S])


@contextmanager
def clicking(stage: PrivateDesktop) -> Iterator[None]:
    """Play a click every EVERY_S, close behind each other in one stream."""
    time_T = np.arange(round(EVERY_S * RATE_HZ)) / RATE_HZ
    click_T = np.where(time_T < CLICK_S, 0.8 * np.sin(2 * np.pi * 1000 * time_T), 0.0).astype("<f4").tobytes()
    sound = ["--raw", "--format=float32le", f"--rate={RATE_HZ}", "--channels=1", "--latency-msec=20"]
    player = subprocess.Popen(
        ["pacat", *sound], env=stage.environment, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    pipe, ending = player.stdin, threading.Event()
    assert pipe is not None

    def play() -> None:
        while not ending.is_set():
            try:
                pipe.write(click_T)
            except OSError:
                return

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        player.terminate()
        thread.join()
        player.wait()


@contextmanager
def sending(stage: PrivateDesktop, browser_sound: BrowserSound, sent: Source) -> Iterator[None]:
    """Serve the page's parts, and let a Chromium send its microphone."""
    from playwright.sync_api import sync_playwright

    bound = bind_web(parse_web_address("127.0.0.1:0"), print)
    access = WebAccess(["localhost", "127.0.0.1"], None, "fluid", False, WallClock())
    server = WebServer(bound, access, [PageSound(browser_sound, WallClock())], StaticFiles(), print)
    server.start()
    sent.start()
    with sync_playwright() as playwright:
        flags = [*FLAGS, "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=flags, env={**stage.environment}, headless=True
        )
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/page/sound.js")
        page.evaluate(SENDS)
        wait_until(lambda: "on" in page.evaluate("window.states"), "the browser's sound")
        try:
            yield
        finally:
            browser.close()
            server.close()


if __name__ == "__main__":
    sys.exit(run_main(main))
