"""The table of files that a family needs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.core.errors import TrainingError
from training.diffusion.state_dicts import read_weights
from training.diffusion.weight_files import WeightFile, check_weights, require, table

EXPECTED = {"weight": torch.empty(2, 3, device="meta")}


def network(sha256: dict[str, str] | None = None) -> WeightFile:
    return WeightFile(
        "unet/model.bin",
        "network",
        "example.org/unet",
        1_500_000_000,
        sha256 or {},
        ("model.safetensors",),
        lambda file: (EXPECTED, read_weights(file, "meta")),
    )


WORDS = WeightFile("words.json", "words", "example.org/words")


def test_what_is_missing_is_told_with_its_place(tmp_path: Path) -> None:
    checks = check_weights(tmp_path, [network(), WORDS])
    assert [check.is_usable for check in checks] == [False, False]
    lines = table(checks)
    assert lines[0].split() == ["file", "holds", "size", "checksum", "state"]
    assert lines[1].split() == ["unet/model.bin", "network", "1.50", "GB", "-", "missing"]
    assert lines[-2:] == ["unet/model.bin: example.org/unet", "words.json: example.org/words"]
    with pytest.raises(TrainingError, match=r"lacks unet/model.bin and 1 other file; --check-weights"):
        require(tmp_path, [network(), WORDS])


def test_what_is_there_is_held_against_checksum_and_shapes(tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text("{}")
    file = tmp_path / "unet" / "model.bin"
    file.parent.mkdir()
    torch.save({"weight": torch.ones(2, 3)}, file)
    right = hashlib.sha256(file.read_bytes()).hexdigest()
    for wanted, told in (({}, "not known"), ({"model.bin": right}, "right"), ({"model.bin": "0" * 64}, "other")):
        checks = check_weights(tmp_path, [network(wanted), WORDS])
        assert checks[0].checksum == told
        # A file of the same shapes may be a user's own.
        assert checks[0].is_usable
    assert require(tmp_path, [network(), WORDS]) == {"unet/model.bin": file, "words.json": tmp_path / "words.json"}
    torch.save({"weight": torch.ones(4, 3)}, file)
    lines = table(check_weights(tmp_path, [network(), WORDS]))
    assert lines[1].endswith("cannot be used")
    assert lines[-1].startswith(f"{file} has 'weight' as [4, 3] where [2, 3] was expected: it is of another version")


def test_safetensors_may_lie_in_the_place_of_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    torch.save({"weight": torch.ones(7)}, tmp_path / "unet" / "model.bin")
    save_file({"weight": torch.ones(2, 3)}, tmp_path / "unet" / "model.safetensors")
    check = check_weights(tmp_path, [network()])[0]
    assert check.found == tmp_path / "unet" / "model.safetensors"
    assert check.is_usable
    assert table([check])[1].startswith("unet/model.safetensors")


def test_a_folder_is_expected(tmp_path: Path) -> None:
    for asked in (check_weights, require):
        with pytest.raises(TrainingError, match="is no folder; the folder with the weights was expected"):
            asked(tmp_path / "absent", [WORDS])
