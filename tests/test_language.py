"""The words of the field, everywhere: in names, comments, docstrings, messages, help texts and pages (see docs/glossary.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLACES = (
    "engine",
    "training",
    "export",
    "benchmarks",
    "tests",
    "configs",
    "docs",
    "run_live.py",
    "README.md",
    "CONTRIBUTING.md",
)
SUFFIXES = {".py", ".md", ".yaml"}

SAY_INSTEAD = {
    **dict.fromkeys(("ear", "ears", "hearing", "overheard"), "audio capture, window buffer, received"),
    **dict.fromkeys(("pulse", "pulses"), "audio features"),
    **dict.fromkeys(("hit", "hits"), "onset"),
    **dict.fromkeys(("knob", "knobs", "dial", "dials"), "parameter"),
    **dict.fromkeys(("happening", "happenings"), "show event"),
    **dict.fromkeys(("picture", "pictures"), "frame"),
    **dict.fromkeys(("presenter", "presenters"), "window, present loop"),
    **dict.fromkeys(("finisher", "finishers"), "effect chain"),
    **dict.fromkeys(("deck", "decks"), "model switcher"),
    **dict.fromkeys(("errand", "errands"), "background task"),
    **dict.fromkeys(
        ("ladder", "ladders", "rung", "rungs", "climb", "climbs", "climbing"), "backend selection, candidate"
    ),
    **dict.fromkeys(("outbox", "parcel", "parcels"), "write queue, queued frame"),
    **dict.fromkeys(("witness", "witnesses"), "take recorder"),
    **dict.fromkeys(("desk", "desks"), "scene controller"),
    **dict.fromkeys(("vitals",), "health monitor"),
    **dict.fromkeys(("announcement", "announcements"), "report"),
    **dict.fromkeys(("taught",), "trained"),
    **dict.fromkeys(("chance", "chances"), "random state"),
    **dict.fromkeys(("lane", "lanes"), "streams"),
    **dict.fromkeys(("journal", "journals"), "run log"),
    **dict.fromkeys(("adversary", "adversaries"), "adversarial losses"),
    **dict.fromkeys(("survey", "surveys", "bending"), "clip analysis, flow fit"),
    **dict.fromkeys(("durable",), "atomic file"),
    **dict.fromkeys(("astray", "anew"), "not finite, from its initial state"),
    **dict.fromkeys(("rooms",), "batch slots; folders"),
}
"""What to say, by the words of the dialect that was spoken here before."""

USUAL = re.compile(
    r"by chance|chance level|mixing desks?|Listen and Move|cache hits?"
    # The key of the version before; the artwork lies in docs/pictures.
    r"|midi_knobs|pictures/|benchmarks[./]picture\b"
    # The sound server and what tests call their own one.
    r"|PulseAudio|pulse[_-]?(?:server|audio)\w*|(?:--server |lib)pulse[-\w]*|PULSE_\w+|mic:pulse|pulsectl\.Pulse\w*|--server pulse|prefer_pulse|pulse inputs|PULSE\b|pulse/native|fluid-pulse|: pulse\b|\"pulse\"|'pulse'",
    re.IGNORECASE,
)
"""Expressions of the field, and names given by others, that contain such a word."""

FORMER_NAMES = re.compile(r"\bhit_(?:zoom|glow|brightness|colour|decay_ms|\.\.\.)")
"""Parameters of the version before. They work until the next version, so they are declared, documented and tested."""

FORMER_VARIABLES = {"hit", "hits"}
FORMER_TAKE_KEYS = {"happenings"}
FORMER_CARD_KEYS = {"rooms"}
PICTURE_INPUTS = {"picture", "pictures"}
ALLOWED_IN = {
    "tests/test_language.py": set(SAY_INSTEAD),
    # Variables of mappings that the version before had.
    "engine/control/modulation/expression.py": FORMER_VARIABLES,
    "tests/engine/control/modulation/test_expression.py": FORMER_VARIABLES,
    "tests/engine/control/test_former_names.py": FORMER_VARIABLES,
    "tests/engine/app/test_config.py": FORMER_VARIABLES,
    "tests/engine/takes/test_replay.py": FORMER_VARIABLES,
    "tests/test_former_flags.py": FORMER_VARIABLES,
    "docs/mapping.md": FORMER_VARIABLES,
    # Inputs of a model beside the sound: stills and cameras. Version 2 of the card says `rooms` for `batch`.
    "engine/model/card.py": PICTURE_INPUTS | FORMER_CARD_KEYS,
    "engine/model/card_limits.py": PICTURE_INPUTS,
    "engine/model/step.py": PICTURE_INPUTS,
    "engine/model/context/context_backend.py": PICTURE_INPUTS,
    "engine/model/rest.py": PICTURE_INPUTS,
    "tests/engine/model/test_rest.py": PICTURE_INPUTS,
    "engine/model/context/opening.py": PICTURE_INPUTS,
    "training/core/streaming.py": PICTURE_INPUTS,
    "training/core/rate.py": PICTURE_INPUTS,
    "training/families/sound2sight/model.py": PICTURE_INPUTS,
    "export/verification/graph.py": PICTURE_INPUTS,
    "tests/training/families/sound2sight/test_model.py": PICTURE_INPUTS,
    "export/targets/card.py": PICTURE_INPUTS,
    "tests/engine/model/test_card.py": PICTURE_INPUTS | FORMER_CARD_KEYS,
    "tests/engine/model/test_step.py": PICTURE_INPUTS,
    "tests/engine/model/backends/test_plan_file.py": PICTURE_INPUTS | FORMER_CARD_KEYS,
    "tests/engine/model/backends/test_torch_program.py": PICTURE_INPUTS | FORMER_CARD_KEYS,
    # --batch was --rooms.
    "export/to_onnx.py": FORMER_CARD_KEYS,
    "tests/export/test_to_onnx.py": FORMER_CARD_KEYS,
    "tests/engine/model/probe_model.py": PICTURE_INPUTS,
    "tests/export/test_to_triton.py": FORMER_CARD_KEYS,
    "docs/design.md": PICTURE_INPUTS | FORMER_CARD_KEYS,
    "docs/glossary.md": PICTURE_INPUTS,
    "docs/batching.md": PICTURE_INPUTS | FORMER_CARD_KEYS,
    # The artwork, in the first lines.
    "README.md": PICTURE_INPUTS | FORMER_VARIABLES,
    # The name of its records.
    "benchmarks/picture.py": {"picture"},
    # The names of weights in checkpoints.
    "training/families/listen_and_move/canvas.py": {"pictures"},
    "training/families/listen_and_move/generator.py": {"pictures"},
    # A key of checkpoints, and the name of a recording.
    "training/loop/trainer.py": {"lanes"},
    "training/losses/adversarial.py": {"adversary"},
    "tests/training/losses/test_adversarial.py": {"adversary"},
    "tests/training/families/listen_and_move/test_model.py": {"pictures"},
    "tests/training/core/test_distributed.py": {"lanes"},
    # A control's help, as it stands in the shipped model's card.
    "docs/osc.md": PICTURE_INPUTS,
    "docs/parameters.md": PICTURE_INPUTS,
    # Sound and picture, as of films and phones; the artwork's folder.
    "docs/latency.md": PICTURE_INPUTS,
    # Keys of evaluation.json.
    "training/evaluation/results.py": {"taught"},
    "tests/training/evaluation/test_evaluate.py": {"taught"},
    "training/data/scenes/soundtrack.py": {"hit"},
    # Keys of takes that the version before wrote.
    "engine/takes/take_log_reading.py": FORMER_TAKE_KEYS | FORMER_VARIABLES,
    "tests/engine/takes/test_earlier_versions.py": FORMER_TAKE_KEYS | FORMER_VARIABLES,
}
"""Words that a file may hold, by its path."""


def words(text: str) -> Iterable[tuple[int, str]]:
    """Yield line numbers and words: identifiers are split at underscores, digits and capitals."""
    for number, line in enumerate(text.splitlines(), 1):
        plain = FORMER_NAMES.sub(" ", USUAL.sub(" ", line))
        for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", plain):
            yield number, word.lower()


def dialect(text: str, allowed: Iterable[str] = ()) -> list[str]:
    return [
        f"{number}: '{word}'; say {SAY_INSTEAD[word]}"
        for number, word in words(text)
        if word in SAY_INSTEAD and word not in allowed
    ]


def texts() -> Iterable[Path]:
    for place in map(ROOT.joinpath, PLACES):
        yield from [place] if place.is_file() else (p for p in sorted(place.rglob("*")) if p.suffix in SUFFIXES)


def test_no_word_of_the_dialect_is_left() -> None:
    left = {}
    for path in texts():
        name = path.relative_to(ROOT).as_posix()
        for text in (name, path.read_text()):
            if found := dialect(text, ALLOWED_IN.get(name, ())):
                left[name] = found
    assert "\n".join(f"{name}:{place}" for name, places in left.items() for place in places) == ""


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("class TakeWitness: ...", 1),
        ("def on_hit(hits: int) -> None: ...", 2),
        ("# The knob's value; HTTPKnob", 2),
        ('raise ShowError("Two lanes, one picture.")', 2),
        ("the mixing desk, by chance, PulseAudio, hit_zoom", 0),
        ("class Shirt: white = 'earth'", 0),
    ],
)
def test_words_are_found_in_names_and_in_prose(text: str, left: int) -> None:
    assert len(dialect(text)) == left
