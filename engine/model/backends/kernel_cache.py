"""The kernels that TensorRT for RTX compiles for a plan on this card, kept from one start of a show to the next.

A cache file begins with the checksum of the rest, so that one cut short never reaches the library, which checks by itself that the
rest fits card, driver and version. A cache that is damaged or does not fit costs the time to compile again, and nothing else.
"""

# tensorrt_rtx ships no types.
# pyright: basic

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from engine.core.atomic_files import write_bytes

FILE = "kernels.bin"
MOST_BYTES = 1 << 30
_DIGEST_BYTES = hashlib.sha256().digest_size


class KernelCache:
    """The library's runtime cache of one engine, with its file in `folder`; without a folder nothing is kept."""

    def __init__(self, settings: Any, folder: Path | None) -> None:
        """`settings` is the engine's runtime configuration; the current thread has a CUDA context."""
        self._file = folder / FILE if folder else None
        self._cache = settings.create_runtime_cache()
        self._content = b""
        self.fault = ""
        """Why the file was ignored, in words; empty when it was used, or when there was none."""
        stored = self._stored()
        if stored and self._cache.deserialize(stored):
            self._content = stored
        elif stored:
            self.fault = "it is of another driver, card or version"
        settings.set_runtime_cache(self._cache)

    def save(self) -> None:
        """Write what the library has compiled since, if anything. A disk that is full leaves the show as it is."""
        content = bytes(self._cache.serialize())
        if self._file is None or content == self._content:
            return
        try:
            write_bytes(self._file, hashlib.sha256(content).digest() + content)
        except OSError:
            return
        self._content = content

    def _stored(self) -> bytes:
        """Return the content of the file; empty when there is none, and with `fault` set when it is damaged."""
        if self._file is None or not self._file.is_file():
            return b""
        try:
            if self._file.stat().st_size > MOST_BYTES:
                self.fault = "it is too large"
                return b""
            content = self._file.read_bytes()
        except OSError as error:
            self.fault = f"it cannot be read: {error.strerror}"
            return b""
        if hashlib.sha256(content[_DIGEST_BYTES:]).digest() != content[:_DIGEST_BYTES]:
            self.fault = "it is damaged"
            return b""
        return content[_DIGEST_BYTES:]
