"""Exact rewrites of the generator before it is exported: the same pictures and states from fewer or quicker operations.

A pass changes a model's modules in place, for playing only: evaluation mode, one step at a time, any batch. Names, shapes
and layout of the states stay the card's. A model that no pass was applied to is the plain graph. Sources of the identities:
arXiv 2406.16155 (cones), arXiv 1609.05158 (sub-pixel convolution); the rest is algebra, told where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType

from engine.core.errors import TrainingError, nearest_name
from training.core.streaming import StreamingModel
from training.families.listen_and_move.rewrites.blocks import fold_batch_norm, fold_root_two, join_noise, scale_in_norm
from training.families.listen_and_move.rewrites.directions import mirror_directions
from training.families.listen_and_move.rewrites.gates import join_gates, part_gates
from training.families.listen_and_move.rewrites.motion import multiply_once
from training.families.listen_and_move.rewrites.state_layout import turn_states
from training.families.listen_and_move.rewrites.sub_pixel import enlarge_by_shuffle, enlarge_by_transposed_convolution
from training.families.listen_and_move.rewrites.terms import share_terms, share_terms_in_blocks

PASSES: MappingProxyType[str, Callable[[StreamingModel], None]] = MappingProxyType(
    {
        "batch_norm": fold_batch_norm,
        "norm_scale": scale_in_norm,
        "root_two": fold_root_two,
        "noise": join_noise,
        "sub_pixel": enlarge_by_shuffle,
        "sub_pixel_transposed": enlarge_by_transposed_convolution,
        "motion_product": multiply_once,
        "gates_joined": join_gates,
        "gates_parted": part_gates,
        "directions_mirrored": mirror_directions,
        "terms_shared": share_terms,
        "terms_shared_in_blocks": share_terms_in_blocks,
        "states_turned": turn_states,
    }
)
"""Every rewrite by name, each exact up to rounding."""

ALTERNATIVES = (
    ("sub_pixel", "sub_pixel_transposed"),
    ("gates_joined", "gates_parted", "directions_mirrored", "terms_shared", "terms_shared_in_blocks"),
)
"""Passes that rewrite the same part: at most one of each group can be applied."""

PASSES_FOR: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "onnx-cpu": ("sub_pixel", "terms_shared_in_blocks"),
        "openvino": ("sub_pixel", "terms_shared", "states_turned"),
    }
)
"""The passes that were measured to help on each backend (benchmarks/rewrites.py); a backend that is absent gets the plain graph."""


def apply_passes(model: StreamingModel, names: Iterable[str]) -> tuple[str, ...]:
    """Rewrite `model` in place, for playing, and return the names of what was applied, in the order of PASSES.

    Raises TrainingError for a name that is unknown or given twice, and for two passes that rewrite the same part.
    """
    wanted: list[str] = []
    for name in names:
        if name not in PASSES:
            raise TrainingError(
                f"There is no rewrite '{name}'.{nearest_name(name, PASSES)} Choose from: {', '.join(PASSES)}."
            )
        if name in wanted:
            raise TrainingError(f"The rewrite '{name}' is named twice; name it once.")
        wanted.append(name)
    for group in ALTERNATIVES:
        taken = [name for name in wanted if name in group]
        if len(taken) > 1:
            raise TrainingError(f"The rewrites '{taken[0]}' and '{taken[1]}' change the same part; choose one of them.")
    # Folds come before what takes folded weights apart, so the table's order is the order of work.
    applied = tuple(name for name in PASSES if name in wanted)
    for name in applied:
        PASSES[name](model.eval())
    return applied
