"""Import of the original's format: names and shapes as its published code gives them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from tests.training.families.sound2sight.models import PATCHES
from training.families.model_config import ModelConfig
from training.families.sound2sight.config import Sound2SightConfig
from training.families.sound2sight.original_weights import CONVERSION, convert
from training.import_reference import load_weights, main

CODE, LATENT, HIDDEN, FEEDFORWARD, CHANNELS = 16, 4, 32, 24, 8
SHAPE = Sound2SightConfig(
    colours=1,
    channels=CHANNELS,
    code_size=CODE,
    latent_size=LATENT,
    hidden_size=HIDDEN,
    feedforward=FEEDFORWARD,
    window_steps=12,
    sound="stft23x21",
)
CONFIG = ModelConfig(name="original", family="sound2sight", fps=10, image_size=48, front_end=PATCHES, generator=SHAPE)
Shapes = dict[str, tuple[int, ...]]


def block(name: str, weight: tuple[int, ...], channels: int, inside: str = "main.") -> Shapes:
    """A convolution and its batch norm."""
    norm = {f"{name}.{inside}1.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
    counter: Shapes = {f"{name}.{inside}1.num_batches_tracked": ()}
    return {f"{name}.{inside}0.weight": weight, f"{name}.{inside}0.bias": (channels,), **norm, **counter}


def encoder(prefix: str = "encoder") -> Shapes:
    """Of 48 pixels: the levels are called c2 to c5 there."""
    levels = {"c2": (1, 1), "c3": (1, 2), "c4": (2, 4)}
    found: Shapes = {}
    for level, (before, after) in levels.items():
        inputs = 1 if level == "c2" else CHANNELS * before
        found |= block(f"{prefix}.{level}", (CHANNELS * after, inputs, 4, 4), CHANNELS * after)
    return found | block(f"{prefix}.c5", (CODE, CHANNELS * 4, 6, 6), CODE, "")


def decoder() -> Shapes:
    found = block("decoder.upc1", (CODE, CHANNELS * 4, 6, 6), CHANNELS * 4, "")
    found |= block("decoder.upc2", (CHANNELS * 8, CHANNELS * 2, 4, 4), CHANNELS * 2)
    found |= block("decoder.upc3", (CHANNELS * 4, CHANNELS, 4, 4), CHANNELS)
    return found | {"decoder.upc5.0.weight": (CHANNELS * 2, 1, 4, 4), "decoder.upc5.0.bias": (1,)}


def sound_encoder() -> Shapes:
    found = block("audio_enc.c1", (64, 1, 4, 4), 64, "")
    for level, before in (("c2", 64), ("c3", 128), ("c4", 256)):
        found |= block(f"audio_enc.{level}", (2 * before, before, 4, 4), 2 * before)
    return found | block("audio_enc.c5", (CODE, 512, 2, 2), CODE, "")


def transformer(name: str) -> Shapes:
    """With the layer that its encoder was copied from, and the table of positions."""
    found: Shapes = {f"{name}.pos_encoder.pe": (5000, 1, HIDDEN)}
    for layer in ("encoder_layer", "transformer_encoder.layers.0"):
        linear = {
            "self_attn.out_proj": (HIDDEN, HIDDEN),
            "linear1": (FEEDFORWARD, HIDDEN),
            "linear2": (HIDDEN, FEEDFORWARD),
        }
        for part, shape in linear.items():
            found |= {f"{name}.{layer}.{part}.weight": shape, f"{name}.{layer}.{part}.bias": shape[:1]}
        for norm in ("norm1", "norm2"):
            found |= {f"{name}.{layer}.{norm}.weight": (HIDDEN,), f"{name}.{layer}.{norm}.bias": (HIDDEN,)}
        project = f"{name}.{layer}.self_attn.in_proj"
        found |= {f"{project}_weight": (3 * HIDDEN, HIDDEN), f"{project}_bias": (3 * HIDDEN,)}
    for part, shape in (("embed", (HIDDEN, CODE)), ("output_trans.0", (CODE, HIDDEN))):
        found |= {f"{name}.{part}.weight": shape, f"{name}.{part}.bias": shape[:1]}
    return found


def lstm(name: str, inputs: int, layers: int, outputs: dict[str, int]) -> Shapes:
    found: Shapes = {f"{name}.embed.weight": (HIDDEN, inputs), f"{name}.embed.bias": (HIDDEN,)}
    for layer in range(layers):
        for part in ("ih", "hh"):
            found[f"{name}.lstm.{layer}.weight_{part}"] = (4 * HIDDEN, HIDDEN)
            found[f"{name}.lstm.{layer}.bias_{part}"] = (4 * HIDDEN,)
    for part, size in outputs.items():
        found |= {f"{name}.{part}.weight": (size, HIDDEN), f"{name}.{part}.bias": (size,)}
    return found


def original_weights() -> dict[str, Tensor]:
    """The state dicts of the original's modules under their names, for M3SO at 48 pixels."""
    shapes = encoder() | decoder() | sound_encoder() | encoder("disc_encoder")
    for name in ("audio_rnn", "video_rnn_prior", "video_rnn_posterior"):
        shapes |= transformer(name)
    normal = {"mu_net": LATENT, "logvar_net": LATENT}
    shapes |= lstm("prior", 2 * CODE, 1, normal) | lstm("posterior", 2 * CODE, 1, normal)
    shapes |= lstm("frame_predictor", CODE + LATENT, 2, {"output.0": CODE}) | {"disc_std.weight": (2, CODE)}
    random = torch.Generator().manual_seed(0)
    return {
        name: 0.2 * torch.randn(shape, generator=random).abs() if shape else torch.tensor(3)
        for name, shape in shapes.items()
    }


def test_every_tensor_finds_its_place() -> None:
    weights = original_weights()
    model = convert(weights, CONFIG).generator
    pairs = {
        "encoder.c2.main.0.weight": model.encoder.levels[0][0].weight,
        "encoder.c5.1.running_var": model.encoder.code[1].running_var,
        "decoder.upc1.0.weight": model.decoder.seed[0].weight,
        "decoder.upc3.main.1.bias": model.decoder.levels[1][1].bias,
        "decoder.upc5.0.bias": model.decoder.frame.bias,
        "audio_enc.c1.0.weight": model.sound_encoder.levels[0][0].weight,
        "audio_enc.c4.main.0.bias": model.sound_encoder.levels[3][0].bias,
        "audio_rnn.transformer_encoder.layers.0.self_attn.in_proj_weight": model.sound_attention.project.weight,
        "video_rnn_prior.transformer_encoder.layers.0.linear2.bias": model.frame_attention.narrow.bias,
        "video_rnn_posterior.output_trans.0.weight": model.target_attention.output.weight,
        "prior.logvar_net.bias": model.prior.log_variance.bias,
        "posterior.lstm.0.weight_hh": model.posterior.layers.cells[0].weight_hh,
        "frame_predictor.lstm.1.bias_ih": model.predictor.layers.cells[1].bias_ih,
        "frame_predictor.output.0.weight": model.predictor.output.weight,
    }
    for name, ours in pairs.items():
        assert torch.equal(weights[name], ours), name


@torch.no_grad()
def test_the_attention_is_torch_s_own_layer() -> None:
    """The original's transformer is torch's encoder layer behind a linear one, with sines and cosines added."""
    weights = original_weights()
    ours = convert(weights, CONFIG).generator.frame_attention
    prefix = "video_rnn_prior.transformer_encoder.layers.0."
    layer = nn.TransformerEncoderLayer(HIDDEN, nhead=4, dim_feedforward=FEEDFORWARD).eval()
    layer.load_state_dict({n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)})
    tokens_BTI = torch.randn(2, 9, CODE, generator=torch.Generator().manual_seed(1))
    embedded = nn.functional.linear(
        tokens_BTI, weights["video_rnn_prior.embed.weight"], weights["video_rnn_prior.embed.bias"]
    )
    placed = nn.functional.leaky_relu(embedded) * HIDDEN**0.5 + ours.positions[:9]
    causal = nn.Transformer.generate_square_subsequent_mask(9)
    theirs = layer(placed.transpose(0, 1), causal).transpose(0, 1)
    output = nn.functional.linear(
        theirs, weights["video_rnn_prior.output_trans.0.weight"], weights["video_rnn_prior.output_trans.0.bias"]
    )
    torch.testing.assert_close(ours(tokens_BTI), torch.tanh(output), rtol=0, atol=1e-5)


def without(name: str) -> dict[str, Tensor]:
    return {n: value for n, value in original_weights().items() if n != name}


@pytest.mark.parametrize(
    ("weights", "config", "sentence"),
    [
        (without("prior.mu_net.bias"), CONFIG, "lack 'prior.mu_net.bias'.*Check image_size, sound"),
        (
            original_weights() | {"prior.mu_net.bias": torch.zeros(7)},
            CONFIG,
            r"'prior.mu_net.bias' is \[7\]; this configuration expects \[4\]",
        ),
        (original_weights() | {"prior.more": torch.zeros(1)}, CONFIG, "hold 'prior.more'"),
        (
            original_weights(),
            ModelConfig(family="sound2sight", image_size=48),
            "sound is 'normed_features'; the original has patches",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: dict[str, Tensor], config: ModelConfig, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        convert(weights, config)


YAML = f"""
model:
  name: original
  family: sound2sight
  fps: 10
  image_size: 48
  front_end: {{sample_rate_hz: 4400, high_hz: 2200.0}}
  generator: {{colours: 1, channels: {CHANNELS}, code_size: {CODE}, latent_size: {LATENT}, hidden_size: {HIDDEN},
    feedforward: {FEEDFORWARD}, sound: stft23x21}}
sequence_frames: 20
sequences_per_batch: 2
"""


def test_the_command_imports_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(original_weights(), tmp_path / "weights.pth")
    (tmp_path / "original.yaml").write_text(YAML)
    words = [str(tmp_path / "weights.pth"), str(tmp_path / "original.yaml"), "-o", str(tmp_path / "imported")]
    assert main(words) == 0
    assert "weights of the original's shape 'original'" in capsys.readouterr().out


class Module:
    """What a pickle of a whole module is to a reader of weights: an object of a class of its own."""


def test_a_pickled_checkpoint_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_bytes(pickle.dumps({"encoder": Module()}))
    with pytest.raises(TrainingError, match=r"not a file of weights that torch can read safely.*docs/families\.md"):
        load_weights(tmp_path / "model.pth")
    assert CONVERSION.removeprefix("in the original's environment: ") in Path("docs/families.md").read_text()
