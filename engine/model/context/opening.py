"""Opens what `--context` names: photo.jpg, clip.mp4, camera:0 or camera:NAME, for each model that comes to play."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from engine.core.errors import ConfigError, MediaError
from engine.core.small_files import check_file, open_file
from engine.core.stop_signals import IsStopped, never_stopped
from engine.core.structured import shown
from engine.model.backend import Backend
from engine.model.card import ModelCard, PictureSpec
from engine.model.context.context_backend import ContextBackend

if TYPE_CHECKING:
    from engine.model.context.context_frames import ContextFrames, FileContext

CAMERA = "camera:"
GIVE_ANOTHER = "give the path of a still or a clip"
GIVE_IT_AGAIN = "if the file was moved, name it with --context"
_CHECKED_BYTES = 1 << 28


class ShowContext:
    """What the models of a show look at; None is nothing.

    Each model gets frames that are fitted from the original to its own size, whatever played before: a take that begins after a change of
    model is replayed with the same pixels.
    """

    def __init__(
        self,
        text: str | None,
        tell: Callable[[str], None] = print,
        *,
        live: bool = False,
        way_out: str = GIVE_ANOTHER,
    ) -> None:
        """Nothing is opened before a model looks at it. `way_out` is for whoever named a file that gives no frame."""
        self._text, self._tell, self._live, self._way_out = text, tell, live, way_out
        self._first: ContextFrames | None = None
        """Kept until the show is over; frames for models that come later go with them."""
        self._files: WeakValueDictionary[tuple[int, int], FileContext] = WeakValueDictionary()

    @property
    def is_camera(self) -> bool:
        return self._text is not None and self._text.startswith(CAMERA)

    @cached_property
    def sha256(self) -> str:
        """Checksum of the file's first 256 MiB; empty where there is no file."""
        if self._text is None or self.is_camera:
            return ""
        try:
            with open_file(self._text) as file:
                return hashlib.sha256(file.read(_CHECKED_BYTES)).hexdigest()
        except OSError:
            return ""

    def check(self, card: ModelCard) -> None:
        """Raise ConfigError where somebody gave a context to a model that looks at none."""
        if self._text is not None and not card.pictures:
            raise ConfigError(
                f"context is {shown(self._text)}, and the model '{card.name}' looks at none; leave out --context, or play a model "
                "that does (docs/families.md)."
            )

    def check_outputs(self, outputs: Iterable[str]) -> None:
        """Raise ConfigError where one of these films would take the place of what the models look at."""
        if self._text is None or self.is_camera:
            return
        for output in outputs:
            if _is_same_file(output, self._text):
                raise ConfigError(f"context is {shown(self._text)}, which would be overwritten; give another output.")

    def give_to(self, backend: Backend, is_stopped: IsStopped = never_stopped) -> Backend:
        """Return the backend with the context, or as it is where its model looks at none.

        Raises ConfigError for a camera that is not live or not named, MediaError and SourceError for what gives no frame, StoppedError.
        """
        looked_at = backend.card.pictures
        if self._text is None or not looked_at:
            return backend
        return ContextBackend(backend, {spec.name: self._frames(self._text, spec, is_stopped) for spec in looked_at})

    def close(self) -> None:
        """Give back a camera."""
        if self._first:
            self._first.close()

    def _frames(self, text: str, spec: PictureSpec, is_stopped: IsStopped) -> ContextFrames:
        if self.is_camera:
            return self._first or self._opened(self._camera(text))
        size = (spec.width, spec.height)
        found = self._files.get(size)
        if found is None:
            found = self._files[size] = self._file(text, size, is_stopped)
            self._opened(found)
        return found

    def _opened(self, frames: ContextFrames) -> ContextFrames:
        if self._first is None:
            self._first = frames
            self._tell(f"context  {frames.description}")
        return frames

    def _camera(self, text: str) -> ContextFrames:
        if not self._live:
            raise ConfigError(
                f"context is {shown(text)}, and a camera shows the present alone; give a still or a clip to a rendering or a replay, "
                "with --context."
            )
        from engine.model.context.camera import CameraContext, camera_names

        name = text.removeprefix(CAMERA)
        if not name:
            known = ", ".join(camera_names()) or "none that this system names"
            raise ConfigError(
                f"context is {shown(text)}, which names no camera; give its number or a part of its name (cameras here: {known})."
            )
        return CameraContext(name, self._tell)

    def _file(self, text: str, size: tuple[int, int], is_stopped: IsStopped) -> FileContext:
        from engine.model.context.context_frames import FileContext

        try:
            check_file(text)
        except FileNotFoundError as error:
            raise MediaError(f"context is {shown(text)}, and there is no such file; {self._way_out}.") from error
        except OSError as error:
            raise MediaError(
                f"context is {shown(text)}, which cannot be opened ({error.strerror}); {self._way_out}."
            ) from error
        # What is wrong with a file is told once, however many models look at it.
        tell = self._ignore if self._first else self._tell
        try:
            return FileContext(Path(text), *size, tell, is_stopped)
        except MediaError as error:
            # Its way out is for films with sound.
            reason = str(error).rpartition(";")[0]
            raise MediaError(
                f"context is {shown(text)}, and a still or a clip was expected: {reason}; give another one."
            ) from error

    @staticmethod
    def _ignore(line: str) -> None:
        """Tell nobody."""


def _is_same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        # Outputs such as "window" are no files, and a film is not there before it is made.
        return False
