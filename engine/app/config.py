"""The configuration of a show: LiveConfig, from default < YAML file < flag.

Every setting is declared once, as a field. Flags (`--osc-port`) and configuration keys (`osc_port`) are computed from it.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

from engine.control.parameter import Value
from engine.web.web_address import DEFAULT_WEB_PORT, LOOPBACK

DEFAULT_MODEL = str(Path(__file__).parent.parent / "models" / "veil.onnx")
DEFAULT_OSC_PORT = 9000
DEFAULT_OS2L = "9996"
DEFAULT_LOUDSPEAKER = "default"
WHERE_HEARD = "auto"
"""As a loudspeaker: the default one, and none where there is none."""
CONTROLS, MAPPINGS, MIDI_PARAMETERS = "controls", "mappings", "midi_parameters"
FORMER_KEYS: Mapping[str, str] = MappingProxyType({"midi_knobs": MIDI_PARAMETERS})
"""Keys of the version before, which files may still have."""
Origin = Literal["default", "file", "flag"]


def setting(
    default: Any,
    help: str,
    metavar: str = "",
    low: float = -math.inf,
    high: float = math.inf,
    empty: str = "the engine chooses",
    alone: str | None = None,
) -> Any:
    """Declare a field of LiveConfig: what it is for, what its flag's value is called, its range if it is a number, and what is
    shown where it is empty; `alone` is the value of a flag without one."""
    metadata = {"help": help, "metavar": metavar, "low": low, "high": high, "empty": empty, "alone": alone}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveConfig:
    """A show. None means that the engine chooses."""

    source: tuple[str, ...] = setting(
        (),
        "the sound: mic, mic:NAME, system, jack:CLIENT, web for the microphone of a browser, demo, tone, tone:HZ, pcm:RATExCHANNELS for raw sound "
        "that is piped in, an address such as rtsp://..., or a sound or video file; @3,4 behind it chooses channels; several, each with a name, as in "
        "drums=mic@1,2, may be given; see docs/sources.md (default: the microphone, or demo without one)",
        "SOURCE",
    )
    model_input: str | None = setting(
        None,
        "the named input that the model gets, or mix for all of them (default: the first)",
        "NAME",
        empty="the first",
    )
    track: str | int | None = setting(
        None,
        "the sound track of a file or an address, by its number from 1 or by its language, e.g. 2 or ger (default: the one that "
        "the file marks as default)",
        "TRACK",
        empty="the default one",
    )
    capture: str = setting(
        "auto",
        "what opens sound devices: sounddevice, pyaudio from the extra of that name, or auto for the sound server of Linux itself "
        "where it runs, else sounddevice",
        "NAME",
    )
    repeat: bool = setting(False, "repeat a file")
    listen: str | None = setting(
        None,
        "play the sound of a file, demo or tone on this loudspeaker, by a part of its name, in time with the frames; without a "
        "name on the default one, auto for that one where there is one (default: off; auto for a file that is given without a flag)",
        "DEVICE",
        empty="off",
        alone=DEFAULT_LOUDSPEAKER,
    )
    out: tuple[str, ...] = setting(
        (),
        "where frames go: window, web for the web page alone, FILE.mp4 or null; may be given several times (default: window, or web "
        "without a screen)",
        "OUTPUT",
    )
    model: str = setting(
        DEFAULT_MODEL, "the model to play: the name of a shipped one (--gallery lists them), or a file", "MODEL"
    )
    context: str | None = setting(
        None,
        "what a model that goes on from a frame is given: photo.jpg, clip.mp4, camera:0 or camera:NAME; see docs/families.md (default: "
        "a frame of the model's own clip)",
        "FRAMES",
        empty="of the model's own clip",
    )
    backend: str = setting("auto", "the backend that runs the model; auto takes the fastest on this machine", "NAME")
    threads: int | None = setting(None, "processor threads of a step (default: 2)", "N", low=1, high=256)
    early_step: bool = setting(
        True, "show an onset between two steps at once, by a step of its own where there is time for one"
    )
    seconds: float | None = setting(None, "end after so many seconds of sound", "S", low=1e-3)
    osc: bool = setting(True, "listen to OSC remotes")
    osc_host: str = setting(
        "127.0.0.1", "address for OSC, e.g. ::1; 0.0.0.0 lets other machines in, :: with IPv6 too", "HOST"
    )
    osc_port: int | None = setting(
        None, f"UDP port for OSC (default: {DEFAULT_OSC_PORT} if it is free)", "PORT", low=0, high=65535
    )
    osc_allow: tuple[str, ...] = setting(
        (),
        "read OSC from these networks or addresses alone, e.g. 10.0.0.0/24; may be given several times (default: from all)",
        "NETWORK",
        empty="all",
    )
    osc_tcp: int | None = setting(
        None, "listen to OSC over TCP on this port too, of the same address (default: no)", "PORT", 0, 65535, empty="no"
    )
    osc_out: tuple[str, ...] = setting(
        (),
        "tell this listener by OSC what the show does: sound, beat, frames, changed parameters; HOST:PORT, IPv6 in brackets; may be "
        "given several times; see docs/osc.md (default: nobody)",
        "HOST:PORT",
        empty="nobody",
    )
    osc_out_rate: float = setting(20.0, "how often a second listeners are told", "HZ", low=1.0, high=60.0)
    remote_lock: tuple[str, ...] = setting(
        (), "a parameter that no remote may set; may be given several times (default: none)", "PARAMETER", empty="none"
    )
    midi: tuple[str, ...] = setting(
        (),
        "listen to this MIDI port, by a part of its name; all for every port, virtual for one of our own; may be given several times "
        "(default: none)",
        "PORT",
        empty="none",
    )
    link: bool = setting(
        False, "join the Ableton Link session of the network: follow its tempo and beat, or lead it; see docs/tempo.md"
    )
    os2l: str | None = setting(
        None,
        "listen to OS2L senders such as VirtualDJ on this TCP port; HOST: before it, e.g. 0.0.0.0:9996, lets other machines in "
        "(default: off; without a port 9996)",
        "[HOST:]PORT",
        empty="off",
        alone=DEFAULT_OS2L,
    )
    midi_api: str = setting("auto", "whose MIDI ports: auto for the system's, or jack for JACK's", "NAME")
    midi_clock_out: str | None = setting(
        None,
        "send the show's beat as a MIDI clock to this port, by a part of its name, or virtual",
        "PORT",
        empty="off",
    )
    controller: tuple[str, ...] = setting(
        (),
        "a controller file, which says what the controls of a MIDI device do; may be given several times; see docs/midi.md (default: "
        "by the port's name, from the folder of --controllers and from configs/controllers)",
        "FILE.yaml",
        empty="by the port's name",
    )
    controllers: str = setting("controllers", "folder of the controller files that MIDI learn writes", "FOLDER")
    web: str | int | None = setting(
        None,
        "serve the web page on this port, or at HOST:PORT; 0.0.0.0 lets other machines in, :: with IPv6 too (default: off; alone: "
        f"{LOOPBACK}, port {DEFAULT_WEB_PORT} or the next free one)",
        "[HOST:]PORT",
        empty="off",
        alone=LOOPBACK,
    )
    web_token: str | None = setting(
        None,
        "the word that opens the page from other machines, at least 8 characters (default: another one with each start)",
        "TEXT",
        empty="a new one, on the network",
    )
    web_cert: str | None = setting(
        None,
        "serve the page over TLS with this certificate, or with auto for one that is made here; phones give their microphone to no "
        "other page (default: no TLS)",
        "FILE.pem",
        empty="no TLS",
    )
    web_key: str | None = setting(None, "the key of the certificate, where it is a file of its own", "FILE.pem")
    title: str = setting("Fluid", "the window's title", "TEXT")
    oscquery: bool = setting(
        True, "answer OSCQuery on the port of --web, and advertise the show on the network by zeroconf"
    )
    web_name: str | None = setting(
        None, "what the show is called on the network (default: the title)", "TEXT", empty="the title"
    )
    fullscreen: bool = setting(False, "start with the window in full screen")
    window: str = setting("auto", "what draws the window: gl, opencv, or auto for gl where it works", "KIND")
    monitor: str | None = setting(
        None, "the monitor for the window, by a part of its name; --devices lists them", "NAME"
    )
    upscale: str = setting(
        "auto",
        "how frames are enlarged: nearest, bilinear, bicubic, lanczos, processor, or auto for the best that is fast enough",
        "FILTER",
    )
    scenes: str = setting("scenes", "folder of the scenes", "FOLDER")
    models: str | None = setting(
        None,
        "folder of the models that the show can change to (default: that of the shipped models and that of --model)",
        "FOLDER",
        empty="that of the shipped models and that of the playing one",
    )
    recordings: str = setting("recordings", "folder of what is recorded while the parameter record is on", "FOLDER")
    segment_minutes: float = setting(10.0, "length of one recorded file", "MIN", low=0.05)
    keep_hours: float | None = setting(
        None, "keep the newest hours of recordings and delete older ones (default: keep all)", "H", low=0.05
    )
    take: str | None = setting(
        None, "record sound and parameters in this folder, to render the show again with --replay", "FOLDER"
    )
    takes: str = setting("takes", "folder of the takes that the parameter record_take begins", "FOLDER")
    health_port: int | None = setting(
        None, "TCP port for GET /health and /metrics (default: none)", "PORT", low=0, high=65535
    )
    health_host: str = setting(
        "127.0.0.1", "address of the health port, e.g. ::1; 0.0.0.0 lets other machines in", "HOST"
    )
    log: str | None = setting(None, "log file: JSON lines, rotated by size", "FILE")
    stats: str | None = setting(None, "write the show's statistics to this file at the end", "FILE.json")
    controls: Mapping[str, Value] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    """Start values of parameters, by name."""
    mappings: Mapping[str, str] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    """Expressions that drive parameters, by name; see docs/mapping.md."""
    midi_parameters: Mapping[int, str] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    """Parameters that MIDI controllers move, by the controller's number."""


SETTINGS: Mapping[str, dataclasses.Field[Any]] = MappingProxyType(
    {
        field.name: field
        for field in dataclasses.fields(LiveConfig)
        if field.name not in (CONTROLS, MAPPINGS, MIDI_PARAMETERS)
    }
)
HINTS = typing.get_type_hints(LiveConfig)


def setting_kind(name: str) -> type:
    """Return bool, int, float, str or tuple (of texts): what the setting holds when it is not None."""
    hint = HINTS[name]
    options = [option for option in typing.get_args(hint) if option is not type(None)]
    if typing.get_origin(hint) is tuple:
        return tuple
    return cast(type, options[0] if options else hint)
