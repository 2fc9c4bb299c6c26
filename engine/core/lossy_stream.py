"""Standard output and error that may be closed by whoever reads them: a terminal, an ssh connection, a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TextIO


class LossyStream:
    """A text stream that loses what it cannot write, rather than end what a program is doing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except UnicodeEncodeError as error:
            # A name in letters that the terminal does not have.
            return self.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        # ValueError: the stream was closed.
        except (OSError, ValueError):
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def outlive_readers() -> None:
    """Let no print, progress bar or last flush of this process fail because nobody reads it any more."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Where something else stands in, as in tests, it stays.
        if stream is not None and stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, LossyStream(stream))
