"""What the engine chooses where the user left it open: source and outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.app.config import LiveConfig
from engine.app.sink_registry import WINDOW
from engine.audio.input_layout import UNNAMED
from engine.audio.sources.inputs import OpenInputs, open_inputs
from engine.audio.sources.registry import open_source
from engine.core.errors import SourceError
from engine.core.free_path import free_path
from engine.output.window.screen import has_screen

HEADLESS_OUTPUT, HEADLESS_SECONDS = "show.mp4", 10.0


def choose_outputs(config: LiveConfig, say: Callable[[str], None]) -> LiveConfig:
    """Return the configuration with outputs: the window, or a file where no screen answers. No file is overwritten."""
    if not config.out and has_screen():
        config = replace(config, out=(WINDOW,))
    elif not config.out:
        config = replace(config, out=(HEADLESS_OUTPUT,), seconds=config.seconds or HEADLESS_SECONDS)
        say(f"No screen answers, so {config.seconds:g} s are written to a file; choose with --out.")
    return replace(config, out=tuple(str(free_path(name)) if Path(name).suffix else name for name in config.out))


def choose_inputs(config: LiveConfig, say: Callable[[str], None]) -> OpenInputs:
    """Open the sources; where there are none, the default microphone, or the demo on a machine without one. Raises SourceError."""
    if config.source:
        open_one = partial(open_source, live=True, repeat=config.repeat, track=config.track, capture=config.capture)
        return open_inputs(config.source, config.model_input, open_one)
    try:
        # Opened once beforehand, to see whether it can be.
        trial = open_source("mic", live=True, capture=config.capture)
        try:
            trial.start()
        finally:
            trial.close()
        return OpenInputs(open_source("mic", live=True, capture=config.capture), UNNAMED)
    except SourceError as error:
        say(f"{error} Playing 'demo'; choose with --source.")
        return OpenInputs(open_source("demo", live=True), UNNAMED)
