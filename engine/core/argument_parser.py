"""The parser of every command line: a mistake is one sentence, without a usage block before it."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from engine.core.errors import ConfigError


class ArgumentParser(argparse.ArgumentParser):
    """Raises ConfigError where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        lacking = re.fullmatch(r"argument (\S+): expected (?:one|at least one|\d+) arguments?", message)
        if lacking:
            raise ConfigError(
                f"{lacking[1]} came without {self._value_of(lacking[1])}; add it, or leave {lacking[1]} out."
            )
        raise ConfigError(f"{message[0].upper()}{message[1:]}; see --help.")

    def _value_of(self, option: str) -> str:
        """Return what a flag takes, as --help calls it."""
        action = self._option_string_actions.get(option)
        metavar = action.metavar if action else None
        return metavar if isinstance(metavar, str) else " ".join(metavar or ("its value",))
