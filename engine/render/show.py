"""A show that is built and ready to play; engine/app/show_builder.py builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.audio.capture import AudioCapture
from engine.audio.source import Source
from engine.output.frame import ShowFormat
from engine.output.sink import Sink, WindowSink
from engine.render.present_loop import PresentLoop
from engine.render.runtime import Runtime
from engine.render.steering import HopRecorder
from engine.render.step_loop import StepLoop


@dataclass(frozen=True, kw_only=True, slots=True)
class Show:
    """Sound from a source, frames from the step loop, to sinks at each hop and to present loops at the display's rate."""

    source: Source
    capture: AudioCapture
    step_loop: StepLoop
    outputs: tuple[Sink, ...]
    """All of them, in the order in which they are opened."""
    windows: tuple[WindowSink, ...]
    """Those of the outputs that live on the main thread."""
    present_loops: tuple[PresentLoop, ...]
    """Each draws in a thread of its own, except that of the windows; offline there is none."""
    format: ShowFormat
    runtime: Runtime
    recorder: HopRecorder | None = None
    """What records takes."""
    conditioning: Callable[[], str] = str
    """Says what happens to the sound on its way into the model."""

    @property
    def is_kept_or_seen(self) -> bool:
        """Whether it gives more than lines in a terminal: a window, a file, a recording that is on, or a take."""
        return self.is_kept_or_seen_without(None)

    def is_kept_or_seen_without(self, lost: PresentLoop | None) -> bool:
        """Whether it still does once the outputs of a present loop are lost."""
        is_displayed = any(loop.is_seen for loop in self.present_loops if loop is not lost)
        has_take = self.recorder is not None and self.recorder.is_recording
        return has_take or self.step_loop.delivery.is_seen or is_displayed
