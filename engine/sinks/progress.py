"""A line on the terminal that tells how far a rendering is."""

from __future__ import annotations

from typing import Any

from engine.frame import Frame, ShowFormat


class ProgressSink:
    """Counts frames on stderr; the length of a sound is not known before it ends, so seconds and speed are shown."""

    name = "progress"
    lost_frames = 0

    def __init__(self) -> None:
        self._bar: Any = None

    def open(self, show: ShowFormat) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc=show.title, unit="frame", dynamic_ncols=True)

    def show(self, frame: Frame) -> None:
        self._bar.set_postfix_str(f"{frame.time_s:.1f} s of sound", refresh=False)
        self._bar.update()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
