"""What of a .pt2 archive is let through, and what is refused: made by hand, without torch."""

from __future__ import annotations

import copy
import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from engine.model.backends import torch_archive
from engine.model.backends.torch_archive import (
    CONFIGS,
    MODEL,
    SAMPLE_INPUTS,
    checked_archive,
    read_entries,
    strict_json,
)
from engine.model.backends.torch_schema import ArchiveError

META = {
    "dtype": 7,
    "sizes": [{"as_int": 2}],
    "requires_grad": False,
    "device": {"type": "cpu", "index": None},
    "strides": [{"as_int": 1}],
    "storage_offset": {"as_int": 0},
    "layout": 7,
}
PAYLOAD = {"path_name": "weight_0", "is_param": True, "use_pickle": False, "tensor_meta": META}
LEAF = {"type": None, "context": None, "children_spec": []}
TREE = json.dumps([1, {"type": "builtins.dict", "context": '["frame"]', "children_spec": [LEAF]}])
NODE = {
    "target": "torch.ops.aten.mul.Tensor",
    "inputs": [
        {"name": "self", "arg": {"as_tensor": {"name": "audio"}}, "kind": 1},
        {"name": "other", "arg": {"as_float": 0.5}, "kind": 1},
    ],
    "outputs": [{"as_tensor": {"name": "mul"}}],
    "metadata": {"torch_fn": "mul_1;method_descriptor.mul"},
    "is_hop_single_tensor_return": None,
    "name": "mul",
}
CALL = {"inputs": [], "outputs": [], "in_spec": TREE, "out_spec": TREE, "forward_arg_names": ["audio"]}
PROGRAM = {
    "graph_module": {
        "graph": {
            "inputs": [{"as_tensor": {"name": "audio"}}],
            "outputs": [{"as_tensor": {"name": "mul"}}],
            "nodes": [NODE],
            "tensor_values": {"mul": META},
            "sym_int_values": {},
            "sym_bool_values": {},
            "is_single_tensor_return": False,
            "custom_obj_values": {},
            "sym_float_values": {},
        },
        "signature": {
            "input_specs": [{"user_input": {"arg": {"as_tensor": {"name": "audio"}}}}],
            "output_specs": [{"user_output": {"arg": {"as_tensor": {"name": "mul"}}}}],
        },
        "module_call_graph": [{"fqn": "", "signature": CALL}],
        "metadata": {},
        "treespec_namedtuple_fields": {},
    },
    "opset_version": {"aten": 10},
    "range_constraints": {},
    "schema_version": {"major": 8, "minor": 20},
    "verifiers": ["TRAINING"],
    "torch_version": "2.13.0+cpu",
    "guards_code": [],
}
WEIGHTS, CONSTANTS = CONFIGS["data/weights/"], CONFIGS["data/constants/"]
Where = tuple[str | int, ...]


def entries(program: Any = PROGRAM, weights: Any = None, constants: Any = None) -> dict[str, bytes]:
    return {
        MODEL: json.dumps(program).encode(),
        WEIGHTS: json.dumps({"config": {"played.gain": PAYLOAD} if weights is None else weights}).encode(),
        CONSTANTS: json.dumps({"config": {} if constants is None else constants}).encode(),
        "data/weights/weight_0": bytes(8),
        SAMPLE_INPUTS: b"",
        "archive_format": b"pt2",
    }


def with_change(values: Any, where: Where, new: Any) -> Any:
    changed = copy.deepcopy(values)
    inner = changed
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = new
    return changed


def leaves(values: Any, where: Where = ()) -> list[tuple[Where, Any]]:
    """Return every value that holds no others, with the way to it."""
    if not isinstance(values, dict | list) or not values:
        return [(where, values)]
    steps = values.items() if isinstance(values, dict) else enumerate(values)
    return [leaf for step, inner in steps for leaf in leaves(inner, (*where, step))]


def zipped(contents: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", compression) as archive:
        warnings.simplefilter("ignore")
        for name, content in contents:
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_program_is_written_again_as_it_was_understood() -> None:
    given = entries()
    given[MODEL] = given[MODEL].replace(b'"torch_fn"', b'"torch_\\u0066n"')
    came = read_entries(checked_archive(given))
    assert json.loads(came[MODEL]) == PROGRAM
    assert b"\\u0066" not in came[MODEL]
    assert came["data/weights/weight_0"] == bytes(8)
    assert came["archive_version"] == b"0"


@pytest.mark.parametrize("where", [where for where, _ in leaves(PROGRAM)], ids=lambda where: ".".join(map(str, where)))
@pytest.mark.parametrize("wrong", [{"as_expr": {"expr_str": "1"}}, [[]], "__import__('os')\n", 1 << 70, -1.5], ids=str)
def test_no_field_of_a_program_takes_a_value_of_another_kind(where: Where, wrong: Any) -> None:
    if where[-1] == "as_float" and wrong == -1.5:
        wrong = True
    with pytest.raises(ArchiveError, match="never writes"):
        checked_archive(entries(with_change(PROGRAM, where, wrong)))


@pytest.mark.parametrize("where", [where for where, _ in leaves(PAYLOAD)], ids=lambda where: ".".join(map(str, where)))
@pytest.mark.parametrize("wrong", [1, "true", None, {"as_int": 1}, -1], ids=str)
@pytest.mark.parametrize("table", ["weights", "constants"])
def test_no_field_of_a_tensor_takes_a_value_of_another_kind(table: str, where: Where, wrong: Any) -> None:
    if (where[-1], wrong) in (("dtype", 1), ("as_int", 1), ("index", None)):
        wrong = False
    with pytest.raises(ArchiveError):
        checked_archive(entries(**{table: {"played.gain": with_change(PAYLOAD, where, wrong)}}))


NODES: Where = ("graph_module", "graph", "nodes", 0)
CALLS: Where = ("graph_module", "module_call_graph", 0, "signature")


@pytest.mark.parametrize(
    ("where", "new"),
    [
        *(
            ((*NODES, "target"), target)
            for target in (
                *("os.system", "builtins.eval", "torch.load", "torch.hub.load", "math.sqrt", "_operator.attrgetter"),
                *("torch.ops.higher_order.cond", "torch.ops.prims.add.default", "torch.ops.aten.from_file.default"),
                *("torch.ops.aten.__init__.__globals__", "torch.ops.aten._unsafe_index.Tensor", "#ext:op"),
                "torch.ops.aten.mul.Tensor\n",
            )
        ),
        *(
            ((*NODES, "inputs", 1, "arg"), argument)
            for argument in (
                {"as_graph": {"name": "g", "graph": PROGRAM["graph_module"]["graph"]}},  # type: ignore[index]
                {"as_custom_obj": {"name": "o", "class_fqn": "c"}},
                {"as_operator": "torch.load"},
                {"as_sym_int": {"as_name": "s0"}},
                {"as_string": "/etc/passwd"},
                {"as_device": {"type": "meta", "index": None}},
                {"as_int": 1, "as_float": 1.0},
                {},
            )
        ),
        ((*NODES, "metadata"), {"source_fn_stack": "a,torch.load"}),
        ((*NODES, "metadata"), {"torch_fn": "a\nimport os"}),
        (("graph_module", "graph", "sym_int_values"), {"s0": {"as_expr": {"expr_str": "1", "hint": None}}}),
        (("graph_module", "graph", "inputs", 0, "as_tensor", "name"), "audio=print()"),
        (("graph_module", "graph", "inputs", 0, "as_tensor", "name"), "import"),
        (("graph_module", "signature", "input_specs", 0), {"token": {"arg": {"name": "t"}}}),
        ((*CALLS, "forward_arg_names", 0), "audio=print()"),
        ((*CALLS, "in_spec"), TREE.replace("builtins.dict", "collections.defaultdict")),
        ((*CALLS, "in_spec"), TREE.replace('[\\"frame\\"]', "[\\\"frame'+print()+'\\\"]")),
        ((*CALLS, "in_spec"), TREE.replace('[\\"frame\\"]', '[{\\"__enum__\\": 1, \\"fqn\\": \\"os:x\\"}]')),
        (("guards_code",), ["print()"]),
        (("range_constraints",), {"s0": {"min_val": 0, "max_val": 1}}),
        (("verifiers", 0), "OTHER"),
        (("verifiers",), []),
        (("more",), 1),
    ],
    ids=str,
)
def test_what_torch_could_execute_is_refused(where: Where, new: Any) -> None:
    with pytest.raises(ArchiveError, match="never writes"):
        checked_archive(entries(with_change(PROGRAM, where, new)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data/weights/model.pt", b"a pickle"),
        ("data/constants/custom_obj_0", b"a pickle"),
        ("data/constants/opaque_obj_0", b"a pickle"),
        (SAMPLE_INPUTS, b"a pickle"),
        ("models/other.json", b"{}"),
        ("data/aotinductor/model/code.so", b"code"),
        ("archive_format", b"pt3"),
        (MODEL, b"[" * 100_000),
        (MODEL, b'{"graph_module": "\xff"}'),
    ],
)
def test_other_entries_are_refused(name: str, content: bytes) -> None:
    with pytest.raises(ArchiveError):
        checked_archive({**entries(), name: content})


@pytest.mark.parametrize("missing", [MODEL, WEIGHTS, CONSTANTS, "data/weights/weight_0"])
def test_an_archive_without_one_of_its_parts_is_refused(missing: str) -> None:
    given = entries()
    del given[missing]
    with pytest.raises(ArchiveError, match="lacks"):
        checked_archive(given)


@pytest.mark.parametrize("size", [3, 1 << 30])
def test_a_tensor_must_lie_inside_its_entry(size: int) -> None:
    payload = with_change(PAYLOAD, ("tensor_meta", "sizes", 0, "as_int"), size)
    with pytest.raises(ArchiveError, match="too few"):
        checked_archive(entries(weights={"played.gain": payload}))


@pytest.mark.parametrize(
    "text", [b'{"a": 1, "a": 2}', b"NaN", b"-Infinity", b'"\xe9"', b"{", b"", b"[" * 100_000, b"9" * 9999]
)
def test_json_is_strict(text: bytes) -> None:
    with pytest.raises(ArchiveError, match="no strict JSON"):
        strict_json(text, "some.json")


def test_json_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_archive, "MOST_JSON_BYTES", 3)
    with pytest.raises(ArchiveError, match="4 bytes, where 3"):
        strict_json(b"null", "some.json")


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        ([("p/a", b""), ("p/a", b"other")], "twice"),
        ([("p/a", b""), ("q/b", b"")], "out of place"),
        ([("p/../a", b"")], "out of place"),
        ([("p", b"")], "out of place"),
    ],
)
def test_names_stand_once_in_one_folder(contents: list[tuple[str, bytes]], says: str) -> None:
    with pytest.raises(ArchiveError, match=says):
        read_entries(zipped(contents))


def test_entries_are_counted_and_not_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArchiveError, match="compressed"):
        read_entries(zipped([("p/a", bytes(1 << 20))], zipfile.ZIP_DEFLATED))
    monkeypatch.setattr(torch_archive, "MOST_ENTRIES", 1)
    with pytest.raises(ArchiveError, match="2 entries"):
        read_entries(zipped([("p/a", b""), ("p/b", b"")]))


def central(change: Callable[[bytearray, int], None]) -> bytes:
    """Return an archive whose central directory was changed from its first entry's place on."""
    content = bytearray(zipped([("p/a", b"content")]))
    change(content, content.index(b"PK\x01\x02"))
    return bytes(content)


def test_declared_sizes_are_not_believed() -> None:
    def huge(content: bytearray, place: int) -> None:
        content[place + 20 : place + 28] = struct.pack("<II", 1 << 31, 1 << 31)

    def longer(content: bytearray, place: int) -> None:
        content[place + 24 : place + 28] = struct.pack("<I", 1 << 31)

    for change in (huge, longer):
        with pytest.raises(ArchiveError, match="more bytes than it has"):
            read_entries(central(change))


def test_an_encrypted_entry_is_refused() -> None:
    def encrypted(content: bytearray, place: int) -> None:
        content[place + 8] |= 1

    with pytest.raises(ArchiveError, match="encrypted"):
        read_entries(central(encrypted))
