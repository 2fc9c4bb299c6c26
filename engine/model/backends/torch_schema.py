"""What the JSON of a .pt2 program may say: every field with its type or its allowed values, and nothing else.

A specification is one of: a type (bool, int, float, None), a pattern for text, a set of allowed values, [item] for a list, a
dict for an object with just these fields, `Map` for an object with free names, `OneOf` for torch's unions ({"as_int": 3}),
`Optional`, or a function. Symbolic shapes, custom objects, sub-graphs, guards and operators outside `OPERATORS` have no
specification, so they are refused. So is every name that is not plain: torch writes names into Python source and runs it.
"""

from __future__ import annotations

import json
import keyword
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

_ATEN = """
_assert_tensor_metadata.default abs.default add.Tensor amax.default arange.default batch_norm.default cat.default
chunk.default clamp.default clamp_min.default conv2d.default cos.default detach_.default div.Tensor exp.default
expand.default flatten.using_ints grid_sampler.default gru_cell.default index.Tensor instance_norm.default
leaky_relu.default lift_fresh_copy.default linear.default linspace.default log.default matmul.default maximum.default
mean.dim movedim.int mul.Tensor neg.default new_zeros.default pad.default permute.default pixel_shuffle.default
repeat.default round.default rsub.Scalar select.int sigmoid.default sin.default slice.Tensor split.Tensor
split_with_sizes.default square.default stack.default sub.Tensor tanh.default to.dtype transpose.int unbind.int
unflatten.int unsqueeze.default upsample_bilinear2d.vec upsample_nearest2d.vec
"""
OPERATORS = frozenset(f"torch.ops.aten.{name}" for name in _ATEN.split())
"""Operators that export.to_torch writes; all compute from their inputs alone. aten has others, which open files (from_file) or
read memory unchecked (_unsafe_index), so each one is named."""
ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 12: 1, 13: 2}
"""Bytes of a value, by torch's numbers of its types; 7 is float32."""


class ArchiveError(ValueError):
    """An archive that is not what export.to_torch writes; says in what, as the end of a sentence that begins with the file."""


@dataclass(frozen=True, slots=True)
class Map:
    """An object with free names."""

    key: object
    value: object


@dataclass(frozen=True, slots=True)
class OneOf:
    """An object with just one of these fields."""

    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class Optional:
    """null, or what `spec` allows."""

    spec: object


def check(value: Any, spec: object, place: str) -> None:
    """Raise ArchiveError, naming the place, unless `value` is as `spec` allows."""
    if isinstance(spec, dict):
        fields = cast(dict[str, object], spec)
        if type(value) is not dict or {*value} != {*fields}:
            raise _unfit(value, place)
        for name, inner in fields.items():
            check(value[name], inner, f"{place}: {name}")
    elif isinstance(spec, list):
        if type(value) is not list:
            raise _unfit(value, place)
        for index, item in enumerate(cast(list[Any], value)):
            check(item, cast(list[object], spec)[0], f"{place}[{index}]")
    elif isinstance(spec, OneOf):
        if type(value) is not dict or len(cast(dict[str, Any], value)) != 1 or not {*value} <= {*spec.fields}:
            raise _unfit(value, place)
        for name, inner in cast(dict[str, Any], value).items():
            check(inner, spec.fields[name], f"{place}: {name}")
    elif isinstance(spec, Map):
        if type(value) is not dict:
            raise _unfit(value, place)
        for name, inner in cast(dict[str, Any], value).items():
            check(name, spec.key, f"{place}, a name")
            check(inner, spec.value, f"{place}: {name[:80]}")
    elif isinstance(spec, Optional):
        if value is not None:
            check(value, spec.spec, place)
    elif not _fits(value, spec):
        raise _unfit(value, place)


def _fits(value: Any, spec: object) -> bool:
    if isinstance(spec, re.Pattern):
        return type(value) is str and cast(re.Pattern[str], spec).fullmatch(value) is not None
    if isinstance(spec, frozenset):
        # 1 and True are equal, and torch asks for truth alone.
        return any(type(value) is type(one) and value == one for one in cast(frozenset[object], spec))
    if spec is int:
        return type(value) is int and -(1 << 63) <= value < 1 << 63
    if spec is float:
        return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) < 1 << 53)
    if isinstance(spec, type):
        return type(value) is spec
    return cast(Callable[[Any], bool], spec)(value)


def _unfit(value: Any, place: str) -> ArchiveError:
    return ArchiveError(f"{place} is {ascii(value)[:120]}, which export.to_torch never writes")


def _is_name(value: Any) -> bool:
    plain = type(value) is str and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,255}", value) is not None
    return plain and not value.startswith("__") and not keyword.iskeyword(value)


def _is_path(value: Any) -> bool:
    """Tell whether `value` is the dotted name of a part of a module, e.g. "played.cells.0.weight"."""
    parts: list[str] = value.split(".") if type(value) is str and len(value) < 512 else [""]
    return all(re.fullmatch(r"[A-Za-z0-9_]+", part) and not part.startswith("__") for part in parts)


def _is_tree(value: Any) -> bool:
    """Tell whether `value` is text that describes tuples, lists and dicts of tensors."""
    if type(value) is not str:
        return False
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return False
    whole = json.dumps(parsed) == value and type(parsed) is list
    return whole and parsed[:1] == [1] and _is_branch(*cast(list[Any], parsed[1:]))


def _is_branch(tree: Any = None, *more: Any) -> bool:
    if type(tree) is not dict or more or {*cast(dict[str, Any], tree)} != {"type", "context", "children_spec"}:
        return False
    branch = cast(dict[str, Any], tree)
    kind, context, inner = branch["type"], branch["context"], branch["children_spec"]
    if type(inner) is not list:
        return False
    children = cast(list[Any], inner)
    if kind is None:
        return context is None and not children
    # torch writes the keys of a dict into source.
    known = _are_names(context, len(children)) if kind == "builtins.dict" else context == "null"
    return kind in ("builtins.tuple", "builtins.list", "builtins.dict") and known and all(map(_is_branch, children))


def _are_names(context: Any, count: int) -> bool:
    try:
        names = json.loads(context) if type(context) is str else None
    except (ValueError, RecursionError):
        return False
    return type(names) is list and len(cast(list[Any], names)) == count and all(map(_is_name, cast(list[Any], names)))


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


def _is_nothing(value: Any) -> bool:
    return type(value) is list and not value


def _is_verified(value: Any) -> bool:
    """Tell whether torch will check the program itself, as what torch.export.export makes."""
    return value == ["TRAINING"]


def _only(*values: object) -> frozenset[object]:
    return frozenset(values)


NONE = _only(None)
EMPTY: dict[str, object] = {}
SIZE = OneOf({"as_int": _is_size})
TYPE = frozenset[object](ITEM_BYTES)
DEVICE = {"type": _only("cpu"), "index": NONE}
TENSOR_META = {
    "dtype": TYPE,
    "sizes": [SIZE],
    "requires_grad": bool,
    "device": DEVICE,
    "strides": [SIZE],
    "storage_offset": SIZE,
    "layout": _only(7),
}
TENSOR = {"name": _is_name}
NAMED_TENSOR = OneOf({"as_tensor": TENSOR})
ARGUMENT = OneOf(
    {
        "as_none": bool,
        "as_tensor": TENSOR,
        "as_tensors": [TENSOR],
        "as_optional_tensors": [OneOf({"as_tensor": TENSOR, "as_none": bool})],
        "as_int": int,
        "as_ints": [int],
        "as_float": float,
        "as_floats": [float],
        "as_bool": bool,
        "as_bools": [bool],
        "as_string": re.compile(r"[a-z_]{0,32}"),
        "as_scalar_type": TYPE,
        "as_layout": _only(7),
        "as_device": DEVICE,
    }
)
NODE = {
    "target": OPERATORS,
    "inputs": [{"name": _is_name, "arg": ARGUMENT, "kind": _only(1, 2)}],
    "outputs": [OneOf({"as_tensor": TENSOR, "as_tensors": [TENSOR]})],
    "metadata": Map(_only("nn_module_stack", "torch_fn"), re.compile(r"[ -~]{0,4096}")),
    "is_hop_single_tensor_return": NONE,
    "name": _is_name,
}
GRAPH = {
    "inputs": [NAMED_TENSOR],
    "outputs": [NAMED_TENSOR],
    "nodes": [NODE],
    "tensor_values": Map(_is_name, TENSOR_META),
    "sym_int_values": EMPTY,
    "sym_bool_values": EMPTY,
    "sym_float_values": EMPTY,
    "custom_obj_values": EMPTY,
    "is_single_tensor_return": _only(False),
}
INPUT = OneOf(
    {
        "user_input": {"arg": NAMED_TENSOR},
        "parameter": {"arg": TENSOR, "parameter_name": _is_path},
        "buffer": {"arg": TENSOR, "buffer_name": _is_path, "persistent": bool},
        "tensor_constant": {"arg": TENSOR, "tensor_constant_name": _is_path},
    }
)
SIGNATURE = {"input_specs": [INPUT], "output_specs": [OneOf({"user_output": {"arg": NAMED_TENSOR}})]}
CALL = {
    "inputs": _is_nothing,
    "outputs": _is_nothing,
    "in_spec": _is_tree,
    "out_spec": _is_tree,
    "forward_arg_names": [_is_name],
}


def _is_module_path(value: Any) -> bool:
    return value == "" or _is_path(value)


PROGRAM = {
    "graph_module": {
        "graph": GRAPH,
        "signature": SIGNATURE,
        "module_call_graph": [{"fqn": _is_module_path, "signature": Optional(CALL)}],
        "metadata": EMPTY,
        "treespec_namedtuple_fields": EMPTY,
    },
    "opset_version": {"aten": int},
    "range_constraints": EMPTY,
    "schema_version": {"major": int, "minor": int},
    "verifiers": _is_verified,
    "torch_version": re.compile(r"[0-9A-Za-z.+]{1,64}"),
    "guards_code": _is_nothing,
}
PAYLOAD = {
    "path_name": re.compile(r"(weight|tensor)_[0-9]{1,5}", re.ASCII),
    "is_param": bool,
    "use_pickle": _only(False),
    "tensor_meta": TENSOR_META,
}
CONFIG = {"config": Map(_is_path, PAYLOAD)}
