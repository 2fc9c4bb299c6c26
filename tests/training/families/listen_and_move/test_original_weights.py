"""Import of the original's format: names and shapes as its published code gives them."""

import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from torch import Tensor

from engine.core.errors import TrainingError
from training.core.front_end import FrontEndConfig
from training.data.clip_sound import read_sound
from training.data.windows import WindowTiming, sound_windows
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.original_weights import convert
from training.families.model_config import ModelConfig
from training.import_reference import load_weights, main

F, E, SIZE = 20, 2, 8  # features, motion noise, frame size
I = F + E
Z = I + F
C0, C1 = 8, 4  # channels before and after the one level


def original_weights(conditional: bool) -> dict[str, Tensor]:
    """State dict of the original's full model at 8 × 8 with channels_base 8 and two motion layers."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(2):
        for part in ("ih", "hh"):
            shapes[f"motion.layers.{layer}.weight_{part}"] = (3 * I, I)
            shapes[f"motion.layers.{layer}.bias_{part}"] = (3 * I,)
    shapes |= noisy_conv("generator.format_layer.1.module", (0, 1, 2), Z, C0, True)
    shapes |= noisy_conv("generator.layers.0.block", (0, 1, 2), C0, C1, not conditional)
    shapes |= noisy_conv("generator.layers.0.block", (4, 5, 6), C1, C1, not conditional)
    shapes |= {
        "generator.layers.0.residual.conv.weight": (C1, C0, 1, 1),
        "generator.layers.0.residual.conv.bias": (C1,),
    }
    if conditional:
        shapes |= {"generator.conditions.0.0.weight": (2 * C1, F), "generator.conditions.0.0.bias": (2 * C1,)}
    shapes |= {"generator.toRGB.0.conv.weight": (3, C1, 1, 1), "generator.toRGB.0.conv.bias": (3,)}
    flows = "generator.vp_layers.0.flows"
    for gate in ("reset", "update", "output"):
        shapes |= {f"{flows}.0.{gate}.conv.weight": (C1, 2 * C1, 3, 3), f"{flows}.0.{gate}.conv.bias": (C1,)}
        for flow in (1, 2):
            shapes[f"{flows}.{flow}.{gate}.bias"] = (1, C1, 1, 1)
            shapes[f"{flows}.{flow}.{gate}.convs.0.weight"] = (C1, 2 * C1, 1, 1)
            shapes[f"{flows}.{flow}.{gate}.convs.1.weight"] = (C1, 2 * C1, *((1, 3) if flow == 1 else (3, 1)))
    blend = "generator.vp_layers.0.pmd_weighting.conv"
    shapes |= {f"{blend}.weight": (C1 + 1, 5 * C1, 1, 1), f"{blend}.bias": (C1 + 1,)}
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator).abs() for name, shape in shapes.items()}


def noisy_conv(
    prefix: str, index: tuple[int, int, int], inputs: int, outputs: int, norm: bool
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        f"{prefix}.{index[0]}.conv.weight": (outputs, inputs, 3, 3),
        f"{prefix}.{index[0]}.conv.bias": (outputs,),
        f"{prefix}.{index[1]}.weight": (1,),
    }
    if norm:
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{prefix}.{index[2]}.module.{name}"] = (outputs,)
    return shapes


def config(kind: str = "lms", **generator: Any) -> ModelConfig:
    settings = {"motion_layers": 2, "channels_base": C0, **generator}
    return ModelConfig(
        image_size=SIZE,
        front_end=FrontEndConfig(kind=kind, mel_bands=F),  # type: ignore[arg-type]
        generator=ListenAndMoveConfig(**settings),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("conditional", [True, False])
def test_every_weight_of_the_original_is_used_once(conditional: bool) -> None:
    weights = original_weights(conditional)
    model = convert(weights, config(conditional_norm=conditional))
    ours = sum(p.numel() for n, p in model.state_dict().items() if not n.endswith("num_batches_tracked"))
    assert ours == sum(value.numel() for value in weights.values())


def test_gates_keep_their_order_and_rows_their_direction() -> None:
    weights = original_weights(True)
    cells = convert(weights, config()).generator.predictions["0"].cells
    flows = "generator.vp_layers.0.flows"
    assert torch.equal(cells["centre"].gates.weight[:C1], weights[f"{flows}.0.update.conv.weight"])
    assert torch.equal(cells["centre"].gates.weight[C1:], weights[f"{flows}.0.reset.conv.weight"])
    assert torch.equal(cells["vertical"].candidate.rows[1], weights[f"{flows}.1.output.convs.1.weight"])
    assert torch.equal(
        cells["horizontal"].candidate.rows[1][:, :, 0], weights[f"{flows}.2.output.convs.1.weight"][:, :, :, 0]
    )


def heard_by_the_original(sound: np.ndarray, kind: str) -> torch.Tensor:
    """Features of a sound at 64 kHz as the original's converter makes them at 20 frames a second, through librosa: [1, T, F]."""
    mel = librosa.feature.melspectrogram(
        y=sound, sr=64000, n_fft=2048, hop_length=640, win_length=1600, n_mels=F, fmin=125, fmax=7500
    )
    chunks = [mel[:, 5 * k : 5 * k + 8] for k in range((mel.shape[1] - 8) // 5 + 1)]
    if kind == "mfcc":
        chunks = [librosa.feature.mfcc(S=librosa.power_to_db(chunk), n_mfcc=20) for chunk in chunks]
    return torch.from_numpy(np.stack([chunk.mean(axis=1) for chunk in chunks]))[None]


@pytest.mark.parametrize("rate_hz", [16000, 64000])
@pytest.mark.parametrize("kind", ["mel", "mfcc"])
def test_an_imported_generator_hears_the_file_as_the_original_does(kind: str, rate_hz: int, tmp_path: Path) -> None:
    time_s = np.arange(2 * 64000) / 64000
    tones = [np.sin(2 * np.pi * 110 * n * time_s + n) * np.sin(np.pi * n * time_s) / n for n in range(1, 40)]
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 64000, 0, "NONE", ""))
        file.writeframes((2000.0 * np.sum(tones, axis=0)).astype("<i2").tobytes())
    sound = read_sound(tmp_path / "sound.wav", 64000)
    expected_BTF = heard_by_the_original(sound, kind)
    spread = float(expected_BTF.square().mean().sqrt())
    # Scaled to the size of the inputs, as training does.
    scaled = {n: v - v.mean() if v.dim() > 1 else v for n, v in original_weights(True).items()}
    scaled = {n: v / v[0].numel() ** 0.5 if v.dim() > 1 else v for n, v in scaled.items()}
    scaled = {n: v / spread if v.dim() > 1 and v.shape[1] in (F, I, Z) else v for n, v in scaled.items()}
    shape = config(kind)
    model = convert(scaled, replace(shape, front_end=replace(shape.front_end, sample_rate_hz=rate_hz)))
    steps = expected_BTF.shape[1]
    noise, state = model.draw_noise(1, steps, torch.Generator().manual_seed(2)), model.initial_state(1)
    windows = sound_windows(read_sound(tmp_path / "sound.wav", rate_hz), -1, steps, WindowTiming.of(model))
    with torch.no_grad():
        frames, _, _ = model.clip(torch.from_numpy(windows)[None], noise, state)
        expected, _, _ = model.clip_features(expected_BTF, noise, state)
    assert expected.std() > 0.01
    # The file's last instant is another sound at 16 kHz: it ends at once.
    torch.testing.assert_close(frames[:, 1:-2], expected[:, 1:-2], atol=1e-3, rtol=0)


def test_mistakes_are_one_sentence() -> None:
    weights = original_weights(True)
    with pytest.raises(TrainingError, match=r"'generator\.layers.*which this configuration has|lack"):
        convert({n: v for n, v in weights.items() if "block.4" not in n}, config())
    with pytest.raises(TrainingError, match="does not have"):
        convert({**weights, "motion.layers.7.weight_ih": torch.zeros(1)}, config())
    with pytest.raises(TrainingError, match=r"is \[8, 42, 3, 3\]; this configuration expects \[16, 42, 3, 3\]"):
        convert(weights, config(channels_base=2 * C0))
    with pytest.raises(TrainingError, match="without place maps and canvas"):
        convert(weights, config(place_levels=1))


def test_weight_files(tmp_path: Path) -> None:
    good = tmp_path / "0040000_Gn.model"
    torch.save(original_weights(True), good)
    assert load_weights(good).keys() == original_weights(True).keys()
    (tmp_path / "cut.pth").write_bytes(good.read_bytes()[:500])
    (tmp_path / "text.pth").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("cut.pth", "text.pth", "list.pth", "absent.pth"):
        with pytest.raises(TrainingError, match=name):
            load_weights(tmp_path / name)


def test_weights_of_three_dimensions() -> None:
    """All of the original's convolutions are then cubes; its 1 × 1 × 1 ones do here what a 1 × 1 one does."""
    flat = {n: v for n, v in original_weights(False).items() if ".vp_layers." not in n}
    cubes = {n: torch.stack([v, 2 * v, v], dim=2) if v.shape[-2:] == (3, 3) else v for n, v in flat.items()}
    cubes = {n: v[:, :, None] if v.dim() == 4 else v for n, v in cubes.items()}
    settings: dict[str, object] = {"conditional_norm": False, "prediction": "none"}
    model = convert(cubes, config(convolution="3d", **settings))
    assert torch.equal(model.generator.seed.conv.weight, cubes["generator.format_layer.1.module.0.conv.weight"])
    assert torch.equal(model.generator.to_rgb[0].weight[:, :, None], cubes["generator.toRGB.0.conv.weight"])  # type: ignore[index]
    with pytest.raises(TrainingError, match="this configuration expects"):
        convert(cubes, config(**settings))


def test_the_command_does_not_replace_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter.txt").write_text("keep me")
    with pytest.raises(TrainingError, match="precious exists and is no checkpoint"):
        main(["weights.pth", "configs/train/paper-128.yaml", "-o", str(tmp_path / "precious")])
    assert (tmp_path / "precious" / "letter.txt").exists()
