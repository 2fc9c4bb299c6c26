"""A whole live show that plays in a thread, with what a page steers of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from engine.app.built_show import BuiltShow
from engine.app.command_line import ParsedCommand, parse_command
from engine.app.show_builder import ShowBuilder
from engine.control.parameter_store import ControlSource
from engine.core.clock import WallClock
from engine.ops.health_monitor import HealthMonitor
from engine.render.play import play
from engine.web.show_control import Choice, ShowControl
from tests.fixtures_display import wait_until


class Playing:
    """A show that plays in a thread."""

    def __init__(self, built: BuiltShow, told: list[str]) -> None:
        assert built.show_control
        self.built, self.told = built, told
        self.control: ShowControl = built.show_control

    @property
    def store(self) -> ControlSource:
        return self.built.store

    @property
    def scene(self) -> int:
        """The scene that was recalled or saved last."""
        return self.built.controllers.scene_controller.number

    @property
    def received_samples(self) -> int:
        return self.built.show.capture.received_samples

    def wait_for_hops(self, hops: int) -> None:
        until = self.received_samples + hops * self.built.controllers.switcher.card.hop_samples
        wait_until(lambda: self.received_samples > until, f"{hops} hops")

    def choice(self, name: str) -> Choice:
        return next(choice for choice in self.control.inputs() if choice.name == name)


@contextmanager
def show_of(folder: Path, model: Path, *flags: str) -> Iterator[Playing]:
    command = parse_command(
        ["--model", str(model), "--out", "null", "--no-osc", "--take", str(folder / "take"),
         "--scenes", str(folder / "scenes"), *flags]
    )  # fmt: skip
    assert isinstance(command, ParsedCommand)
    told, stop = list[str](), threading.Event()
    with ExitStack() as releasing:
        built = ShowBuilder(command, HealthMonitor(WallClock()), told.append, releasing).live()
        thread = threading.Thread(target=play, args=(built.show, stop))
        thread.start()
        try:
            yield Playing(built, told)
        finally:
            stop.set()
            thread.join(20.0)
            assert not thread.is_alive()
