"""Errors that a user can cause. Each is one sentence: the thing, what came, what was expected, the way out.

    UserError (ValueError)
    ├── ModelFileError      a model file that cannot be used
    ├── ConfigError         a flag, YAML key or parameter value
    ├── MediaError          a sound or video file that cannot be read
    ├── SourceError         a device or file without sound
    ├── SinkError           an output that cannot be written
    ├── BackendError        a backend that cannot run here
    │   └── StepError       a step of a model that failed
    ├── TrainingError       a clip, checkpoint or training configuration
    └── StoppedError        something long that was broken off, since nobody needs it any more

Entry points print the sentence on stderr and exit with code 2. Mistakes of the program itself are `assert`s.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import sys
from collections.abc import Callable, Iterable

from engine.core.lossy_stream import outlive_readers
from engine.core.printable import print_line, short_sentence

USER_ERROR_EXIT_CODE = 2
_MOST_MEANT = 4
_LONGEST_NAME = 200
"""Comparing longer ones takes seconds, and nobody meant them."""


class UserError(ValueError):
    """A mistake that the user can correct; `str(error)` is the whole sentence shown.

    A name or value of a file in it may be of any length; of what nobody would read, beginning and end are shown.
    """

    def __init__(self, sentence: object = "") -> None:
        super().__init__(short_sentence(str(sentence)))


class ModelFileError(UserError):
    """A model file that is missing, damaged, of another kind, or disagrees with its own card."""


class ConfigError(UserError):
    """A flag, configuration key or parameter value that is unknown, of the wrong kind or out of range."""


class MediaError(UserError):
    """A sound or video file or address that cannot be read, or lacks the track that was asked for."""


class SourceError(UserError):
    """A device or file that gives no sound."""


class SinkError(UserError):
    """An output that cannot be opened or written."""


class BackendError(UserError):
    """A backend that was asked for and cannot run here."""


class StepError(BackendError):
    """A step of a model that failed, outlasted its limit, or gave what the card does not say."""


class TrainingError(UserError):
    """A clip, checkpoint or training configuration that cannot be used."""


class StoppedError(UserError):
    """Something long that was broken off: the show ends, or something else was asked for. No mistake of anybody."""


def nearest_name(name: str, known: Iterable[str], prefix: str = "", cutoff: float = 0.6) -> str:
    """Return " Did you mean 'X'?" with the known name closest to `name`, or an empty string when none is close.

    Names that go on where `name` ends come first: gain means gain_db rather than grain. `prefix` is put before what is shown.
    `cutoff` is how alike names must be, from 0 to 1.
    """
    if len(name) > _LONGEST_NAME:
        return ""
    known = list(known)
    longer = [one for one in known if re.match(r"[-_]\w", one[len(name) :]) and one.startswith(name)] if name else []
    matches = longer[:_MOST_MEANT] or difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    meant = " or ".join(f"'{prefix}{match}'" for match in matches)
    return f" Did you mean {meant}?" if meant else ""


def run_main(main: Callable[[], int]) -> None:
    """Run an entry point, print a UserError as one line on stderr, and exit with its code (2 for user errors)."""
    outlive_readers()
    try:
        code = main()
    except UserError as error:
        with contextlib.suppress(OSError):
            print_line(f"error: {error}", file=sys.stderr)
        code = USER_ERROR_EXIT_CODE
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
