"""What the engine chooses where the user left it open: source and outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.app.config import LiveConfig
from engine.app.sink_registry import WEB, WINDOW
from engine.app.web import has_web
from engine.audio.input_layout import UNNAMED
from engine.audio.source import Source
from engine.audio.sources.inputs import OpenInputs, open_inputs
from engine.audio.sources.registry import open_source
from engine.audio.sources.spec import SourceSpec, parse_spec
from engine.audio.sources.web import BrowserSound
from engine.core.background_task import BackgroundTask
from engine.core.errors import SourceError, StoppedError
from engine.core.free_path import free_path
from engine.core.stop_signals import IsStopped, never_stopped
from engine.output.window.screen import has_screen
from engine.web.web_address import LOOPBACK

HEADLESS_OUTPUT, HEADLESS_SECONDS = "show.mp4", 10.0
MICROPHONE, DEMO = "mic", "demo"
_LOOKS_EVERY_S = 0.1


def choose_outputs(config: LiveConfig, say: Callable[[str], None]) -> LiveConfig:
    """Return the configuration with outputs: the window, or the web page where no screen answers, or else a file.

    No file is overwritten. Whoever wants the page as an output or as a microphone has asked for it.
    """
    if not config.out and has_screen():
        config = replace(config, out=(WINDOW,))
    elif not config.out and has_web():
        config = replace(config, out=(WEB,))
        lets_in = "" if config.web else "--web 0.0.0.0 lets other machines in, "
        say(f"No screen answers, so the show is on its web page; {lets_in}--out chooses.")
    elif not config.out:
        config = replace(config, out=(HEADLESS_OUTPUT,), seconds=config.seconds or HEADLESS_SECONDS)
        say(f"No screen answers, so {config.seconds:g} s are written to a file; choose with --out.")
    if config.web is None and (WEB in config.out or any(parse_spec(text).kind == "web" for text in config.source)):
        config = replace(config, web=LOOPBACK)
    return replace(config, out=tuple(str(free_path(name)) if Path(name).suffix else name for name in config.out))


def choose_inputs(
    config: LiveConfig,
    say: Callable[[str], None],
    is_stopped: IsStopped = never_stopped,
    browser_sound: BrowserSound | None = None,
) -> OpenInputs:
    """Open the sources; where there are none, the default microphone, or the demo on a machine without one.

    Raises SourceError, and StoppedError where `is_stopped` says so before an address has answered.
    """
    open_one = live_opener(config, browser_sound)
    if config.source:
        return open_inputs(config.source, config.model_input, unless_stopped(open_one, is_stopped))
    microphone = parse_spec(MICROPHONE)
    try:
        # Opened once beforehand, to see whether it can be.
        trial = open_one(microphone)
        try:
            trial.start()
        finally:
            trial.close()
        return OpenInputs(open_one(microphone), UNNAMED)
    except SourceError as error:
        say(f"{error} Playing '{DEMO}'; choose with --source.")
        return OpenInputs(open_one(parse_spec(DEMO)), UNNAMED)


def live_opener(config: LiveConfig, browser_sound: BrowserSound | None) -> Callable[[SourceSpec], Source]:
    """Return what opens a source of a live show, at its start and later."""
    return partial(
        open_source,
        live=True,
        repeat=config.repeat,
        track=config.track,
        capture=config.capture,
        browser_sound=browser_sound,
    )


def unless_stopped(open_one: Callable[[SourceSpec], Source], is_stopped: IsStopped) -> Callable[[SourceSpec], Source]:
    """Return what opens a source. An address has ten seconds to answer; where `is_stopped` says so, nobody waits for it any more."""

    def open_it(spec: SourceSpec) -> Source:
        if spec.kind != "address":
            return open_one(spec)
        task = BackgroundTask(f"Opening {spec.shown}", lambda: open_one(spec))
        while not task.wait(_LOOKS_EVERY_S):
            if is_stopped():
                raise StoppedError(f"{spec.shown} had not answered when the show was stopped.")
        return task.result()

    return open_it
