"""The parser of every command line: a mistake is one sentence, without a usage block before it."""

from __future__ import annotations

import argparse
from typing import NoReturn

from engine.core.errors import ConfigError


class ArgumentParser(argparse.ArgumentParser):
    """Raises ConfigError where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[0].upper()}{message[1:]}; see --help.")
