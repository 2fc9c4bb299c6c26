"""What --listen asks for: a loudspeaker, and the delay at which its sound comes together with the frames."""

from __future__ import annotations

from collections.abc import Callable

from engine.app.config import DEFAULT_LOUDSPEAKER, WHERE_HEARD, LiveConfig
from engine.audio.input_mix import film_channels
from engine.audio.listening.listened_source import ListenedSource
from engine.audio.listening.loudspeaker import Loudspeaker
from engine.audio.source import Source
from engine.audio.sources.inputs import OpenInputs
from engine.audio.sources.paced import PacedSource
from engine.core.clock import Clock
from engine.core.counted import counted
from engine.core.errors import ConfigError


class Listening:
    """The loudspeaker of a show. A frame shows a sound some time after the source has played it, and then it is to be heard."""

    def __init__(
        self, config: LiveConfig, inputs: OpenInputs, clock: Clock, listen_delay_s: Callable[[], float]
    ) -> None:
        """Open the loudspeaker. Raises SourceError without one, and ConfigError for a source that is no file or generated sound."""
        source = inputs.source
        if not isinstance(source, PacedSource):
            raise ConfigError(
                f"--listen plays the sound of files, demo and tone, and '{source.name}' comes from elsewhere (a microphone would hear "
                "itself); leave --listen out, or give a file with --source."
            )
        name = None if config.listen in (DEFAULT_LOUDSPEAKER, WHERE_HEARD) else config.listen
        self._source, self._layout = source, inputs.layout
        self._listen_delay_s = listen_delay_s
        self._light_s = 0.0
        self.loudspeaker = Loudspeaker(name, source.rate_hz, film_channels(inputs.layout, source.channels), clock)

    def source(self) -> Source:
        """Return the show's source, heard. Call it once."""
        return ListenedSource(self._source, self._layout, self.loudspeaker, self.wanted_s)

    def wanted_s(self) -> float:
        """Return how long after the source the sound is to be heard: with its light, or as much later as the parameter says."""
        return self._light_s + self._listen_delay_s()

    def align(self, light_s: float) -> str:
        """Take how long after the source its light comes, and return what that means, in a line."""
        self._light_s = light_s
        loudspeaker = self.loudspeaker
        loudspeaker.wanted_s = self.wanted_s()
        sound_ms, light_ms, driver_ms = (1e3 * s for s in (loudspeaker.delay_s, light_s, loudspeaker.driver_s))
        line = (
            f"listen   {loudspeaker.name}, whose driver holds {driver_ms:.0f} ms: sound {sound_ms:.0f} ms and light {light_ms:.0f} ms "
            "after the source;"
        )
        apart_ms = sound_ms - light_ms
        order = f"the sound comes {abs(apart_ms):.0f} ms {'after' if apart_ms > 0 else 'before'} its light"
        if loudspeaker.delay_s > loudspeaker.wanted_s:
            return f"{line} {order}, and this loudspeaker allows no less"
        if abs(apart_ms) < 0.5:
            return f"{line} they come together, and --listen-delay-ms moves the sound"
        return f"{line} {order}, as --listen-delay-ms says"

    def summary(self) -> str:
        """Return how it went, in a line."""
        loudspeaker = self.loudspeaker
        left_out, added = loudspeaker.corrected_samples
        return (
            f"listened {loudspeaker.name}, whose driver held {1e3 * loudspeaker.driver_s:.0f} ms: sound "
            f"{1e3 * loudspeaker.delay_s:.0f} ms after the source, {counted(loudspeaker.gaps, 'gap')}, {counted(left_out, 'sample')} left out and {added} "
            "added to follow its clock"
        )
