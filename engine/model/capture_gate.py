"""When a step may be captured as a CUDA graph: not while another thread opens a model.

ONNX Runtime captures in CUDA's mode for the whole process, in which memory that any other thread takes from the card ends the
capture with an error. It also keeps a captured graph for the thread that captured it alone. So the thread that plays captures by
itself, at a step while nothing is being opened; until then its steps run without a graph.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator


class CaptureGate:
    """Keeps captures and the opening of models apart. The thread that plays never waits."""

    def __init__(self) -> None:
        self._capturing = threading.Lock()
        self._openings = 0

    @contextlib.contextmanager
    def opening(self) -> Generator[None]:
        """Hold off captures while a model is opened and warmed up; waits for the end of a capture, some milliseconds."""
        with self._capturing:
            self._openings += 1
        try:
            yield
        finally:
            with self._capturing:
                self._openings -= 1

    @contextlib.contextmanager
    def capturing(self) -> Generator[bool]:
        """Give True, and hold off openings, where a step may be captured now; else give False, without waiting."""
        if not self._capturing.acquire(blocking=False):
            yield False
            return
        try:
            yield self._openings == 0
        finally:
            self._capturing.release()


CAPTURES = CaptureGate()
"""Of this process, as CUDA's capture mode is."""
