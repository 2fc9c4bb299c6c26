"""What --listen asks for: a loudspeaker, and the delay at which its sound comes together with the frames."""

from __future__ import annotations

from collections.abc import Callable

from engine.app.config import DEFAULT_LOUDSPEAKER, LiveConfig
from engine.audio.input_mix import film_channels
from engine.audio.listening.listened_source import ListenedSource
from engine.audio.listening.loudspeaker import Loudspeaker
from engine.audio.source import Source
from engine.audio.sources.inputs import OpenInputs
from engine.audio.sources.paced import PacedSource
from engine.core.clock import Clock
from engine.core.errors import ConfigError


class Listening:
    """The loudspeaker of a show. A frame shows a sound some time after the source has played it; the loudspeaker waits for that."""

    def __init__(
        self, config: LiveConfig, inputs: OpenInputs, clock: Clock, listen_delay_s: Callable[[], float]
    ) -> None:
        """Open the loudspeaker. Raises SourceError without one, and ConfigError for a source that hears it."""
        if not isinstance(inputs.source, PacedSource):
            raise ConfigError(
                f"--listen plays files, demo and tone, and '{inputs.source.name}' would hear itself from the loudspeaker; leave "
                "--listen out, or give a file with --source."
            )
        name = None if config.listen == DEFAULT_LOUDSPEAKER else config.listen
        self._inputs = inputs
        self._listen_delay_s = listen_delay_s
        self._light_s = 0.0
        self.loudspeaker = Loudspeaker(
            name, inputs.source.rate_hz, film_channels(inputs.layout, inputs.source.channels), clock
        )

    @property
    def source(self) -> Source:
        """The show's source, heard."""
        return ListenedSource(self._inputs.source, self._inputs.layout, self.loudspeaker, self.wanted_s)

    def wanted_s(self) -> float:
        """Return how long after the source the sound is to be heard: with its light, or as much later as the parameter says."""
        return self._light_s + self._listen_delay_s()

    def align(self, light_s: float) -> str:
        """Take how long after the source its light comes, and return what that means, in a line."""
        self._light_s = light_s
        loudspeaker = self.loudspeaker
        loudspeaker.wanted_s = self.wanted_s()
        sound_ms, light_ms = 1e3 * loudspeaker.delay_s, 1e3 * light_s
        line = f"listen   {loudspeaker.name}: sound {sound_ms:.0f} ms and light {light_ms:.0f} ms after the source"
        added_ms = 1e3 * (loudspeaker.delay_s - loudspeaker.least_s)
        apart_ms = sound_ms - light_ms
        if abs(apart_ms) < 1.0:
            return f"{line}, together: the sound waits {added_ms:.0f} ms; --listen-delay-ms moves it"
        order = f"{abs(apart_ms):.0f} ms {'after' if apart_ms > 0 else 'before'} its light"
        if added_ms < 1.0:
            return f"{line}: the sound comes {order}, and this loudspeaker allows no less"
        return f"{line}: the sound comes {order}, as --listen-delay-ms says"

    def summary(self) -> str:
        """Return how it went, in a line."""
        loudspeaker = self.loudspeaker
        left_out, added = loudspeaker.corrected_samples
        return (
            f"listened {loudspeaker.name}: {1e3 * loudspeaker.delay_s:.0f} ms after the source, {loudspeaker.gaps} gaps; "
            f"{left_out} samples left out and {added} added to follow its clock"
        )
