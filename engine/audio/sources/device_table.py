"""The inputs of this machine, as `--devices` prints them and as they can be chosen while a show plays."""

from __future__ import annotations

import sys
from typing import NamedTuple

from engine.audio.sources.portaudio import JACK, list_inputs
from engine.audio.sources.sound_device import SoundDevice
from engine.audio.sources.sound_server import connect, list_sources
from engine.audio.sources.spec import SourceKind, SourceSpec
from engine.core.counted import counted
from engine.core.errors import SourceError


class ListedInput(NamedTuple):
    """An input that there is now."""

    kind: SourceKind
    device: SoundDevice
    is_played_now: bool = False
    """Whether it is what the default output plays."""

    @property
    def spec(self) -> SourceSpec:
        """What opens it. Not parsed from its text: a name may hold every sign of the grammar."""
        text = f"{self.kind}:{self.device.name}"
        return SourceSpec(text=text, name=None, kind=self.kind, detail=self.device.name, channels=())

    @property
    def detail(self) -> str:
        return f"{counted(self.device.channels, 'channel')}, {self.device.rate_hz} Hz"


class FoundInputs(NamedTuple):
    """The inputs, and why PortAudio could not be asked; empty where it could."""

    listed: tuple[ListedInput, ...]
    trouble: str


def device_table() -> list[str]:
    """Return a line for each input, as --source takes it: PortAudio's, JACK's clients, the sound server's, what it plays."""
    found = find_inputs()
    lines = [
        f"{one.spec.text}  ({one.detail})" + (", played now: system" if one.is_played_now else "")
        for one in found.listed
    ]
    return [*filter(None, [found.trouble]), *lines] or ["No microphone or other sound input was found."]


def find_inputs() -> FoundInputs:
    """Look for inputs: PortAudio's, JACK's clients, the sound server's, what it plays. It may take as long as a server that hangs."""
    listed: list[ListedInput] = []
    trouble = ""
    try:
        clients = list_inputs(JACK)
        listed += [ListedInput("mic", device) for device in list_inputs() if device not in clients]
        listed += [ListedInput("jack", client) for client in clients]
    except SourceError as error:
        trouble = str(error)
    return FoundInputs((*listed, *(_of_the_server() if sys.platform == "linux" else ())), trouble)


def _of_the_server() -> list[ListedInput]:
    """Return the sources of the sound server; none without a server, which many machines do not have."""
    try:
        with connect() as server:
            sources = list_sources(server, monitors_only=False)
            outputs = list_sources(server, monitors_only=True)
    except SourceError:
        return []
    return [
        *(ListedInput("mic", source) for source in sources if not source.is_monitor),
        *(ListedInput("system", output, output.is_default) for output in outputs),
    ]
