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
        """Raise ConfigError with what argparse says of a mistake, as this project's errors say it."""
        of_one = re.fullmatch(r"argument (\S+): (.*)", message, re.DOTALL)
        if of_one:
            raise ConfigError(self._of_one(*of_one.groups()))
        missing = re.fullmatch(r"the following arguments are required: (.*)", message)
        if missing:
            them, are = ("them", "are") if "," in missing[1] else ("it", "is")
            raise ConfigError(f"{missing[1]} {are} missing; add {them}. See --help.")
        unknown = re.fullmatch(r"unrecognized arguments: (\S+).*", message, re.DOTALL)
        if unknown:
            name = unknown[1].split("=")[0].lstrip("-")
            known = [option[2:] for option in self._option_string_actions if option.startswith("--")]
            raise ConfigError(f"Unknown argument '{unknown[1]}'.{nearest_name(name, known, '--')} See --help.")
        raise ConfigError(f"{message[0].upper()}{message[1:]}; see --help.")

    def _of_one(self, argument: str, mistake: str) -> str:
        """Return the sentence for a mistake in one argument."""
        if re.fullmatch(r"expected (one|at least one|\d+) arguments?", mistake):
            return f"{argument} came without {self._value_of(argument)}; add it, or leave {argument} out."
        number = re.fullmatch(r"invalid (int|float) value: (.*)", mistake, re.DOTALL)
        if number:
            return f"{argument} is {number[2]}; {_NUMBERS[number[1]]} was expected."
        choice = re.fullmatch(r"invalid choice: (.*) \(choose from (.*)\)", mistake, re.DOTALL)
        if choice:
            known = choice[2].replace("'", "")
            return f"{argument} is {choice[1]}; one of {known} was expected."
        if mistake.startswith(argument.lstrip("-").replace("-", "_") + " "):
            # A sentence of this project, which names the parameter itself.
            return f"{mistake}."
        return f"Argument {argument}: {mistake}; see --help."

    def _value_of(self, option: str) -> str:
        """Return what a flag takes, as --help calls it."""
        action = self._option_string_actions.get(option)
        metavar = action.metavar if action else None
        return metavar if isinstance(metavar, str) else " ".join(metavar or ("its value",))
