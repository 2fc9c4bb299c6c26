"""Arguments that are no flag that there is: a sound to play, or a mistake with the flag that was meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from engine.app.config import WHERE_HEARD
from engine.audio.sources.spec import is_sound, parse_spec
from engine.core.errors import ConfigError, nearest_name
from engine.media.address import shown_address

HEARD_KINDS = ("file", "demo", "tone")
"""Kinds of sources that a loudspeaker may play: others are heard in the room already."""
_MEANT = {
    "volume": "--gain-db",
    "input": "--source",
    "file": "--source",
    "sound": "--source",
    "mic": "--source mic",
    "output": "--out",
    "loop": "--repeat",
    "port": "--osc-port",
    "web-port": "--web PORT",
    "full-screen": "--fullscreen",
    "record-to": "--out FILE.mp4",
}
"""What people write who know other programs."""


def flag(name: str) -> str:
    """Return the flag of a setting or parameter."""
    return "--" + name.replace("_", "-")


def is_played(argument: str) -> bool:
    """Tell whether an argument without a flag names a sound, or a file that may be missing."""
    return not argument.startswith("-") and not _is_folder(argument) and (is_sound(argument) or _is_path(argument))


def played(sounds: Sequence[str], parsed: argparse.Namespace, is_listen_given: bool) -> dict[str, Any]:
    """Return the settings of `run_live.py song.wav`: it plays, and is heard where it can be. Raises ConfigError for more than that."""
    first = shown_address(sounds[0])
    if len(sounds) > 1:
        every = " and ".join(map(shown_address, sounds))
        raise ConfigError(f"A show plays one sound, and {every} came; --render SOUND ... FOLDER renders several.")
    for name in ("source", "render", "replay", "calibrate", "calibrate_from"):
        if getattr(parsed, name):
            raise ConfigError(
                f"{first} came without a flag, beside {flag(name)}, which has its own sound; leave one out."
            )
    is_heard = not is_listen_given and parse_spec(sounds[0]).kind in HEARD_KINDS
    return {"source": [sounds[0]], **({"listen": WHERE_HEARD} if is_heard else {})}


def unknown_argument(argument: str, flags: Iterable[str]) -> ConfigError:
    """Return the error for an argument that is no flag and no sound, with what was meant where that can be told."""
    shown, name = shown_address(argument), argument.split("=")[0].lstrip("-")
    if _is_folder(argument):
        return ConfigError(
            f"{shown} is a folder, and a show plays one sound; --render {shown} FOLDER renders all in it."
        )
    meant = _MEANT.get(name)
    if meant and argument.startswith("-"):
        return ConfigError(f"Unknown argument '{shown}'. Did you mean {meant}? See --help.")
    return ConfigError(
        f"Unknown argument '{shown}'.{nearest_name(name, [one[2:] for one in flags], '--', 0.7)} See --help."
    )


def _is_path(argument: str) -> bool:
    return bool(Path(argument).suffix) or "/" in argument


def _is_folder(argument: str) -> bool:
    try:
        return Path(argument).is_dir()
    except (OSError, ValueError):
        # Longer than names can be, or with a zero byte in it.
        return False
