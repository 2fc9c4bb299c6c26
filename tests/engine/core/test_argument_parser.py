"""A mistake on any command line is one sentence, without a usage block."""

from __future__ import annotations

import argparse

import pytest

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--minutes ten clip", "--minutes is 'ten'; a number was expected."),
        ("--threads 1.5 clip", "--threads is '1.5'; a whole number was expected."),
        ("--device gpu clip", "--device is 'gpu'; one of auto, cpu, cuda was expected."),
        ("clip --minutes", "--minutes came without N; add it, or leave --minutes out."),
        ("", "CLIP is missing; add it. See --help."),
        ("clip --minuts 3", "Unknown argument '--minuts'. Did you mean '--minutes'? See --help."),
        ("clip --minuts=3", "Unknown argument '--minuts=3'. Did you mean '--minutes'? See --help."),
        ("--glow 5 clip", "glow takes a number from 0 to 1, not '5'."),
        ("clip other", "Unknown argument 'other'. See --help."),
    ],
)
def test_a_mistake_is_one_sentence(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    parser.add_argument("clip", metavar="CLIP")
    parser.add_argument("--minutes", type=float, metavar="N")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--glow", type=share)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"))
    with pytest.raises(ConfigError) as caught:
        parser.parse_args(words.split())
    assert str(caught.value) == sentence
    assert capsys.readouterr() == ("", "")


def share(given: str) -> float:
    raise argparse.ArgumentTypeError(f"glow takes a number from 0 to 1, not '{given}'")


def test_several_missing_arguments_are_all_named() -> None:
    parser = ArgumentParser()
    parser.add_argument("given", metavar="IN")
    parser.add_argument("made", metavar="OUT")
    with pytest.raises(ConfigError, match=r"^IN, OUT are missing; add them\. See --help\.$"):
        parser.parse_args([])
