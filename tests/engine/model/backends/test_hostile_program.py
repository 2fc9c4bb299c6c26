"""Programs made to run code when torch loads them: each is refused in one sentence, and nothing has run."""

from __future__ import annotations

import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends import compiled_files
from engine.model.backends.program_file import read_description
from engine.model.backends.torch_archive import CONFIGS, MODEL
from engine.model.backends.torch_program import hardware, open_model
from tests.engine.model.backends.test_torch_program import rewrite, write_program
from tests.engine.model.probe_model import CARD

FLIPPED_FILES = 60


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.trace), "w"))


@pytest.fixture(scope="module")
def good_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_program(tmp_path_factory.mktemp("hostile") / "probe.pt2")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Path of a file that a payload makes when it runs."""
    return tmp_path / "ran"


@pytest.fixture
def hostile(tmp_path: Path, good_file: Path) -> Callable[[dict[str, bytes]], Path]:
    def write(changes: dict[str, bytes]) -> Path:
        path = tmp_path / "hostile.pt2"
        path.write_bytes(good_file.read_bytes())
        rewrite(path, changes)
        return path

    return write


def pickled(trace: Path) -> bytes:
    stream = io.BytesIO()
    torch.save(Payload(trace), stream)
    return stream.getvalue()


def program_json(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(next(archive.read(name) for name in archive.namelist() if name.endswith(MODEL)))


def refusal(path: Path, trace: Path) -> str:
    with pytest.raises((ModelFileError, BackendError)) as caught:
        open_model(path, threads=1)
    assert not trace.exists()
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_payload_runs_where_it_is_unpickled(trace: Path) -> None:
    """Without this, the other tests would prove nothing."""
    torch.load(io.BytesIO(pickled(trace)), weights_only=False)
    assert trace.exists()


USE_PICKLE = {
    "plain": b'"use_pickle": true',
    "a space more": b'"use_pickle" : true',
    "an escaped letter": b'"use_\\u0070ickle": true',
    "one": b'"use_pickle": 1',
    "text": b'"use_pickle": "yes"',
    "false before true": b'"use_pickle": false, "use_pickle": true',
    "true before false": b'"use_pickle": true, "use_pickle": false',
}


@pytest.mark.parametrize("flag", USE_PICKLE.values(), ids=USE_PICKLE)
@pytest.mark.parametrize(
    ("config", "entry"),
    [(CONFIGS["data/weights/"], "data/weights/weight_0"), (CONFIGS["data/constants/"], "data/constants/tensor_0")],
)
def test_a_pickled_tensor(
    config: str, entry: str, flag: bytes, trace: Path, hostile: Callable[[dict[str, bytes]], Path]
) -> None:
    name = entry.rpartition("/")[2].encode()
    text = b'{"config": {"w": {"path_name": "%b", "is_param": false, %b, "tensor_meta": null}}}' % (name, flag)
    said = refusal(hostile({config: text, entry: pickled(trace)}), trace)
    assert "use_pickle" in said or "a key stands twice" in said or "never writes" in said


@pytest.mark.parametrize("entry", ["custom_obj_0", "opaque_obj_0"])
def test_a_pickled_object(entry: str, trace: Path, hostile: Callable[[dict[str, bytes]], Path]) -> None:
    text = json.dumps(
        {"config": {"w": {"path_name": entry, "is_param": False, "use_pickle": False, "tensor_meta": None}}}
    )
    changes = {CONFIGS["data/constants/"]: text.encode(), f"data/constants/{entry}": pickle.dumps(Payload(trace))}
    assert entry in refusal(hostile(changes), trace)


@pytest.mark.parametrize("entry", ["data/sample_inputs/model.pt", "data/weights/model.pt", "data/constants/model.pt"])
def test_a_whole_pickle(entry: str, trace: Path, hostile: Callable[[dict[str, bytes]], Path]) -> None:
    assert entry in refusal(hostile({entry: pickled(trace)}), trace)


def test_a_second_entry_of_a_name(trace: Path, hostile: Callable[[dict[str, bytes]], Path]) -> None:
    path = hostile({})
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("probe/data/sample_inputs/model.pt", pickled(trace))
    assert "twice" in refusal(path, trace)


def in_shape(program: Any, code: str) -> None:
    first = next(iter(program["graph_module"]["graph"]["tensor_values"].values()))
    first["sizes"] = [{"as_expr": {"expr_str": code, "hint": None}}]


def in_input_name(program: Any, code: str) -> None:
    graph = program["graph_module"]["graph"]
    text = json.dumps(graph).replace('"name": "audio"', json.dumps({"name": f"audio={code}"})[1:-1])
    program["graph_module"]["graph"] = json.loads(text)


def in_argument_names(program: Any, code: str) -> None:
    program["graph_module"]["module_call_graph"][0]["signature"]["forward_arg_names"][0] = f"audio={code}"


def in_guard(program: Any, code: str) -> None:
    program["guards_code"] = [code]


def in_target(program: Any, code: str) -> None:
    node = program["graph_module"]["graph"]["nodes"][0]
    node["target"] = "torch.ops.aten.from_file.default"
    filename = json.loads(code.partition("(")[2].partition(",")[0].replace("'", '"'))
    node["inputs"] = [
        {"name": "filename", "arg": {"as_string": filename}, "kind": 1},
        {"name": "shared", "arg": {"as_bool": True}, "kind": 1},
        {"name": "size", "arg": {"as_int": 1}, "kind": 1},
    ]


@pytest.mark.parametrize("place", [in_shape, in_input_name, in_argument_names, in_guard, in_target])
def test_code_in_the_program(
    place: Callable[[Any, str], None], trace: Path, good_file: Path, hostile: Callable[[dict[str, bytes]], Path]
) -> None:
    program = program_json(good_file)
    place(program, f"open('{trace}', 'w')")
    assert "never writes" in refusal(hostile({MODEL: json.dumps(program).encode()}), trace)


@pytest.mark.parametrize("target", ["os.system", "builtins.eval", "torch.ops.higher_order.cond", "torch.load"])
def test_an_operator_of_another_kind(
    target: str, trace: Path, good_file: Path, hostile: Callable[[dict[str, bytes]], Path]
) -> None:
    program = program_json(good_file)
    program["graph_module"]["graph"]["nodes"][0]["target"] = target
    assert target in refusal(hostile({MODEL: json.dumps(program).encode()}), trace)


def test_a_program_that_the_verifier_refuses(
    trace: Path, good_file: Path, hostile: Callable[[dict[str, bytes]], Path]
) -> None:
    program = program_json(good_file)
    program["graph_module"]["signature"]["output_specs"].pop()
    assert "cannot play it" in refusal(hostile({MODEL: json.dumps(program).encode()}), trace)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_cache")
def test_a_pickle_that_calls_itself_compiled_is_never_opened(trace: Path, tmp_path: Path) -> None:
    described = {"kind": "compiled", "device": "cpu", "hardware": hardware(torch, "cpu")}
    path = write_program(tmp_path / "hostile.pt2", **described)
    text = b'{"config": {"w": {"path_name": "weight_0", "is_param": false, "use_pickle": true, "tensor_meta": null}}}'
    rewrite(path, {CONFIGS["data/weights/"]: text, "data/weights/weight_0": pickled(trace)})
    assert "machine code that you did not compile" in refusal(path, trace)


@pytest.mark.usefixtures("own_cache")
def test_one_changed_byte_makes_a_compiled_file_foreign() -> None:
    compiled_files.note_compiled(b"code")
    assert compiled_files.is_compiled_here(b"code")
    assert not compiled_files.is_compiled_here(b"Code")


@pytest.mark.parametrize("flipped", range(FLIPPED_FILES))
def test_a_flipped_byte_ends_in_playing_or_in_one_sentence(
    flipped: int, good_file: Path, tmp_path: Path, trace: Path
) -> None:
    """Every other file has its checksums put right again, so that what is inside is reached."""
    dice = random.Random(flipped)
    path = tmp_path / "flipped.pt2"
    content = bytearray(good_file.read_bytes())
    if flipped % 2:
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(content)
    else:
        path.write_bytes(content)
        model = bytearray(json.dumps(program_json(good_file)).encode())
        model[dice.randrange(len(model))] ^= 1 << dice.randrange(8)
        rewrite(path, {MODEL: bytes(model)})
    try:
        opened = open_model(path, threads=1)
    except (ModelFileError, BackendError):
        refusal(path, trace)
    else:
        assert opened.card.name == read_description(path).card.name == CARD.name
