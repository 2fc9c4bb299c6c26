"""The checksum of a model file: what it covers, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import ModelFileError
from engine.model.card import METADATA_KEY
from engine.model.file import SEAL_KEY, graph_sha256, read_card, read_checked_card, read_model, sealed
from tests.engine.model.probe_model import CARD, program, write_probe


def test_a_sealed_file_is_an_onnx_file_with_its_card(probe_file: Path) -> None:
    model = onnx.load(str(probe_file))
    onnx.checker.check_model(model)
    assert [entry.key for entry in model.metadata_props] == [METADATA_KEY, SEAL_KEY]
    assert read_checked_card(probe_file) == CARD == read_card(probe_file)


def test_sealing_again_replaces_the_card_and_keeps_the_rest() -> None:
    model = program(CARD)
    onnx.helper.set_model_props(model, {"author": "somebody"})
    once = sealed(model.SerializeToString(), replace(CARD, name="first"))
    twice = sealed(once, replace(CARD, name="second", graph_sha256="stale"))
    read = onnx.load_from_string(twice)
    assert {entry.key for entry in read.metadata_props} == {"author", METADATA_KEY, SEAL_KEY}
    assert len(read.metadata_props) == 3
    assert graph_sha256(twice) == graph_sha256(model.SerializeToString()) == CARD.graph_sha256


def test_the_card_is_no_part_of_the_checksum_and_everything_else_is(probe_file: Path, tmp_path: Path) -> None:
    renamed = write_probe(tmp_path / "renamed.onnx", name="renamed")
    assert read_checked_card(renamed).graph_sha256 == CARD.graph_sha256
    for change in ({"producer_name": "other"}, {"ir_version": 9}, {"model_version": 3}):
        model = onnx.load(str(probe_file))
        for field, value in change.items():
            setattr(model, field, value)
        assert graph_sha256(model.SerializeToString()) != CARD.graph_sha256


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0), st.integers(1, 255))
def test_any_changed_byte_is_noticed(
    probe_file: Path, tmp_path_factory: pytest.TempPathFactory, at: int, by: int
) -> None:
    content = bytearray(probe_file.read_bytes())
    # A seal under another name is none, as in files of earlier versions.
    content[at % content.index(SEAL_KEY.encode())] ^= by
    altered = tmp_path_factory.getbasetemp() / "altered.onnx"
    altered.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        read_checked_card(altered)
    assert str(altered) in str(caught.value)


def test_a_cut_file_is_refused_wherever_it_is_cut(probe_file: Path, tmp_path: Path) -> None:
    content, cut = probe_file.read_bytes(), tmp_path / "cut.onnx"
    for length in range(0, len(content), 37):
        cut.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            read_checked_card(cut)


def test_an_altered_file_is_refused(probe_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "altered.onnx"
    # The name in the graph, not the one in the card.
    path.write_bytes(probe_file.read_bytes().replace(b"probe", b"prove", 1))
    with pytest.raises(ModelFileError, match="altered or damaged after its export"):
        read_checked_card(path)
    assert read_card(path) == CARD


def test_an_altered_card_is_refused_and_a_file_of_a_version_without_seal_is_not(
    probe_file: Path, tmp_path: Path
) -> None:
    content = probe_file.read_bytes()
    renamed = tmp_path / "renamed.onnx"
    renamed.write_bytes(content.replace(b'"licence": "CC0"', b'"licence": "MIT"', 1))
    with pytest.raises(ModelFileError, match="its seal fits neither card nor graph"):
        read_model(renamed)
    model = onnx.load_from_string(content)
    del model.metadata_props[1]
    unsealed = tmp_path / "unsealed.onnx"
    unsealed.write_bytes(model.SerializeToString())
    assert read_model(unsealed).card == CARD
    model.metadata_props.append(model.metadata_props[0])
    unsealed.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="damaged"):
        read_model(unsealed)


def test_a_card_without_a_checksum_is_refused(tmp_path: Path) -> None:
    path = write_probe(tmp_path / "open.onnx", metadata=replace(CARD, graph_sha256="").to_json())
    with pytest.raises(ModelFileError, match=r"no checksum .* python -m export.to_onnx"):
        read_checked_card(path)
    assert read_card(path).graph_sha256 == ""


@pytest.mark.parametrize("content", [b"\x00", b"\x08", b"\x3a\x7f", b"\xff" * 12, b"text, not a model"])
def test_what_is_no_onnx_file_has_no_checksum(content: bytes) -> None:
    with pytest.raises(EOFError):
        graph_sha256(content)
