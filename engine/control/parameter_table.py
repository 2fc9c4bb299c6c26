"""The engine's own parameters, declared once, and those of a show with a model.

    ShowValues.zoom             the parameter: its name, range, default, help
    ShowValues(values).zoom     its value in a mapping of values, as a float

Scenes and renderings, mappings and remotes read what the parameter says of itself; none of them has a list of names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar, overload

from engine.control.beat_boundary import QUANTISE_CHOICES
from engine.control.parameter import Group, Parameter, Value
from engine.core.errors import ModelFileError
from engine.model.card import ControlSpec, ModelCard

T = TypeVar("T", float, int, bool)

TEMPO_SOURCES = ("auto", "link", "midi", "os2l", "tap", "sound")
PALETTES = ("ember", "ice", "neon", "gold", "toxic", "rose", "grey")
"""Colours of engine/render/effects/palette.py. The order is that of the numbers in scenes and takes: new ones go to the end."""
SOUND_ALONE = TEMPO_SOURCES.index("sound")
"""The choice with which taps and a given tempo have no effect."""
_BY_HAND = "which is switched by hand alone"
_READ_BEFORE = "which is read before expressions are evaluated"


class _Declared(Generic[T]):
    """A parameter as a member of ShowValues: the parameter itself on the class, its value on an instance."""

    __slots__ = ("_default", "_name", "parameter")

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter

    def __set_name__(self, owner: type, name: str) -> None:
        self.parameter = replace(self.parameter, name=name)
        self._name, self._default = name, self.parameter.default

    @overload
    def __get__(self, instance: None, owner: type) -> Parameter: ...
    @overload
    def __get__(self, instance: ShowValues, owner: type) -> T: ...
    def __get__(self, instance: ShowValues | None, owner: type) -> Any:
        return self.parameter if instance is None else instance.mapping.get(self._name, self._default)


def _number(
    group: Group, help: str, low: float = 0.0, high: float = 1.0, default: float = 0.0, unit: str = "", **more: Any
) -> _Declared[float]:
    return _Declared(
        Parameter(name="", kind="float", group=group, help=help, low=low, high=high, default=default, unit=unit, **more)
    )


def _switch(group: Group, help: str, default: bool = False, **more: Any) -> _Declared[bool]:
    return _Declared(Parameter(name="", kind="bool", group=group, help=help, default=default, **more))


def _trigger(group: Group, help: str) -> _Declared[int]:
    return _Declared(Parameter(name="", kind="trigger", group=group, help=help, default=0))


def _choice(
    group: Group, help: str, choices: tuple[str, ...], *, in_scenes: bool = False, **more: Any
) -> _Declared[int]:
    return _Declared(
        Parameter(
            name="", kind="int", group=group, help=help, high=len(choices) - 1, default=0, choices=choices,
            in_scenes=in_scenes, **more,
        )
    )  # fmt: skip


def _count(group: Group, help: str, high: int) -> _Declared[int]:
    return _Declared(Parameter(name="", kind="int", group=group, help=help, high=high, default=0))


def _event(group: Group, help: str, low: int, high: int) -> _Declared[int]:
    return _Declared(Parameter(name="", kind="event", group=group, help=help, low=low, high=high, default=low))


class ShowValues:
    """The engine's parameters, typed, over a mapping of values; a value that is missing there is the default.

    The model's own controls are read from the mapping itself. Making one costs nothing: it looks up what is read.
    """

    __slots__ = ("mapping",)

    gain_db = _number(
        "sound", "how much louder the model gets the sound, after its loudness was met", -60.0, 40.0, unit="dB"
    )
    low_gain_db = _number("sound", "how much louder the show hears the bass, below 200 Hz", -24.0, 24.0, unit="dB")
    mid_gain_db = _number("sound", "how much louder the show hears the mid range", -24.0, 24.0, unit="dB")
    high_gain_db = _number("sound", "how much louder the show hears the treble, above 2000 Hz", -24.0, 24.0, unit="dB")
    freeze = _switch("model", "hold the frame and the model's state", in_scenes=False)
    reset = _trigger("model", "reset the model to its state of rest")
    reset_on_bar = _trigger("model", "reset the model at the start of the next bar")
    conditioning = _switch(
        "sound", "bring the sound to the loudness that the model was trained on, and limit what is louder than it knows", True,
        in_scenes=False, former_names=("auto_gain",),
    )  # fmt: skip
    gate_db = _number(
        "sound", "sound quieter than this becomes silence; -90 lets everything through", -90.0, 0.0, -90.0, "dB",
        in_scenes=False,
    )  # fmt: skip
    idle = _number("sound", "how much the frame drifts in silence and under sound that stands still")
    mirror = _switch("effects", "flip the frame left to right")
    brightness = _number("effects", "brightness of the frame; 0 is black", 0.0, 2.0, 1.0)
    blackout = _switch("effects", "show black until it is switched off", in_scenes=False)
    fill = _switch("effects", "fill the window and crop the frame, instead of black bars at two sides")
    zoom = _number("effects", "how much the frame is enlarged", 1.0, 4.0, 1.0)
    glow = _number("effects", "how much bright parts shine into their surroundings")
    colour_turn = _number("effects", "how far all hues are turned, in turns of the colour circle", -0.5, 0.5)
    trail = _number("effects", "how long frames linger in the next ones")
    feedback = _number("effects", "how much of the last frame is mixed into the next one")
    feedback_zoom = _number(
        "effects", "how often feedback doubles its size in a second; below 0 it shrinks", -4.0, 4.0, 0.5
    )
    feedback_turn = _number("effects", "how often feedback turns about the centre in a second", -1.0, 1.0)
    kaleidoscope = _count("effects", "into how many equal mirrored sectors the frame is folded; 0 is off", 16)
    kaleidoscope_turn = _number(
        "effects", "which part of the frame the kaleidoscope shows, in turns about the centre", -1.0, 1.0
    )
    tiles = _number(
        "effects",
        "how many mirrored copies stand above each other; up to 1 they fill the surround alone; 0 is off",
        0.0,
        8.0,
    )
    palette = _choice("effects", "the colours that dark to light get", PALETTES, in_scenes=True)
    palette_amount = _number("effects", "how much of the colours comes from the palette")
    soft_edges = _switch(
        "effects", "let the frame's edges fade where the screen goes on beyond them", True, default_before=False
    )
    vignette = _number("effects", "how far from the edges the frame fades into the surround")
    background = _number("effects", "how bright the surround of the frame is")
    background_hue = _number("effects", "hue of the surround, in turns of the colour circle from red")
    background_colour = _number("effects", "how colourful the surround is; 0 is grey")
    degrain = _number("effects", "how much grain is taken out between edges")
    sharpen = _number("effects", "how much an enlarged frame is sharpened")
    onset_brightness = _number(
        "onsets", "how much an onset in the sound brightens the frame", former_names=("hit_brightness",)
    )
    onset_zoom = _number("onsets", "how much an onset enlarges the frame", former_names=("hit_zoom",))
    onset_glow = _number("onsets", "how much an onset makes the frame glow", former_names=("hit_glow",))
    onset_colour = _number(
        "onsets", "how far an onset turns the hues, in turns", -0.5, 0.5, former_names=("hit_colour",)
    )
    onset_decay_ms = _number(
        "onsets", "how long an onset shows in the frame, until a third of it is left", 10.0, 2000.0, 150.0, "ms",
        is_smoothed=False, former_names=("hit_decay_ms",),
    )  # fmt: skip
    smoothing_ms = _number(
        "show", "how long a parameter takes for most of the way to a new value", 0.0, 5000.0, unit="ms",
        is_smoothed=False, not_mapped=_READ_BEFORE,
    )  # fmt: skip
    tempo_bpm = _number(
        "tempo", "beats a minute; 0 follows the sound", 0.0, 300.0, unit="bpm",
        in_scenes=False, is_smoothed=False, not_mapped=_READ_BEFORE,
    )  # fmt: skip
    tap = _trigger("tempo", "tap the beat; several taps set the tempo")
    tempo_source = _choice(
        "tempo", "where tempo and beat come from; auto takes the best that is there", TEMPO_SOURCES,
        not_mapped=_READ_BEFORE,
    )  # fmt: skip
    transport = _switch(
        "tempo", "start and stop, shared with the peers of Ableton Link and what gets the MIDI clock out; on while a MIDI sequencer runs",
        in_scenes=False, live_only=True, not_mapped=_BY_HAND,
    )  # fmt: skip
    look_ahead_ms = _number(
        "tempo", "how much earlier than the sound effects follow the beat, against the venue's latency (see --calibrate)",
        0.0, 500.0, unit="ms", in_scenes=False, is_smoothed=False, not_mapped=_READ_BEFORE,
    )  # fmt: skip
    midi_rewind = _trigger("tempo", "let sequencers on the MIDI clock out begin their song again at the next bar")
    flash_guard = _switch(
        "effects", "soften flashes that can harm people with photosensitive epilepsy; switch off knowingly", True,
        in_scenes=False, not_mapped=_BY_HAND,
    )  # fmt: skip
    listen_delay_ms = _number(
        "show", "how much later than its light the loudspeaker of --listen plays the sound; less than 0 is earlier",
        -500.0, 1000.0, unit="ms", in_scenes=False, is_smoothed=False, live_only=True,
        not_mapped="which is heard and does not change frames",
    )  # fmt: skip
    overlay = _switch("show", "show age, level, beat and warnings over the frame", in_scenes=False)
    record = _switch("show", "record the show to the folder of recordings", in_scenes=False, live_only=True)
    record_take = _switch(
        "show", "record a take to the folder of takes, to render the show again", in_scenes=False, live_only=True,
        not_mapped=_BY_HAND,
    )  # fmt: skip
    crossfade_s = _number(
        "scenes", "how long the change to another scene or model takes", 0.0, 30.0, 2.0, "s",
        in_scenes=False, is_smoothed=False,
    )  # fmt: skip
    scene = _event("scenes", "recall the scene of this number", 1, 128)
    next_scene = _trigger("scenes", "recall the next scene, of the playlist where that runs")
    playlist = _switch(
        "scenes", "recall the scenes of the playlist one after the other, each for its bars or seconds",
        in_scenes=False, not_mapped=_READ_BEFORE,
    )  # fmt: skip
    playlist_loop = _switch(
        "scenes", "begin the playlist again after its last scene", True, in_scenes=False, not_mapped=_READ_BEFORE
    )
    save_scene = _event("scenes", "save the show as the scene of this number", 1, 128)
    quantise = _choice(
        "scenes", "when a recalled scene takes effect: at once, or at the next beat, bar or fourth bar", QUANTISE_CHOICES,
        not_mapped=_BY_HAND,
    )  # fmt: skip
    seed: _Declared[int] = _Declared(
        Parameter(
            name="",
            kind="int",
            help="which noise the model gets; the same seed and sound give the same frames",
            high=2**31 - 1,
            default=0,
        )
    )

    def __init__(self, mapping: Mapping[str, Value]) -> None:
        self.mapping = mapping


TABLE: tuple[Parameter, ...] = tuple(
    member.parameter for member in vars(ShowValues).values() if isinstance(member, _Declared)
)
"""The engine's own parameters."""


def parameters_for(card: ModelCard) -> tuple[Parameter, ...]:
    """Return the engine's parameters and the model's controls. Raises ModelFileError when the card takes an engine's name."""
    taken = {name for parameter in TABLE for name in (parameter.name, *parameter.former_names)}
    for control in card.controls:
        if control.name in taken:
            raise ModelFileError(
                f"Model '{card.name}' declares a control '{control.name}', which is the engine's own; "
                "rename it and export the model again."
            )
    return (*TABLE, *map(_of_control, card.controls))


def replayed_parameters(card: ModelCard) -> tuple[Parameter, ...]:
    """Return the parameters that a take may hold values of: those of a show, and the fixed controls, which once were parameters."""
    return (*parameters_for(card), *map(_of_control, card.fixed_controls))


def _of_control(control: ControlSpec) -> Parameter:
    return Parameter(
        name=control.name, kind="float", help=control.help, low=control.low, high=control.high, default=control.default,
        unit=control.unit,
    )  # fmt: skip
