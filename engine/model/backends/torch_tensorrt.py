"""torch-tensorrt: compiles MODEL.pt2 with TensorRT when it is opened, and plays it as captured CUDA graphs.

Written after the documentation of torch_tensorrt.dynamo and never run on a graphics card. So the compiled program is compared with
the program itself over a few steps each time a model is opened, and refused when its frames differ.
"""

# torch and torch_tensorrt are loaded by name, in functions, so that the engine does not depend on them.
# pyright: basic

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.errors import BackendError
from engine.model.backends.graphics_card import find_card
from engine.model.backends.program_file import read_description
from engine.model.backends.torch_program import SUFFIXES, TorchBackend, load_program, load_torch
from engine.model.card import NEXT_SUFFIX, ModelCard
from engine.model.content import ModelSource, read_content
from engine.model.step import resting_inputs

NAME = "torch-tensorrt"
LIBRARY = "torch_tensorrt"
COMPARED_STEPS = 8
MOST_LEVELS = 4
"""Largest difference of the frames in the comparison, in levels of 255."""
_INSTALL = 'install it with: pip install -e ".[tensorrt]"'
# What its import raises where CUDA or one of TensorRT's libraries is missing, beside a plain Exception.
_IMPORT_ERRORS = (ImportError, OSError, RuntimeError, AttributeError)

Play = Callable[..., Mapping[str, Any]]


def obstacle() -> str | None:
    """Return why this backend cannot run here and what to install; None when it can."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec(LIBRARY) is None:
        return f"{NAME} needs torch and torch-tensorrt; {_INSTALL}"
    if find_card() is None:
        return f"{NAME} needs an NVIDIA card with a working driver, and finds none; use another --backend"
    return None


def open_model(path: ModelSource, threads: int | None = None) -> TorchBackend:
    """Compile the program of a .pt2 file for the card and take two steps to warm up. `threads` is ignored.

    Raises ModelFileError for a faulty file; BackendError for a file that is no uncompiled .pt2, without the library or a card,
    and when the compiled program gives other frames than the program.
    """
    if Path(path).suffix not in SUFFIXES:
        raise BackendError(
            f"{NAME} plays .pt2 files made by export.to_torch, and {path} is not one; use another --backend."
        )
    file = read_content(path)
    described = read_description(file)
    if described.kind != "program":
        raise BackendError(f"{NAME} compiles by itself, and {file} is compiled already; export it without --compiled.")
    torch = load_torch(NAME)
    library = load_library()
    if not torch.cuda.is_available():
        raise BackendError(f"{NAME} needs an NVIDIA card, and torch finds none; use another --backend.")
    # As in the compiled program, for the comparison.
    torch.backends.cudnn.allow_tf32 = False
    program = importlib.import_module("torch.export.passes").move_to_device_pass(load_program(torch, file), "cuda")
    play = compiled(torch, library, program, described.card)
    with torch.no_grad():
        check_same(torch, program.module(check_guards=False), play, described.card, "cuda", file)
    description = f"{NAME}, {torch.cuda.get_device_name()}, {described.card.precision}"
    opened = TorchBackend(torch, play, described.card, "cuda", NAME, description)
    opened.warm_up()
    return opened


def load_library() -> Any:
    """Import torch_tensorrt. Raises BackendError when it is missing or does not load."""
    try:
        return importlib.import_module(LIBRARY)
    # The one place that catches Exception: the import raises a plain Exception where CUDA is missing. Any other class than those
    # known here is raised again.
    except Exception as error:
        if type(error) is not Exception and not isinstance(error, _IMPORT_ERRORS):
            raise
        reason = str(error).strip().splitlines()[0].rstrip(".")[:200] if str(error).strip() else type(error).__name__
        raise BackendError(f"{NAME}: torch-tensorrt does not load ({reason}); {_INSTALL}") from error


def compiled(torch: Any, library: Any, program: Any, card: ModelCard) -> Play:
    """Compile an exported program on the card.

    It is passed on as exported: after `run_decompositions` has split instance norm, the library can convert hardly anything.
    """
    inputs = {name: torch.from_numpy(value).to("cuda") for name, value in resting_inputs(card).items()}
    try:
        # Types as in the file, and no rounding of float32 products to fewer bits.
        return library.dynamo.compile(
            program, arg_inputs=(), kwarg_inputs=inputs, use_explicit_typing=True, disable_tf32=True
        )
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise BackendError(f"{NAME} cannot compile '{card.name}' ({reason}); use another --backend.") from error


def check_same(
    torch: Any, program: Play, compiled_program: Play, card: ModelCard, device: str, file: ModelSource
) -> None:
    """Raise BackendError unless both give the same frames over COMPARED_STEPS steps of noise, each carrying its own states."""
    noise = np.random.default_rng(0)
    states = {spec.name for spec in card.states}
    ours = {name: torch.from_numpy(value).to(device) for name, value in resting_inputs(card).items()}
    theirs = dict(ours)
    largest = 0
    for _ in range(COMPARED_STEPS):
        shape = tuple(ours["audio"].shape)
        sound = torch.from_numpy(noise.uniform(-0.5, 0.5, shape).astype(np.float32)).to(device)
        expected, came = program(**{**ours, "audio": sound}), compiled_program(**{**theirs, "audio": sound})
        difference = (expected["frame"].int() - came["frame"].int()).abs().max()
        largest = max(largest, int(difference))
        ours.update({name: expected[name + NEXT_SUFFIX] for name in states})
        theirs.update({name: came[name + NEXT_SUFFIX] for name in states})
    if largest > MOST_LEVELS:
        raise BackendError(
            f"{NAME}: compiled by TensorRT, the frames of {file} differ from its own program by {largest} of 255 levels, and at most "
            f"{MOST_LEVELS} are allowed; use another --backend."
        )
