"""What a model card says of the sound that its model was trained on, so that a show can bring any sound there."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.errors import ModelFileError
from engine.model.card_limits import check_limits


@dataclass(frozen=True, kw_only=True, slots=True)
class BandRange:
    """Levels of the training sound in one band, in blocks of 5 ms (engine/media/band_levels.py), in dB re full scale."""

    low_hz: float
    high_hz: float
    quiet_db: float
    """A tenth of the blocks that sound are quieter."""
    loud_db: float
    """Hardly any block is louder: the model knows nothing beyond."""

    def __post_init__(self) -> None:
        check_limits(self)
        if self.low_hz >= self.high_hz or self.quiet_db > self.loud_db:
            raise ModelFileError(
                f"The model card has a band from {self.low_hz:g} to {self.high_hz:g} Hz with levels from {self.quiet_db:g} to "
                f"{self.loud_db:g} dB; the lower number of each pair was expected first. Export the model again."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSound:
    """Loudness, levels and peaks of the training sound, at the model's rate, in dB re full scale."""

    loudness_db: float
    """Of its loud parts: root mean square over 0.4 s, which a tenth of the sounding time exceeds. Input conditioning aims at it."""
    quiet_db: float
    """The same of its quiet parts: a tenth of the sounding time is quieter."""
    peak_db: float
    """Its largest sample."""
    bands: tuple[BandRange, ...]
    sound: str
    """What was measured, and how long it is."""

    def __post_init__(self) -> None:
        check_limits(self)
