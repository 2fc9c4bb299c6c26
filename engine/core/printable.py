"""Text on its way to a terminal, a log or a screen.

Names come from model files, takes, devices and networks. An escape sequence among them could clear a terminal or type into it, a
line break could forge a line, and a change of direction could turn a sentence round. Names themselves stay as they are: they are
keys. Whatever prints one passes it through here.
"""

from __future__ import annotations

import re
import sys
from typing import TextIO

LONGEST_LINE = 4000
LONGEST_NAME = 100
LONGEST_REASON = 300
"""Of an error of a library, which may quote a file."""
LONGEST_WORD = 300
"""In a sentence; longer ones are no names, and few paths."""
_WORD_BEGINNING, _WORD_END = 200, 40
LONGEST_SENTENCE = 900
"""Longer ones quote what nobody would read."""
_SENTENCE_BEGINNING, _SENTENCE_END = 600, 250
_LONG_WORD = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls, line breaks and escape among them
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # no width, direction, line and paragraph ends
    "\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e007f]"  # halves of characters, fonts' own characters, tags
)


def printable(text: object, longest: int = LONGEST_LINE) -> str:
    """Return `text` as one line that is safe to print: what is unprintable becomes an escape like \\x1b, a long rest dots."""
    line = str(text)
    if len(line) > longest:
        line = line[: longest - 3] + "..."
    return _UNPRINTABLE.sub(_escape, line)


def printable_name(name: str) -> str:
    """Return a name that a device or the network gave, `printable` and short."""
    return printable(name, LONGEST_NAME)


def short_sentence(sentence: str) -> str:
    """Return a sentence with the beginning and the end alone of a word that is far longer than names and paths are, and of a whole
    that is far longer than sentences are."""
    short = _LONG_WORD.sub(lambda word: f"{word[0][:_WORD_BEGINNING]}...{word[0][-_WORD_END:]}", sentence)
    return short if len(short) <= LONGEST_SENTENCE else f"{short[:_SENTENCE_BEGINNING]}...{short[-_SENTENCE_END:]}"


def printable_lines(text: str) -> str:
    """Return a text of several lines, each of them printable. Tabs become spaces."""
    return "\n".join(printable(line.expandtabs()) for line in text.split("\n"))


def print_line(*lines: object, file: TextIO | None = None) -> None:
    """Print each as one line with nothing unprintable in it. Raises OSError where `file` cannot take it.

    A character that the terminal's encoding lacks becomes an escape too.
    """
    stream = file or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        print(printable(line).encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def print_lines(text: str, file: TextIO | None = None) -> None:
    """Print a text of several lines, as `print_line` prints each."""
    print_line(*printable_lines(text).split("\n"), file=file)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(found[0], f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
