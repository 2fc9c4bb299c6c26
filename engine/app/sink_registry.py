"""Turns what the user typed into outputs: `window`, `web`, `null`, or the path of a video file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import SinkError, nearest_name
from engine.output.null import NullSink
from engine.output.sink import Sink

WINDOW = "window"
WEB = "web"
NULL = "null"
SINK_KINDS = (WINDOW, WEB, NULL)
VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv")


def open_sinks(specs: Sequence[str], way_out: str = "choose another place with --out") -> list[Sink]:
    """Return the outputs that `specs` name, without the window, which belongs to the main thread (see window_choice.py), and without
    the web page, whose preview is there whether it is named or not. `way_out` is what to do where a file cannot be written.

    Raises SinkError, which lists what is accepted.
    """
    for index, spec in enumerate(specs):
        if spec in specs[:index]:
            raise SinkError(f"Output '{spec}' is given twice; give it once.")
    return [_sink(spec, way_out) for spec in specs if spec not in (WINDOW, WEB)]


def _sink(spec: str, way_out: str) -> Sink:
    if spec == NULL:
        return NullSink()
    suffix = Path(spec).suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        suggestion = nearest_name(spec, SINK_KINDS) if not suffix else nearest_name(suffix, VIDEO_SUFFIXES)
        raise SinkError(
            f"There is no output '{spec}'.{suggestion} Known are window, web, null and files ending in "
            f"{', '.join(VIDEO_SUFFIXES)}."
        )
    from engine.output.recording.video_file import VideoFileSink

    return VideoFileSink(spec, way_out)
