"""Configuration of the training data: clips and augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.errors import TrainingError
from training.data.sound_choice import SoundChoice
from training.data.sub_urmp import folder_of

LARGEST_TUNING_SHARE = 0.4
HIGHEST_GAIN_DB = 60.0
LONGEST_SAMPLE_S = 600.0
"""All frames of a sample are held in memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipConfig:
    """The clips to train on, and what the model card will say about them."""

    path: str = ""
    """A video file, a folder of video files, or the frames of one instrument in the layout of Sub-URMP (ROOT/img/SPLIT/INSTRUMENT, or
    ROOT+SPLIT+INSTRUMENT)."""
    more: tuple[str, ...] = ()
    """Further clips of the same scene; each is split into its own training part and held-out part."""
    title: str = ""
    """Empty: the file's name."""
    source: str = ""
    """Origin of the clip: a URL or package."""
    licence: str = "unknown"
    crop: tuple[int, int, int, int] | None = None
    """x, y, width, height in displayed pixels, squeezed if they have another shape than model.image_size; none takes the
    largest centred part of that shape."""
    track: Any = None
    """The sound track that is trained, by its number from 1 or its language (a text); none takes the file's default track."""
    channels: tuple[int, ...] = ()
    """Channels of that track, numbered from 1; several are mixed. Empty: all."""
    tuning_share: float = 0.1
    """Share of each clip, just before its held-out part, that is neither trained nor reported: it chooses the best checkpoint and
    adapts the augmentation. 0: there is no such part, as in runs of the version before."""

    def __post_init__(self) -> None:
        self.sound_choice()
        if not 0.0 <= self.tuning_share <= LARGEST_TUNING_SHARE:
            raise TrainingError(
                f"clip.tuning_share is {self.tuning_share:g}; a share from 0 to {LARGEST_TUNING_SHARE:g} was expected."
            )

    def sound_choice(self) -> SoundChoice:
        """Return which sound of each clip is trained. Raises TrainingError for channels that cannot be."""
        if self.track is not None and (type(self.track) not in (int, str) or not str(self.track).strip()):
            raise TrainingError(
                f"clip.track is {self.track!r}; a number from 1 or a language was expected, e.g. 2 or ger."
            )
        return SoundChoice(None if self.track is None else str(self.track).strip(), self.channels)

    def paths(self) -> list[Path]:
        """Return all files and folders to train on; ROOT+SPLIT+INSTRUMENT becomes the folder that it names."""
        return [folder_of(Path(path)) for path in (self.path, *self.more) if path]


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplesConfig:
    """Sounds that the model plays at the sample interval, beside the held-out part of the clip."""

    sounds: tuple[str, ...] = ()
    """Sound or video files; of each, a video with its sound is written to the run's samples and shown in the report."""
    seconds: float = 10.0
    """How much of each is played, from its start."""

    def __post_init__(self) -> None:
        if not 0.0 < self.seconds <= LONGEST_SAMPLE_S:
            raise TrainingError(
                f"samples.seconds is {self.seconds:g}; more than 0 and at most {LONGEST_SAMPLE_S:g} was expected."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentationConfig:
    """Random changes of the training data; all off by default. The held-out part is never changed.

    Flip and colours stay the same until a stream restarts. A model whose only input is sound cannot predict them, so with an
    L1 loss it learns their average. Use them with adversarial losses alone, or with models that take a frame as input.
    """

    gain_range_db: tuple[float, float] | None = None
    """Each sequence gets a random gain in this range, so that level matters less; none leaves the sound unchanged."""
    louder_db: float = 0.0
    """The loudest sequences get a random gain of up to so much, quieter ones less and those of half loudness none: the model learns
    that what is louder than its clip looks as the clip's loudest moments do."""
    flip: float = 0.0
    """Probability that a stream reads the clip mirrored."""
    colour_jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Largest change of brightness, contrast and saturation (0.2: between 0.8 and 1.2 times) and of hue (as a share of the circle, up to 0.5)."""
    audio_dropout: float = 0.0
    """Probability that the sound of a sequence is replaced by silence while its frames stay the target.

    The model learns to continue from its state through a gap in the sound instead of going to rest at once. This weakens
    the link between silence and rest: keep it low (0.05). Sequences that start from the initial state keep their sound.
    """

    rest: float = 0.0
    """Probability that a sequence is replaced by the quietest one of its clip, from the initial state and with silence for sound, so
    that silence rests as the clip's quietest moments do. 0.05 is much."""

    @property
    def loudest_gain_db(self) -> float:
        """The highest gain of the loudest sequences, at least 0."""
        return max((self.gain_range_db or (0.0, 0.0))[1], 0.0) + self.louder_db

    def __post_init__(self) -> None:
        if self.gain_range_db is not None and self.gain_range_db[0] > self.gain_range_db[1]:
            raise TrainingError(
                f"augmentation.gain_range_db is {list(self.gain_range_db)}; [lowest, highest] was expected."
            )
        if not 0.0 <= self.louder_db <= HIGHEST_GAIN_DB:
            raise TrainingError(
                f"augmentation.louder_db is {self.louder_db:g}; 0 to {HIGHEST_GAIN_DB:g} dB was expected."
            )
        for name in ("flip", "audio_dropout", "rest"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise TrainingError(
                    f"augmentation.{name} is {getattr(self, name)}; a probability, 0 to 1, was expected."
                )
        if min(self.colour_jitter) < 0.0 or max(self.colour_jitter[:3]) > 1.0 or self.colour_jitter[3] > 0.5:
            raise TrainingError(
                f"augmentation.colour_jitter is {list(self.colour_jitter)}; [brightness, contrast, saturation] from 0 to 1 and hue from "
                "0 to 0.5 were expected."
            )
