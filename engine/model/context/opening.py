"""Open what `--context` names: photo.jpg, clip.mp4, camera:0 or camera:NAME."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.core.errors import ConfigError
from engine.model.card import ModelCard
from engine.model.context.camera import CameraContext
from engine.model.context.context_frames import ContextFrames, FileContext

CAMERA = "camera:"


def open_context(text: str, card: ModelCard, tell: Callable[[str], None], *, live: bool) -> ContextFrames:
    """Open a context for the model of `card`.

    Raises ConfigError for a model that looks at none and for a camera that is not live, MediaError and SourceError for what gives no frame.
    """
    if not card.pictures:
        raise ConfigError(
            f"context is '{text}', and the model '{card.name}' looks at none; leave out --context, or play a model that does "
            "(docs/families.md)."
        )
    if text.startswith(CAMERA):
        if not live:
            raise ConfigError(
                f"context is '{text}', and a camera shows the present alone; give a still or a clip to a rendering or a replay."
            )
        return CameraContext(text.removeprefix(CAMERA), tell)
    spec = card.pictures[0]
    return FileContext(Path(text), spec.width, spec.height)
