"""A layered model from torch to the engine: parity of the composed frame, batches, fewer bits, Triton, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.core.errors import ModelFileError
from engine.model.backends.selection import open_backend
from engine.model.batching import StepBatcher
from engine.model.session import Session
from export.targets.layers import take_stored_textures
from export.targets.onnx.model import Form, export_model
from export.targets.torch.program import export_program
from export.targets.triton.config import Service
from export.targets.triton.repository import write_repository
from export.verification.graph import StepGraph
from export.verification.parity import PARITY_STEPS, probe_sound, windows
from export.verification.sound import made_sound
from export.verification.verdict import check_belongs, compare
from tests.engine.model.layered_probe import write_layered_probe
from tests.engine.model.test_layers import with_bytes
from tests.export.test_to_onnx import PROVENANCE
from tests.training.families.modal.test_model import moved_model
from tests.training.runs import small_config
from training.loop.checkpoint import LoadedGenerator


@pytest.fixture(scope="module")
def model():
    return moved_model(image_size="48x32")


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("layered") / "layered.onnx"
    # In 16 bits, which must leave the textures as they are.
    return path, export_model(model, PROVENANCE, path, Form(half=True, all_controls=True))


def test_the_composed_frame_is_torchs_over_64_carried_steps(model, exported):
    path, card = exported
    assert card.parity.steps == PARITY_STEPS
    assert card.parity.frame_max < 1e-4
    assert card.layers is not None
    assert len(card.layers.textures) == 2
    session = Session(open_backend(path, "onnx-cpu"))
    state = model.initial_state(1)
    sound = probe_sound(PARITY_STEPS * model.hop_samples, model.sample_rate_hz)
    for k, window in enumerate(windows(sound, model.window_samples, model.hop_samples, PARITY_STEPS)):
        with torch.no_grad():
            frame, _, state = model.step(torch.from_numpy(window)[None], {}, state)
        expected = ((frame[0] + 1.0) * 127.5).clamp(0.0, 255.0).permute(1, 2, 0).numpy()
        apart = np.abs(session.step(window, {}, k).pixels_HWC - expected)
        assert np.mean(apart.max(axis=-1) > 2.5) < 1e-3


def test_a_model_that_hears_the_past_and_is_guided_is_exported_exactly(tmp_path):
    model = moved_model(image_size="48x32", past_windows=2, past_steps=3, guidance=True)
    path = tmp_path / "past.onnx"
    card = export_model(model, PROVENANCE, path, Form(all_controls=True))
    assert card.parity.steps == PARITY_STEPS
    assert card.parity.frame_max < 1e-4
    assert {state.name for state in card.states} == {"resonance", "window_means", "heard"}
    assert "sound_guidance" in {control.name for control in card.controls}
    open_backend(path, "onnx-cpu")


def test_verification_compares_composed_frames(model, exported):
    path, card = exported
    verdict = compare(StepGraph(model), open_backend(path, "onnx-cpu"), card, made_sound(model.sample_rate_hz), 16)
    verdict.check(path)


@pytest.mark.parametrize(
    ("generator", "textures"),
    [
        ({"textures": 3}, "48x32, 48x32, 48x32 with flow, weights"),
        ({"texture_scale": 2}, "96x64, 96x64 with flow, weights"),
    ],
)
def test_a_checkpoint_with_other_textures_is_refused_in_one_sentence(exported, generator, textures):
    path, card = exported
    other = moved_model(image_size="48x32", **generator)
    loaded = LoadedGenerator(other, small_config(), 0, PROVENANCE)
    with pytest.raises(
        ModelFileError, match="was not made from run: its set of textures is 48x32, 48x32 with"
    ) as refused:
        check_belongs(card, loaded, path, Path("run"))
    assert f"the checkpoint's is {textures}" in str(refused.value)


def test_a_checkpoint_with_the_same_textures_belongs(exported, model):
    path, card = exported
    check_belongs(card, LoadedGenerator(model, small_config(), 0, PROVENANCE), path, Path("run"))


def test_triton_gets_no_faulty_texture(tmp_path):
    path = write_layered_probe(tmp_path / "faulty.onnx", with_bytes(b"GIF89a"), {"texture_0": b"GIF89a"})
    with pytest.raises(ModelFileError, match="texture 'texture_0' is no PNG of 8-bit RGB"):
        write_repository(path, tmp_path / "served", Service())
    assert not (tmp_path / "served").exists()


def test_textures_too_large_for_png_are_stored_with_a_loss_that_torch_shares(model, tmp_path, monkeypatch):
    monkeypatch.setattr("export.targets.layers.MOST_PNG_BYTES", 100)
    own = copy.deepcopy(model)
    card = export_model(own, PROVENANCE, tmp_path / "lossy.onnx", Form(all_controls=True))
    assert card.parity.frame_max < 1e-4
    step = Session(open_backend(tmp_path / "lossy.onnx", "onnx-cpu")).step(
        np.zeros(own.window_samples, np.float32), {}, 0
    )
    textures = step.layers.textures
    for pixels, levels, before in zip(textures, own.texture_levels, model.texture_levels, strict=True):
        np.testing.assert_array_equal(pixels, levels.permute(1, 2, 0).numpy())
        assert not torch.equal(levels, before)
    again = copy.deepcopy(model)
    assert 0.0 < take_stored_textures(again, tmp_path / "lossy.onnx", card.layers) < 3.0
    assert torch.equal(again.texture_levels[1], own.texture_levels[1])


def test_slots_of_a_batch_get_the_frames_that_they_would_get_alone(model, exported, tmp_path):
    export_model(model, PROVENANCE, tmp_path / "two.onnx", Form(batch=2, half=True, all_controls=True))
    batcher = StepBatcher(open_backend(tmp_path / "two.onnx", "onnx-cpu"), patience_s=0.0)
    sound = probe_sound(8 * model.hop_samples, model.sample_rate_hz)
    slot, other = batcher.join(), batcher.join()
    together, alone = Session(other), Session(open_backend(exported[0], "onnx-cpu"))
    for k, window in enumerate(windows(sound, model.window_samples, model.hop_samples, 8)):
        frame, expected = together.step(window, {}, k), alone.step(window, {}, k)
        np.testing.assert_array_equal(frame.pixels_HWC, expected.pixels_HWC)
        np.testing.assert_array_equal(frame.layers.fields["flow"], expected.layers.fields["flow"])
    assert slot.index == 0


def test_torch_programs_have_no_place_for_textures(model, tmp_path):
    with pytest.raises(ModelFileError, match=r"only .onnx files hold textures"):
        export_program(model, PROVENANCE, tmp_path / "layered.pt2")


def test_triton_gets_fields_textures_and_a_client_that_composes(model, exported, tmp_path):
    path, card = exported
    write_repository(path, tmp_path / "served", Service())
    config = (tmp_path / "served" / card.name / "config.pbtxt").read_text()
    assert 'name: "flow"' in config
    assert 'name: "frame"' not in config
    stored = cv2.imread(str(tmp_path / "served" / card.name / "textures" / "texture_1.png"))[..., ::-1]
    np.testing.assert_array_equal(stored, model.texture_levels[1].permute(1, 2, 0).numpy())
    guide = (tmp_path / "served" / "README.md").read_text()
    code = guide.split("## Composing")[1].split("```python")[1].split("```")[0]
    client: dict[str, object] = {}
    exec(
        code.replace('f"modal/', f'f"{tmp_path}/served/modal/'), client
    )  # the client of the guide, as a reader would run it
    backend = open_backend(path, "onnx-cpu")
    frame = Session(backend).step(probe_sound(model.window_samples, model.sample_rate_hz), {}, 0)
    np.testing.assert_allclose(client["compose"](frame.layers.fields), frame.pixels_HWC, atol=1)
