"""From what the user typed to outputs: `window`, `null`, or the path of a video file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.control_box import ControlBox
from engine.errors import SinkError, nearest_name
from engine.sinks.null import NullSink
from engine.sinks.sink import Presenter, Sink

WINDOW = "window"
NULL = "null"
SINK_KINDS = (WINDOW, NULL)
VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv")


class Outputs(NamedTuple):
    """Everything a show is given to."""

    sinks: list[Sink]
    presenter: Presenter | None


def open_sinks(
    specs: Sequence[str], controls_box: ControlBox, title: str = "Fluid", fullscreen: bool = False
) -> Outputs:
    """Make the outputs that `specs` name; they begin with `open`. Raises SinkError, saying what is accepted."""
    sinks: list[Sink] = []
    presenter: Presenter | None = None
    for index, spec in enumerate(specs):
        if spec in specs[:index]:
            raise SinkError(f"Output '{spec}' is given twice; give it once.")
        if spec == WINDOW:
            from engine.sinks.window import Window

            presenter = Window(controls_box, title, fullscreen)
        else:
            sinks.append(_sink(spec))
    return Outputs(sinks, presenter)


def _sink(spec: str) -> Sink:
    if spec == NULL:
        return NullSink()
    suffix = Path(spec).suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        suggestion = nearest_name(spec, SINK_KINDS) if not suffix else nearest_name(suffix, VIDEO_SUFFIXES)
        raise SinkError(
            f"There is no output '{spec}'.{suggestion} Accepted are window, null and files ending in "
            f"{', '.join(VIDEO_SUFFIXES)}."
        )
    from engine.sinks.video_file import VideoFileSink

    return VideoFileSink(spec)
