"""Plays a show: `python run_live.py` listens to the microphone and opens a window. See --help."""

from __future__ import annotations

import sys

from engine.app.command_line import parse_command
from engine.core.errors import run_main


def main() -> int:
    command = parse_command(sys.argv[1:])
    # Nothing heavy is loaded before it is known what is wanted.
    from engine.app import commands

    if command == "devices":
        return commands.list_devices()
    if command == "gallery":
        return commands.list_gallery()
    if command == "backends":
        return commands.list_backends()
    for notice in command.resolved.notices:
        commands.say(notice)
    if command.dry_run:
        return commands.describe_show(command)
    if command.calibrate_from:
        return commands.calibrate_from_film(command, command.calibrate_from)
    if command.render and command.render.into_folder:
        return commands.render_into_folder(command)
    return commands.calibrate_venue(command) if command.calibrate else commands.play_show(command)


if __name__ == "__main__":
    run_main(main)
