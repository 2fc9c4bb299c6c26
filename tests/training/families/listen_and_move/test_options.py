"""Every option of the sound, the networks and the clip changes what it says, and nothing else."""

import librosa
import numpy as np
import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.models import small_model
from training.core.front_end import FrontEnd, FrontEndConfig
from training.core.streaming import StreamingModel
from training.data.config import ClipConfig
from training.families.family import build_model
from training.families.listen_and_move.config import ListenAndMoveConfig, channels
from training.families.listen_and_move.motion_encoder import MotionEncoder
from training.families.model_config import ModelConfig
from training.loop.config import TrainConfig

STEPS = 4


def play(model: StreamingModel, noise: dict[str, torch.Tensor] | None = None, seed: int = 1) -> torch.Tensor:
    """Play noise of that seed; the same random inputs unless given."""
    audio = 0.5 * torch.randn(1, STEPS, model.window_samples, generator=torch.Generator().manual_seed(seed))
    noise = noise or model.draw_noise(1, STEPS, torch.Generator().manual_seed(2))
    with torch.no_grad():
        frames, _, _ = model.clip(audio, noise, model.initial_state(1))
    return frames


@pytest.mark.parametrize(("option", "drawn"), [("content_noise", "content_noise"), ("motion_noise", "motion_noise")])
def test_each_noise_changes_the_frame_when_drawn_again(option: str, drawn: str) -> None:
    model = small_model(**{option: 3})
    noise = model.draw_noise(1, STEPS, torch.Generator().manual_seed(2))
    assert noise[drawn].shape == (1, STEPS, 3)
    again = {**noise, drawn: torch.rand(1, STEPS, 3)}
    assert (play(model, noise) - play(model, again)).abs().max() > 1e-4
    assert drawn not in small_model(**{option: 0}).draw_noise(1, 1)


def silence_motion_encoder(model: StreamingModel) -> None:
    """Make the one layer's output 0 whatever it hears."""
    with torch.no_grad():
        for parameter in model.generator.motion.parameters():
            parameter.zero_()


@pytest.mark.parametrize(
    ("route", "conditional", "another_way"),
    [("rnn", False, False), ("rnn", True, True), ("gen", False, True), ("rnngen", False, True)],
)
def test_with_route_rnn_sound_comes_through_the_motion_encoder_alone(
    route: str, conditional: bool, another_way: bool
) -> None:
    model = small_model(sound_route=route, conditional_norm=conditional, motion_layers=1)
    assert (play(model, seed=1) - play(model, seed=2)).abs().max() > 1e-3
    silence_motion_encoder(model)
    assert ((play(model, seed=1) - play(model, seed=2)).abs().max() > 1e-3) == another_way


@pytest.mark.parametrize(("route", "hears"), [("rnn", True), ("gen", False), ("rnngen", True)])
def test_with_route_gen_the_motion_encoder_hears_nothing(route: str, hears: bool) -> None:
    model = small_model(sound_route=route, motion_layers=2)
    noise = model.draw_noise(1, STEPS)
    loud = 0.5 * torch.randn(1, STEPS, model.window_samples)
    with torch.no_grad():
        _, _, one = model.clip(loud, noise, model.initial_state(1))
        _, _, other = model.clip(torch.zeros_like(loud), noise, model.initial_state(1))
    differs = max(float((one[n] - other[n]).abs().max()) for n in ("motion_0", "motion_1"))
    assert (differs > 1e-4) == hears


def test_a_motion_encoder_without_input_is_refused() -> None:
    with pytest.raises(TrainingError, match="the motion encoder has no input"):
        ListenAndMoveConfig(sound_route="gen", motion_noise=0)
    with pytest.raises(TrainingError, match=r"content_noise is -1"):
        ListenAndMoveConfig(content_noise=-1)
    with pytest.raises(TrainingError, match=r"motion_layers is 0"):
        ListenAndMoveConfig(motion_layers=0)


@pytest.mark.parametrize("slot", range(4))
def test_layer_l_of_the_motion_encoder_recurs_over_two_to_the_l_steps(slot: int) -> None:
    encoder = MotionEncoder(5, 3, "basic")
    assert encoder.state_shapes() == {"motion_0": (1, 5), "motion_1": (2, 5), "motion_2": (4, 5)}
    state = {name: torch.zeros(1, *shape) for name, shape in encoder.state_shapes().items()}
    touched = {**state, "motion_2": state["motion_2"].clone()}
    touched["motion_2"][:, slot] = 1.0
    sound = torch.randn(1, 4, 5)
    with torch.no_grad():
        changed = (encoder(sound, touched)[0] - encoder(sound, state)[0]).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.tolist() == [k == slot for k in range(4)]


def test_feedback_adds_the_last_output() -> None:
    model = small_model(motion_type="feedback")
    noise, audio = model.draw_noise(1, 1), torch.zeros(1, 1, model.window_samples)
    start = model.initial_state(1)
    with torch.no_grad():
        plain, _, _ = model.clip(audio, noise, start)
        fed, _, _ = model.clip(audio, noise, {**start, "motion_output": start["motion_output"] + 1.0})
    assert (plain - fed).abs().max() > 1e-4
    assert "motion_output" not in small_model(motion_type="basic").state_shapes()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"prediction": "none"}, {}),
        ({"prediction": "basic"}, {"1": ["centre"]}),
        ({"prediction": "dir"}, {"1": ["centre", "down", "up", "right", "left"]}),
        ({"prediction": "basic", "prediction_levels": (0, 1)}, {"0": ["centre"], "1": ["centre"]}),
        ({"prediction": "basic", "prediction_levels": (0, -1, 1)}, {"0": ["centre"], "1": ["centre"]}),
    ],
)
def test_prediction_adds_exactly_its_states(settings: dict[str, object], expected: dict[str, list[str]]) -> None:
    shapes = small_model(**settings).state_shapes()
    names = {f"prediction_{level}_{way}" for level, ways in expected.items() for way in ways}
    assert {name for name in shapes if name.startswith("prediction")} == names
    more = 1 if settings["prediction"] == "basic" else 0
    assert all(shapes[f"prediction_{level}_centre"][1:] == (8 * 2 ** int(level),) * 2 for level in expected)
    assert all(shapes[f"prediction_{level}_centre"][0] == 16 // 2 ** int(level) + more for level in expected)


@pytest.mark.parametrize(("image_size", "kernel", "expected"), [(16, None, 3), (512, None, 5), (16, 5, 5), (512, 3, 3)])
def test_the_kernel_of_the_prediction_follows_the_frame(image_size: int, kernel: int | None, expected: int) -> None:
    model = small_model(image_size, prediction_kernel=kernel, prediction="basic", channels_base=8, channels_min=2)
    (prediction,) = model.generator.predictions.values()
    assert prediction.cells["centre"].gates.weight.shape[2:] == (expected, expected)  # type: ignore[index, union-attr]


def test_a_level_that_is_not_there_is_refused() -> None:
    for level in (2, -3):
        with pytest.raises(TrainingError, match=rf"prediction_levels names level {level}; .* 0 to 1, or -1 to -2"):
            small_model(prediction_levels=(level,))
    with pytest.raises(TrainingError, match="prediction_levels is empty"):
        small_model(prediction_levels=())
    with pytest.raises(TrainingError, match="relief_level names level 5"):
        small_model(relief_rank=1, relief_level=5)


def test_double_finest_doubles_the_two_finest_levels() -> None:
    plain = ListenAndMoveConfig(channels_base=64)
    doubled = ListenAndMoveConfig(channels_base=64, double_finest=True)
    widths = [[channels(config, 4, stage) for stage in range(5)] for config in (plain, doubled)]
    assert widths == [[64, 32, 16, 8, 4], [64, 32, 16, 16, 8]]


def test_architectures_differ_in_what_they_add() -> None:
    residual, basic, skip = (
        small_model(architecture=name, conditional_norm=False, prediction="none")
        for name in ("residual", "basic", "skip")
    )
    assert [hasattr(m.generator.blocks[0], "skip") for m in (residual, basic, skip)] == [True, False, False]
    assert [len(m.generator.to_rgb) for m in (residual, basic, skip)] == [1, 1, 2]
    before = play(skip)
    with torch.no_grad():
        skip.generator.to_rgb[0].weight.zero_()  # type: ignore[union-attr]
    assert (play(skip) - before).abs().max() > 1e-3


def test_conditional_norm_follows_the_sound_and_batch_norm_does_not() -> None:
    conditional, plain = small_model(conditional_norm=True), small_model(conditional_norm=False)
    assert conditional.generator.conditions is not None
    assert plain.generator.conditions is None
    assert [m.generator.blocks[0].first.norm is None for m in (conditional, plain)] == [True, False]  # type: ignore[union-attr]


@pytest.mark.parametrize("image_size", [8, 32])
def test_image_size_is_the_frames(image_size: int) -> None:
    assert play(small_model(image_size)).shape == (1, STEPS, 3, image_size, image_size)


@pytest.mark.parametrize(("fps", "hop"), [(10, 1600), (20, 800), (25, 640)])
def test_fps_is_the_pace_of_sound_and_frames(fps: int, hop: int) -> None:
    config = TrainConfig(model=ModelConfig(fps=fps, image_size=8, generator=ListenAndMoveConfig(channels_base=8)))
    assert build_model(config.model).hop_samples == hop
    assert config.clip_format().fps == fps


def test_crop_goes_to_the_reader_of_the_clip() -> None:
    config = TrainConfig(clip=ClipConfig(crop=(1, 2, 30, 40)))
    assert config.clip_format().crop == (1, 2, 30, 40)


def test_feature_types_answer_to_loudness_each_in_its_way() -> None:
    kinds = {kind: FrontEnd(FrontEndConfig(kind=kind)) for kind in ("stage", "mel", "lms", "mfcc")}  # type: ignore[arg-type]
    sound = 0.1 * torch.randn(1, 1520, generator=torch.Generator().manual_seed(0))
    heard = {k: f(sound[:, -f.config.window_samples :])[0] for k, f in kinds.items()}
    twice = {k: f(2.0 * sound[:, -f.config.window_samples :])[0] for k, f in kinds.items()}
    assert {k: len(v) for k, v in heard.items()} == {"stage": 64, "mel": 64, "lms": 64, "mfcc": 20}
    torch.testing.assert_close(twice["mel"], 4.0 * heard["mel"], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(twice["lms"], heard["lms"], rtol=0, atol=1e-2)
    assert (twice["stage"] - heard["stage"]).mean() == pytest.approx(20 * np.log10(2.0) / 80.0, abs=2e-3)
    # Loudness is in the first coefficient alone.
    moved = (twice["mfcc"] - heard["mfcc"]).abs()
    assert moved[0] > 10.0
    assert moved[1:].max() < 1e-2


@pytest.mark.parametrize("bands", [32, 128])
@pytest.mark.parametrize("kind", ["stage", "mel", "lms"])
def test_mel_bands_are_the_features(kind: str, bands: int) -> None:
    config = FrontEndConfig(kind=kind, mel_bands=bands, sample_rate_hz=64000)  # type: ignore[arg-type]
    front_end = FrontEnd(config)
    assert front_end(torch.zeros(1, config.window_samples)).shape == (1, bands)
    filters = librosa.filters.mel(sr=64000, n_fft=2048, n_mels=bands, fmin=125, fmax=7500)
    used = filters.any(axis=0).nonzero()[0]
    np.testing.assert_allclose(front_end.filters.T, filters[:, used[0] : used[-1] + 1], atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "columns"), [("stage", (7, 14)), ("lms", (8, 16)), ("mel", (8, 16)), ("mfcc", (8, 16))]
)
def test_chunk_is_how_far_back_it_hears(kind: str, columns: tuple[int, int]) -> None:
    short, long = (FrontEndConfig(kind=kind, chunk_s=seconds) for seconds in (0.085, 0.16))  # type: ignore[arg-type]
    assert (short.column_count, long.column_count) == columns
    # A click 140 ms before the newest sample.
    click = torch.zeros(1, long.window_samples)
    click[:, -2240:-2230] = 0.9
    silent = torch.zeros_like(click)
    reach = [
        float((f(click[:, -f.config.window_samples :]) - f(silent[:, -f.config.window_samples :])).abs().max())
        for f in (FrontEnd(short), FrontEnd(long))
    ]
    assert reach[0] == 0.0
    assert reach[1] > 1e-3


def test_mfcc_needs_bands_for_its_coefficients() -> None:
    with pytest.raises(TrainingError, match=r"mel_bands is 16; kind 'mfcc' .*at least 20"):
        FrontEndConfig(kind="mfcc", mel_bands=16)


@pytest.mark.parametrize("architecture", ["residual", "skip"])
def test_sub_pixels_start_equal_and_learn_apart(architecture: str) -> None:
    conditional = architecture == "residual"
    settings = ListenAndMoveConfig(
        rgb_upscale=2, channels_base=32, architecture=architecture, conditional_norm=conditional  # type: ignore[arg-type]
    )  # fmt: skip
    model = build_model(ModelConfig(image_size=16, front_end=FrontEndConfig(mel_bands=16), generator=settings))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    model.train()
    audio, noise = torch.randn(1, 2, model.window_samples), model.draw_noise(1, 2)
    frames, _, _ = model.clip(audio, noise, model.initial_state(1))
    assert frames.shape[-2:] == (16, 16)
    assert frames[..., ::2, ::2].std() > 1e-4
    for row, column in ((0, 1), (1, 0), (1, 1)):
        assert torch.equal(frames[..., row::2, column::2], frames[..., ::2, ::2])
    columns = torch.tensor([1.0, -1.0]).repeat(8)
    (frames * columns).mean().backward()
    optimiser.step()
    frames, _, _ = model.clip(audio, noise, model.initial_state(1))
    assert (frames[..., 1::2, 1::2] - frames[..., ::2, ::2]).abs().max() > 1e-4


def test_the_reference_start_is_that_of_its_code_and_he_keeps_the_prediction_orthogonal() -> None:
    models = {}
    for how in ("reference", "he"):
        torch.manual_seed(0)
        settings = ListenAndMoveConfig(channels_base=64, initialisation=how, motion_type="feedback")  # type: ignore[arg-type]
        models[how] = build_model(ModelConfig(image_size=16, generator=settings)).generator
    centre = {how: model.predictions["1"].cells["centre"].candidate for how, model in models.items()}  # type: ignore[index, union-attr]
    assert float(centre["reference"].weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    gram = centre["he"].weight.flatten(1) @ centre["he"].weight.flatten(1).T
    torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-5, rtol=0)
    encoder = models["reference"].motion.encoder
    assert encoder is not None
    assert float(encoder.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    assert float(models["reference"].motion.cells[0].weight_hh.detach().std()) > 0.05  # type: ignore[union-attr]
