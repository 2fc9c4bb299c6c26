"""The inputs of this machine, and another one while the show goes on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

from engine.app.choices import DEMO, MICROPHONE, live_opener
from engine.app.config import LiveConfig
from engine.audio.source import Source
from engine.audio.sources.device_table import find_inputs
from engine.audio.sources.inputs import OpenInputs
from engine.audio.sources.spec import SourceSpec, parse_spec
from engine.audio.sources.switchable import SwitchableSource
from engine.audio.sources.watchdog import BEGINS_WITHIN_S
from engine.audio.sources.web import KIND as BROWSER
from engine.audio.sources.web import BrowserSound
from engine.core.answered_calls import AnsweredCalls
from engine.core.choice import Choice, id_of
from engine.core.clock import Clock
from engine.core.errors import ConfigError, SourceError, StoppedError
from engine.core.printable import printable_name

LISTED_WITHIN_S = 5.0
OPEN_WITHIN_S = 12.0
"""An address has ten seconds to answer."""
HEARD_WITHIN_S = 5.0


class InputSwitch:
    """The source of a live show, which can be exchanged unless there is an obstacle. Any thread may list and play."""

    def __init__(
        self,
        config: LiveConfig,
        inputs: OpenInputs,
        clock: Clock,
        browser_sound: BrowserSound | None = None,
    ) -> None:
        self._open_one = live_opener(config, browser_sound)
        self._clock = clock
        self._obstacle = _obstacle(config, inputs)
        self._switchable = None if self._obstacle else SwitchableSource(inputs.source)
        self._beside_devices = {DEMO: "comes with the engine"}
        if browser_sound and config.web is not None:
            self._beside_devices[BROWSER] = "a phone or laptop that sends its microphone from this page"
            browser_sound.is_offered |= not self._obstacle
        self._source = inputs.source
        # What `choose_inputs` opens where nothing was asked for.
        first = DEMO if inputs.source.name == DEMO else MICROPHONE
        self._configured = tuple(parse_spec(text) for text in config.source or (first,))
        self._playing = self._configured[0].text
        self._specs: dict[str, SourceSpec] = {}
        """By the ids that were given out."""
        self._listing = AnsweredCalls("the sound system", LISTED_WITHIN_S)
        self._opening = AnsweredCalls("the sound system", OPEN_WITHIN_S)
        self._is_opening = threading.Lock()
        self._is_switching = threading.Lock()

    @property
    def source(self) -> Source:
        """The source for the show."""
        return self._switchable or self._source

    def choices(self) -> Sequence[Choice]:
        """Return the inputs of --source, those of this machine and the demo. Raises ConfigError where the sound system does not answer."""
        specs = {spec.text: (spec, "as the show was started") for spec in self._configured}
        for listed in self._listing.run("list of inputs", find_inputs).listed:
            specs.setdefault(listed.spec.text, (listed.spec, listed.detail))
        for text, detail in self._beside_devices.items():
            specs.setdefault(text, (parse_spec(text), detail))
        self._specs = {id_of(text): spec for text, (spec, _) in specs.items()}
        return [
            Choice(
                id=id_of(text),
                name=printable_name(spec.shown),
                detail=printable_name(detail),
                plays=text == self._playing,
                problem="" if text == self._playing else self._obstacle,
            )
            for text, (spec, detail) in specs.items()
        ]

    def play(self, id: str) -> None:
        """Change to a listed input, once it gives sound. Raises ConfigError where it does not; the old one then stays."""
        spec = self._specs.get(id)
        if spec is None:
            raise ConfigError("There is no such input in the list; list the inputs again and choose one of them.")
        switchable = self._switchable
        if switchable is None:
            raise ConfigError(self._obstacle)
        if not self._is_opening.acquire(blocking=False):
            raise ConfigError("Another input is being opened; try again in a moment.")
        given_up = threading.Event()
        try:
            self._opening.run(f"opening of {spec.shown}", partial(self._open, spec, switchable, given_up))
        except ConfigError as error:
            with self._is_switching:
                given_up.set()
                if self._playing == spec.text:
                    # It answered at the last moment.
                    return
            raise ConfigError(f"{error} {switchable.name} keeps playing.") from error
        finally:
            self._is_opening.release()

    def _open(self, spec: SourceSpec, switchable: SwitchableSource, given_up: threading.Event) -> None:
        source = self._open_one(spec)
        try:
            source.start()
            self._wait_for_sound(source)
            with self._is_switching:
                if given_up.is_set():
                    raise StoppedError(f"{source.name} answered too late.")
                switchable.switch_to(source)
                self._playing = spec.text
        except BaseException:
            source.close()
            raise

    def _wait_for_sound(self, source: Source) -> None:
        """Wait for the first samples. Raises SourceError where none come."""
        begun_s = self._clock.now_s()
        until_s = begun_s + HEARD_WITHIN_S
        while True:
            block = source.read()
            if block is None:
                raise SourceError(f"{source.name} holds no sound; choose another input.")
            now_s = self._clock.now_s()
            # A device that does not begin is silent for a while before it counts as stalled.
            is_certain = now_s > begun_s + BEGINS_WITHIN_S + 0.5 or block[0].any()
            if len(block[0]) and not source.stalled and is_certain:
                return
            if now_s > until_s:
                raise SourceError(f"{source.name} gives no sound; check that it is connected, or choose another input.")
            source.wait(0.05)


def _obstacle(config: LiveConfig, inputs: OpenInputs) -> str:
    """Return why the show cannot change its input; empty where it can."""
    if inputs.layout.names:
        return (
            f"This show has inputs with names ({', '.join(inputs.layout.names)}), which keep their places while it plays; "
            "start it again with others."
        )
    if config.listen is not None:
        return "--listen plays the sound that the show began with; start the show without --listen to change its input."
    return ""
