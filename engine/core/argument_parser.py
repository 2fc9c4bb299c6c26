"""The parser of every command line: a mistake is one sentence, without a usage block before it."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from engine.core.errors import ConfigError, nearest_name

_NUMBERS = {"int": "a whole number", "float": "a number"}


class ArgumentParser(argparse.ArgumentParser):
    """Raises ConfigError where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(self._sentence(message))

    def _sentence(self, message: str) -> str:
        """Return what argparse says of a mistake as this project's errors say it."""
        lacking = re.fullmatch(r"argument (\S+): expected (?:one|at least one|\d+) arguments?", message)
        if lacking:
            return f"{lacking[1]} came without {self._value_of(lacking[1])}; add it, or leave {lacking[1]} out."
        number = re.fullmatch(r"argument (\S+): invalid (int|float) value: (.*)", message, re.DOTALL)
        if number:
            return f"{number[1]} is {number[3]}; {_NUMBERS[number[2]]} was expected."
        choice = re.fullmatch(r"argument (\S+): invalid choice: (.*) \(choose from (.*)\)", message, re.DOTALL)
        if choice:
            return f"{choice[1]} is {choice[2]}; one of {choice[3].replace(chr(39), '')} was expected."
        missing = re.fullmatch(r"the following arguments are required: (.*)", message)
        if missing:
            them, are = ("them", "are") if "," in missing[1] else ("it", "is")
            return f"{missing[1]} {are} missing; add {them}. See --help."
        unknown = re.fullmatch(r"unrecognized arguments: (\S+).*", message, re.DOTALL)
        if unknown:
            name = unknown[1].split("=")[0].lstrip("-")
            known = [option[2:] for option in self._option_string_actions if option.startswith("--")]
            return f"Unknown argument '{unknown[1]}'.{nearest_name(name, known, '--')} See --help."
        return f"{message[0].upper()}{message[1:]}; see --help."

    def _value_of(self, option: str) -> str:
        """Return what a flag takes, as --help calls it."""
        action = self._option_string_actions.get(option)
        metavar = action.metavar if action else None
        return metavar if isinstance(metavar, str) else " ".join(metavar or ("its value",))
