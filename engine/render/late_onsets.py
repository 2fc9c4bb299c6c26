"""Onsets that a display draws late begin when it draws them.

An onset fades from the moment of its detection. A display that is busy then (another drawing, a machine under load) would find it half
faded, or gone. Here its age counts from its first drawing, so every onset is seen in its whole strength.
"""

from __future__ import annotations

from dataclasses import replace

from engine.audio.features.audio_features import AudioFeatures

LATEST_S = 0.25
"""An onset that is older when it is first drawn is over: a window that was away does not flash when it returns."""


class LateOnsets:
    """The newest onset of the show's sound and of each named input, as one display has drawn them."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[int, float]] = {}
        """Onsets so far, and the age at which the newest was first drawn."""

    def begun(self, audio_features: AudioFeatures) -> AudioFeatures:
        """Return the features of a drawing, with the age of each onset since its first drawing."""
        now = self._since_drawn("", audio_features)
        inputs = {name: self._since_drawn(name, one) for name, one in audio_features.inputs.items()}
        return replace(now, inputs=inputs) if inputs else now

    def _since_drawn(self, name: str, audio_features: AudioFeatures) -> AudioFeatures:
        onsets, late_s = self._begun.get(name, (0, 0.0))
        if audio_features.onsets != onsets:
            age_s = audio_features.onset_age_s
            late_s = age_s if age_s <= LATEST_S else 0.0
            self._begun[name] = audio_features.onsets, late_s
        return (
            replace(audio_features, onset_age_s=max(0.0, audio_features.onset_age_s - late_s))
            if late_s
            else audio_features
        )
