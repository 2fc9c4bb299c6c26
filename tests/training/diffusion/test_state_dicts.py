"""Published files are read without running anything in them, and held against the module that they are for."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.core.errors import TrainingError
from training.diffusion.state_dicts import load, misfit, read_config, read_weights, state_dict, with_current_names


class Module:
    """What a pickled module is to a reader of weights: an object of a class of its own."""


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_weights_or_their_shapes_alone_are_read(tmp_path: Path, name: str) -> None:
    file, saved = tmp_path / name, {"weight": torch.arange(6.0).view(2, 3), "bias": torch.ones(2).half()}
    save_file(saved, file) if name.endswith("safetensors") else torch.save(saved, file)
    assert torch.equal(read_weights(file)["weight"], saved["weight"])
    shapes = read_weights(file, "meta")
    assert shapes["weight"].is_meta
    assert {key: value.shape for key, value in shapes.items()} == {key: value.shape for key, value in saved.items()}


def test_a_pickled_module_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "unet.bin").write_bytes(pickle.dumps(Module()))
    with pytest.raises(
        TrainingError, match=r"not a file of weights that torch can read safely.*pickled module.*state_dict"
    ):
        read_weights(tmp_path / "unet.bin")
    with pytest.raises(TrainingError, match=r"Cannot read .*--check-weights"):
        read_weights(tmp_path / "absent.bin")


def test_a_file_that_is_cut_off_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "unet.bin"
    torch.save({"weight": torch.ones(64, 64)}, file)
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(TrainingError, match=r"unet.bin is not a file of weights .*\(it is cut off\)"):
        read_weights(file)


def test_configurations_are_mappings_in_json(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"sample_size": 8}')
    assert read_config(tmp_path / "config.json") == {"sample_size": 8}
    (tmp_path / "config.json").write_text("[8]")
    with pytest.raises(TrainingError, match="holds list; keys and values were expected"):
        read_config(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("<html>")
    with pytest.raises(TrainingError, match=r"cannot be used.*fetch it again"):
        read_config(tmp_path / "config.json")
    with pytest.raises(TrainingError, match=r"Cannot read .*absent.json"):
        read_config(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"weight": torch.ones(2, 3)}, r"lacks 'bias' \(1 of 2 tensors\): it is of another version"),
        ({"weight": torch.ones(2, 3), "bias": torch.ones(2), "more": torch.ones(1)}, "holds 'more'"),
        ({"weight": torch.ones(3, 3), "bias": torch.ones(2)}, r"has 'weight' as \[3, 3\] where \[2, 3\] was expected"),
    ],
)
def test_weights_of_another_version_are_refused(state: dict[str, torch.Tensor], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        load(nn.Linear(3, 2), state, Path("weights.bin"))


def test_weights_fill_a_module_that_has_none() -> None:
    linear, state = nn.Linear(3, 2, device="meta"), {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
    assert misfit(linear.state_dict(), state) == ""
    load(linear, state, Path("weights.bin"))
    assert torch.equal(linear(torch.ones(1, 3)), torch.full((1, 2), 3.0))


def test_what_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds dict with more than tensors"):
        state_dict({"step": 3}, tmp_path / "weights.bin")
    assert list(state_dict({"a.weight": torch.ones(1), "b": torch.ones(1)}, tmp_path, ignored=r"^a\.")) == ["b"]


def test_former_names_of_autoencoders_are_brought_up_to_date() -> None:
    place = "decoder.mid_block.attentions.0"
    former = {
        f"{place}.query.weight": torch.ones(4, 4, 1, 1),
        f"{place}.proj_attn.bias": torch.ones(4),
        f"{place}.group_norm.weight": torch.ones(4),
        "decoder.conv_in.weight": torch.ones(4, 4, 1, 1),
    }
    shapes = {name: list(value.shape) for name, value in with_current_names(former).items()}
    assert shapes == {
        f"{place}.to_q.weight": [4, 4],
        f"{place}.to_out.0.bias": [4],
        f"{place}.group_norm.weight": [4],
        "decoder.conv_in.weight": [4, 4, 1, 1],
    }
