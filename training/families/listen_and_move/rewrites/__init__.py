"""Exact rewrites of the generator before it is exported: the same frames and states from fewer or quicker operations.

A pass changes a model's modules in place, for playing only: evaluation mode, one step at a time, any batch. Names, shapes
and layout of the states stay the card's. A model that no pass was applied to is the plain graph. Sources of the identities:
arXiv 2406.16155 (cones), arXiv 1609.05158 (sub-pixel convolution); the rest is algebra, told where it is used.
"""

from __future__ import annotations

from types import MappingProxyType

from training.families.listen_and_move.rewrites.blocks import fold_batch_norm, fold_root_two, join_noise, scale_in_norm
from training.families.listen_and_move.rewrites.directions import mirror_directions
from training.families.listen_and_move.rewrites.gates import join_gates, part_gates
from training.families.listen_and_move.rewrites.motion import multiply_once
from training.families.listen_and_move.rewrites.state_layout import turn_states
from training.families.listen_and_move.rewrites.sub_pixel import enlarge_by_shuffle, enlarge_by_transposed_convolution
from training.families.listen_and_move.rewrites.terms import share_terms, share_terms_in_blocks
from training.families.rewriting import Pass, Rewrites

PASSES: MappingProxyType[str, Pass] = MappingProxyType(
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

REWRITES = Rewrites(passes=PASSES, alternatives=ALTERNATIVES, defaults=PASSES_FOR)
