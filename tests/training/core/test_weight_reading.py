"""Files of weights are tensors by name or one reason, and nothing in them runs."""

from __future__ import annotations

import pickle
import random
import zipfile
from pathlib import Path

import pytest
import torch

from training.core.weight_reading import read_tensors


class Program:
    """Would write a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def reason(path: Path) -> str:
    with pytest.raises(ValueError, match=r"^it ") as refusal:
        read_tensors(path)
    return str(refusal.value)


def test_what_is_no_file_of_weights_is_one_reason(tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    assert reason(tmp_path / "list.pth") == "it holds list where tensors by name were expected"
    torch.save({"a": Program(tmp_path / "ran")}, tmp_path / "program.pth")
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps(Program(tmp_path / "ran")))
    (tmp_path / "cut.safetensors").write_bytes(b"\xff" * 40)
    for name in ("program.pth", "pickle.pth", "cut.safetensors"):
        assert "it is damaged" in reason(tmp_path / name)
    assert not (tmp_path / "ran").exists()
    torch.save({"a": torch.zeros(1000)}, tmp_path / "good.pth")
    with (
        zipfile.ZipFile(tmp_path / "good.pth") as good,
        zipfile.ZipFile(tmp_path / "blown.pth", "w", zipfile.ZIP_DEFLATED) as blown,
    ):
        for entry in good.namelist():
            blown.writestr(entry, good.read(entry))
    assert "it is damaged" in reason(tmp_path / "blown.pth")


def test_any_damage_is_read_or_refused(tmp_path: Path) -> None:
    """200 files with a few bytes changed, or cut off."""
    drawn = random.Random(18)
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.arange(6.0), "b": torch.ones(2, 3, dtype=torch.float16)}, path)
    whole, refused = path.read_bytes(), 0
    for _ in range(200):
        content = bytearray(whole[: drawn.randint(1, len(whole))] if drawn.random() < 0.3 else whole)
        for _ in range(drawn.randint(1, 4)):
            content[drawn.randrange(len(content))] = drawn.randrange(256)
        path.write_bytes(content)
        try:
            read_tensors(path)
        except ValueError:
            refused += 1
    assert refused > 50
