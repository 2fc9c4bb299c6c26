"""The preview: the show's frames, as the audience sees them, for whoever watches from elsewhere.

    file thread: effects ──one slot──> preview thread: JPEG, once a size ──one slot a viewer──> whoever sends it on

Every slot holds the newest and nothing else, so a viewer who is slow skips frames, and neither the show nor another viewer waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from engine.output.frame import Frame, ShowFormat
from engine.output.preview.feature_levels import FeatureLevels
from engine.output.preview.jpeg import encode_jpeg, preview_width
from engine.output.sink import FrameRate

MOST_VIEWERS = 16
CLOSE_WITHIN_S = 1.0


class Viewer:
    """One who watches: the size and rate that were asked for, and the newest that there is to send."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called in the preview's thread whenever there is something new; it must not wait."""
        self._wake = wake
        self._lock = threading.Lock()
        self._jpeg: bytes | None = None
        self._levels: bytes | None = None
        self._turn = -1
        self.width = preview_width(0)
        self.fps = 1.0

    def ask(self, width: int, fps: float) -> None:
        """Watch at about `width` columns and at most `fps` frames a second from now on."""
        self.width, self.fps = preview_width(width), fps

    def is_due(self, index: int, show_fps: float) -> bool:
        """Tell whether the viewer's rate asks for the frame of hop `index`. All viewers of one rate get the same frames."""
        turn = index // max(1, round(show_fps / self.fps))
        is_due, self._turn = turn != self._turn, turn
        return is_due

    def offer(self, jpeg: bytes | None, levels: bytes) -> None:
        """Give the viewer the newest; what was not taken is lost."""
        with self._lock:
            self._jpeg = jpeg or self._jpeg
            self._levels = levels
        self._wake()

    def take(self) -> tuple[bytes | None, bytes | None]:
        """Return the newest JPEG and feature levels that were not taken yet."""
        with self._lock:
            taken = self._jpeg, self._levels
            self._jpeg = self._levels = None
        return taken


class PreviewSink:
    """Costs nothing while nobody watches."""

    name = "preview"
    rate: FrameRate = "file"
    with_effects = True

    def __init__(self, *, is_output: bool) -> None:
        """`is_output`: the user chose the web page as an output, and the show goes on for it even while nobody watches."""
        self._is_output = is_output
        self._viewers: tuple[Viewer, ...] = ()
        self._fps = 1.0
        self._came = threading.Condition()
        self._frame: Frame | None = None
        self._closing = False
        self._thread: threading.Thread | None = None
        self.lost_frames = 0

    @property
    def standby(self) -> bool:
        """Whether nobody watches, unless the page is an output of the show."""
        return not self._is_output and not self._viewers

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._viewers)

    def join(self, viewer: Viewer) -> bool:
        """Let one more watch; False when so many do that no more can. From any thread."""
        with self._came:
            if len(self._viewers) >= MOST_VIEWERS:
                return False
            self._viewers = (*self._viewers, viewer)
        return True

    def leave(self, viewer: Viewer) -> None:
        """Let one watch no more. From any thread."""
        with self._came:
            self._viewers = tuple(other for other in self._viewers if other is not viewer)

    def open(self, show: ShowFormat) -> None:
        """Begin."""
        self._fps = show.fps
        self._thread = threading.Thread(target=self._serve, name="preview", daemon=True)
        self._thread.start()

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        # All frames, whatever rates were asked for: the effects and the flash guard are those of the whole show.
        return bool(self._viewers)

    def show(self, frame: Frame) -> None:
        """Take one frame, without waiting."""
        with self._came:
            self.lost_frames += self._frame is not None
            self._frame = frame
            self._came.notify()

    def close(self) -> None:
        """End; safe to call twice."""
        with self._came:
            self._closing = True
            self._came.notify()
        if self._thread:
            self._thread.join(CLOSE_WITHIN_S)

    def _serve(self) -> None:
        feature_levels = FeatureLevels(self._fps)
        while (frame := self._take()) is not None:
            levels = feature_levels.levels(frame.features_F)
            jpegs = dict[int, bytes]()
            for viewer in self._viewers:
                jpeg, width = None, min(viewer.width, frame.pixels_HWC.shape[1])
                if viewer.is_due(frame.index, self._fps):
                    if width not in jpegs:
                        jpegs[width] = encode_jpeg(frame.pixels_HWC, width)
                    jpeg = jpegs[width]
                viewer.offer(jpeg, levels)

    def _take(self) -> Frame | None:
        """Wait for a frame; None at the end."""
        with self._came:
            while self._frame is None and not self._closing:
                self._came.wait()
            frame, self._frame = self._frame, None
            return None if self._closing else frame
