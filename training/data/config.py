"""What is learned from and how it is varied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import TrainingError


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipConfig:
    """The video to learn, and what the model card will say about it."""

    path: str = ""
    """A video file, or the pictures of one instrument in the layout of Sub-URMP (ROOT/img/SPLIT/INSTRUMENT)."""
    more: tuple[str, ...] = ()
    """Further ones of the same scene; each is split into a taught and a held-out part by itself."""
    title: str = ""
    """Empty: the file's name."""
    source: str = ""
    """Where it comes from: a URL or package."""
    licence: str = "unknown"
    crop: tuple[int, int, int, int] | None = None
    """x, y, width, height in the file's pixels; none takes the largest centred square."""

    def paths(self) -> list[Path]:
        """Return all files and folders to learn."""
        return [Path(path) for path in (self.path, *self.more) if path]


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentationConfig:
    """Random changes of what is learned; all off by default. What is held out is never changed.

    Flip and colours keep from one fresh start of a lane to the next. A model that hears and sees nothing else can not know them,
    so with an L1 loss it learns their average: they are for models that are shown a picture, and for adversarial losses alone.
    """

    gain_range_db: tuple[float, float] | None = None
    """Each sequence is heard at a random gain in this range, so that level matters less; none leaves the sound as it is."""
    flip: float = 0.0
    """Probability that a lane sees the clip mirrored."""
    colour_jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Largest change of brightness, contrast and saturation (0.2: between 0.8 and 1.2 times) and of hue (in turns, up to 0.5)."""
    audio_dropout: float = 0.0
    """Probability that a sequence is heard as silence while its pictures stay what is to be learned.

    It teaches to go on from memory through a gap in the feed, instead of falling at once to what silence looks like, so
    it weakens what silence means: keep it low (0.05). A sequence that starts with a fresh state, without memory, is always heard.
    """

    def __post_init__(self) -> None:
        if self.gain_range_db is not None and self.gain_range_db[0] > self.gain_range_db[1]:
            raise TrainingError(
                f"augmentation.gain_range_db is {list(self.gain_range_db)}; [lowest, highest] was expected."
            )
        for name in ("flip", "audio_dropout"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise TrainingError(
                    f"augmentation.{name} is {getattr(self, name)}; a probability, 0 to 1, was expected."
                )
        if min(self.colour_jitter) < 0.0 or max(self.colour_jitter[:3]) > 1.0 or self.colour_jitter[3] > 0.5:
            raise TrainingError(
                f"augmentation.colour_jitter is {list(self.colour_jitter)}; [brightness, contrast, saturation] from 0 to 1 and hue from "
                "0 to 0.5 were expected."
            )
