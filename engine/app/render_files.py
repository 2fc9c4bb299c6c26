"""Renders several sounds into a folder, with one model, one progress bar over all, and one line for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from engine.app import openers
from engine.app.command_line import ParsedCommand
from engine.app.renderings import Rendering
from engine.app.report import end_report, model_lines
from engine.app.show_builder import SharedParts, ShowBuilder
from engine.core.clock import WallClock
from engine.core.counted import counted
from engine.core.errors import USER_ERROR_EXIT_CODE, ConfigError, UserError
from engine.core.printable import print_line
from engine.core.stop_signals import StopRequest
from engine.media.address import shown_address
from engine.model.backends.first_test import FirstTestWatch
from engine.ops.health_monitor import HealthMonitor
from engine.output.progress import SharedProgressBar
from engine.render.play import play


def render_files(command: ParsedCommand, renderings: Sequence[Rendering], stop: StopRequest) -> int:
    """Render all that can be, tell of each, and return the exit code: 2 where one could not be rendered.

    A file appears in the folder when it is complete. Raises UserError for a model or a context that cannot be opened, StoppedError where
    its first test or the reading of the context was stopped.
    """
    config, selected = command.resolved.config, list[str]()
    backend = openers.open_model(config, False, selected.append, print_line, FirstTestWatch(stop.is_asked))
    context = openers.open_context(config, backend.card, False, print_line)
    # Read once, and here, where a mistake is told once.
    context.give_to(backend, stop.is_asked)
    lengths_s = [openers.duration_s((rendering.sound,), config.seconds) or 0.0 for rendering in renderings]
    # A terminal that is closed does not end the work.
    stop.begin(lambda: True)
    bar = SharedProgressBar(sum(lengths_s) or None)
    for line in model_lines(backend, selected):
        bar.say(line)
    shared, done_s, failed, rendered = SharedParts(backend, context, bar), 0.0, 0, 0
    for rendering, length_s in zip(renderings, lengths_s, strict=True):
        try:
            told = _render(command, rendering, shared, stop)
        except UserError as error:
            bar.say(f"error: {error}", failed=True)
            failed += 1
        else:
            if stop.is_set():
                break
            bar.say(told)
            rendered += 1
        done_s += length_s
        bar.reach(done_s)
    bar.end()
    unfinished = "; a file that was not finished was deleted" if stop.is_set() else ""
    print_line(
        f"{'stopped' if stop.is_set() else 'rendered'}: {rendered} of {counted(len(renderings), 'file')}{unfinished}"
    )
    return USER_ERROR_EXIT_CODE if failed else 0


def _render(command: ParsedCommand, rendering: Rendering, shared: SharedParts, stop: StopRequest) -> str:
    """Render one file and return the line about it. Raises UserError."""
    output, shown = rendering.output, shown_address(rendering.sound)
    if output.exists():
        raise ConfigError(f"{output} is there already and was left as it is; delete it or render into another folder.")
    partial = output.with_name(f".{output.stem}.{os.getpid()}{output.suffix}")
    monitor = HealthMonitor(WallClock())
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as releasing:
            builder = ShowBuilder(
                command, monitor, lambda line: shared.progress.say(f"{shown}: {line}"), releasing, stop.is_asked
            )
            built = builder.rendering((rendering.sound,), str(partial), shared)
            play(built.show, stop, built.seconds)
        if not stop.is_set():
            partial.replace(output)
    except OSError as error:
        raise ConfigError(f"Cannot write {output} ({error.strerror}); render into another folder.") from error
    finally:
        _remove(partial)
    return f"{shown} -> {output}: {end_report(monitor, built.controllers.switcher.card)}"


def _remove(partial: Path) -> None:
    with suppress(OSError):
        partial.unlink(missing_ok=True)
