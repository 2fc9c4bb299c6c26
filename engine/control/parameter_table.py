"""The engine's own parameters, declared once, and those of a show with a model."""

from __future__ import annotations

from engine.control.parameter import Parameter
from engine.core.errors import ModelFileError
from engine.model.card import ModelCard

TABLE: tuple[Parameter, ...] = (
    Parameter(
        name="gain_db",
        kind="float",
        help="how much louder the model hears the sound",
        low=-60.0,
        high=40.0,
        default=0.0,
        unit="dB",
    ),
    Parameter(name="freeze", kind="bool", help="hold the picture and what the model remembers", default=False),
    Parameter(name="reset", kind="trigger", help="let the model begin again from its initial state", default=0),
    Parameter(name="reset_on_bar", kind="trigger", help="the same at the beginning of the next bar", default=0),
    Parameter(name="auto_gain", kind="bool", help="let the model hear quiet and loud feeds alike", default=False),
    Parameter(
        name="gate_db",
        kind="float",
        help="sound quieter than this is heard as silence; -90 hears everything",
        low=-90.0,
        high=0.0,
        default=-90.0,
        unit="dB",
    ),
    Parameter(name="mirror", kind="bool", help="turn the picture left to right", default=False),
    Parameter(
        name="brightness",
        kind="float",
        help="how bright the picture is shown; 0 is black",
        low=0.0,
        high=2.0,
        default=1.0,
    ),
    Parameter(name="blackout", kind="bool", help="show black until it is switched off", default=False),
    Parameter(
        name="fill",
        kind="bool",
        help="let the picture fill the window, what stands out cut off, instead of black at two sides",
        default=False,
    ),
    Parameter(name="zoom", kind="float", help="how much the picture is enlarged", low=1.0, high=4.0, default=1.0),
    Parameter(name="glow", kind="float", help="how much bright parts shine into their surroundings", default=0.0),
    Parameter(
        name="colour_turn",
        kind="float",
        help="how far all hues are turned, in turns of the colour circle",
        low=-0.5,
        high=0.5,
        default=0.0,
    ),
    Parameter(name="trail", kind="float", help="how long pictures linger in the next ones", default=0.0),
    Parameter(
        name="hit_brightness", kind="float", help="how much a hit in the sound brightens the picture", default=0.0
    ),
    Parameter(name="hit_zoom", kind="float", help="how much a hit enlarges the picture", default=0.0),
    Parameter(name="hit_glow", kind="float", help="how much a hit makes the picture glow", default=0.0),
    Parameter(
        name="hit_colour",
        kind="float",
        help="how far a hit turns the hues, in turns",
        low=-0.5,
        high=0.5,
        default=0.0,
    ),
    Parameter(
        name="hit_decay_ms",
        kind="float",
        help="how long a hit lasts in the picture, until a third of it is left",
        low=10.0,
        high=2000.0,
        default=150.0,
        unit="ms",
    ),
    Parameter(
        name="smoothing_ms",
        kind="float",
        help="how long a knob takes to reach most of a new value",
        low=0.0,
        high=5000.0,
        default=0.0,
        unit="ms",
    ),
    Parameter(
        name="tempo_bpm",
        kind="float",
        help="beats a minute; 0 follows the sound",
        low=0.0,
        high=300.0,
        default=0.0,
        unit="bpm",
    ),
    Parameter(name="tap", kind="trigger", help="this is the beat: several taps set the tempo", default=0),
    Parameter(
        name="look_ahead_ms",
        kind="float",
        help="how much earlier than the sound effects follow the beat, to make up for the venue's latency (see --calibrate)",
        low=0.0,
        high=500.0,
        default=0.0,
        unit="ms",
    ),
    Parameter(
        name="flash_guard",
        kind="bool",
        help="soften flashes that can harm people with photosensitive epilepsy; switch off knowingly",
        default=True,
    ),
    Parameter(name="overlay", kind="bool", help="show age, level, beat and warnings over the picture", default=False),
    Parameter(name="record", kind="bool", help="write the show to the folder of recordings", default=False),
    Parameter(
        name="crossfade_s",
        kind="float",
        help="how long one scene or model takes to become the next",
        low=0.0,
        high=30.0,
        default=2.0,
        unit="s",
    ),
    Parameter(name="scene", kind="event", help="recall the scene of this number", low=1, high=128, default=1),
    Parameter(
        name="save_scene",
        kind="event",
        help="keep the show as it is as the scene of this number",
        low=1,
        high=128,
        default=1,
    ),
    Parameter(
        name="seed",
        kind="int",
        help="which noise the model is given; the same seed and sound give the same pictures",
        low=0,
        high=2**31 - 1,
        default=0,
    ),
)
"""The engine's own parameters. Those of sound and model are given their meaning by engine/model/session.py, those of the picture by
engine/render/effects/effect_parameters.py, the others by engine/show."""


def parameters_for(card: ModelCard) -> tuple[Parameter, ...]:
    """Return the engine's parameters and the model's controls. Raises ModelFileError when the card takes an engine's name."""
    taken = {parameter.name for parameter in TABLE}
    for control in card.controls:
        if control.name in taken:
            raise ModelFileError(
                f"Model '{card.name}' declares a control '{control.name}', which is the engine's own; "
                "rename it and export the model again."
            )
    return (
        *TABLE,
        *(
            Parameter(name=c.name, kind="float", help=c.help, low=c.low, high=c.high, default=c.default, unit=c.unit)
            for c in card.controls
        ),
    )
