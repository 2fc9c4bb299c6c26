"""Films that the engine renders of one model, as `run_live.py --render` does, one after the other without opening it again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from engine.app.command_line import ParsedCommand, parse_command
from engine.app.show_builder import SharedParts, ShowBuilder
from engine.core.clock import WallClock
from engine.core.stop_signals import never_stopped
from engine.model.backends.selection import open_backend
from engine.model.context.opening import ShowContext
from engine.ops.health_monitor import HealthMonitor
from engine.output.progress import SharedProgressBar
from engine.render.play import play


class ModelFilms:
    """Renders films of one model."""

    def __init__(self, model: Path) -> None:
        """Open the model. Raises UserError."""
        self._model = model
        self._shared = SharedParts(open_backend(model), ShowContext(None), SharedProgressBar(None))

    def render(self, sound: Path, film: Path, flags: Sequence[str] = ()) -> None:
        """Render a sound under further flags of run_live.py. Raises UserError."""
        command = parse_command(["--model", str(self._model), "--render", str(sound), str(film), *flags])
        assert isinstance(command, ParsedCommand)
        with ExitStack() as releasing:
            builder = ShowBuilder(command, HealthMonitor(WallClock()), print, releasing, never_stopped)
            built = builder.rendering((str(sound),), str(film), self._shared)
            play(built.show, threading.Event(), built.seconds)

    def end(self) -> None:
        """End the bar of their progress."""
        self._shared.progress.end()
