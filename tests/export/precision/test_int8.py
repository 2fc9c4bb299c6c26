"""int8: which convolutions, on which sound, and that frames survive it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from engine.core.errors import MediaError, ModelFileError, TrainingError
from export.precision import int8
from export.precision.calibration import Calibration, calibrate
from export.precision.int8 import LEAST_PSNR_DB, convolutions, fold_constants, quantise, quantise_faithfully
from export.verification.drift import measure_drift
from export.verification.players import OnnxPlayer, TorchPlayer
from export.verification.sound import made_sound, read_real_sound
from tests.export.precise import program, sound_file, traced
from tests.training.clips import RATE_HZ, write_wav


@pytest.fixture(scope="module")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    return calibrate(program(), traced()[0], sound_file(tmp_path_factory.mktemp("sound")), samples=8)


def test_frames_stay_alike_and_the_file_shrinks(calibration: Calibration) -> None:
    graph, whole = traced()[0], program()
    quantised = quantise_faithfully(whole, calibration, graph)
    onnx.checker.check_model(quantised, full_check=True)
    assert whole == program()
    assert quantised.ByteSize() < 0.6 * whole.ByteSize()
    sound = made_sound(RATE_HZ)
    (end,) = measure_drift(graph, TorchPlayer(graph), OnnxPlayer(graph, quantised), sound, (16,))
    assert 38 < end.psnr_db < 100
    names = [[value.name for value in side] for side in (quantised.graph.input, quantised.graph.output)]
    assert names == [graph.input_names, graph.output_names]


def test_kernels_that_are_put_together_become_weights_and_narrow_ones_stay() -> None:
    folded = fold_constants(program())
    shapes = {constant.name: tuple(constant.dims) for constant in folded.graph.initializer}
    weights = {node.name: shapes[node.input[1]] for node in folded.graph.node if node.op_type == "Conv"}
    chosen = convolutions(folded)
    assert 0 < len(chosen) < len(weights)
    for name, shape in weights.items():
        colours = shape[0] == 3
        assert (name in chosen) == (min(shape[:2]) >= 32 and max(shape[2:]) > 1 and not colours)


def test_unsigned_frames_and_weights_by_channel(calibration: Calibration) -> None:
    """What both ONNX Runtime and OpenVINO turn into integer convolutions."""
    folded = fold_constants(program())
    quantised = quantise(folded, calibration, convolutions(folded))
    constants = {constant.name: constant for constant in quantised.graph.initializer}
    producers = {name: node for node in quantised.graph.node for name in node.output}
    for node in quantised.graph.node:
        if node.op_type == "QuantizeLinear":
            assert constants[node.input[2]].data_type == onnx.TensorProto.UINT8
        if node.op_type == "Conv" and producers.get(node.input[1]) is not None:
            widened = producers[node.input[1]]
            assert constants[widened.input[0]].data_type == onnx.TensorProto.INT8
            assert len(constants[widened.input[1]].dims) == 1


def test_calibration_hears_carried_states(calibration: Calibration) -> None:
    first, *_, last = calibration.inputs
    assert all(not first[name].any() for name in traced()[0].state_names)
    assert all(last[name].any() for name in traced()[0].state_names)
    assert np.abs(first["audio"]).max() > 0
    assert calibration.description == "sound.wav, 3.0 s, 8 steps with carried states"


def test_bad_sounds_are_refused(tmp_path: Path) -> None:
    graph, whole = traced()[0], program()
    with pytest.raises(TrainingError, match="There is no sound file"):
        calibrate(whole, graph, tmp_path / "absent.wav")
    silent = write_wav(tmp_path / "silent.wav", np.zeros(3 * RATE_HZ, np.float32))
    with pytest.raises(TrainingError, match="is silent"):
        calibrate(whole, graph, silent)
    with pytest.raises(TrainingError, match=r"lasts 1\.0 s; at least 2 s"):
        calibrate(whole, graph, sound_file(tmp_path, 1.0))
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(MediaError, match="not a"):
        calibrate(whole, graph, tmp_path / "text.wav")
    with pytest.raises(TrainingError, match="at least 1"):
        calibrate(whole, graph, sound_file(tmp_path), samples=0)


def test_a_model_too_narrow_to_gain_is_refused(calibration: Calibration) -> None:
    kernel = numpy_helper.from_array(np.ones((3, 8, 3, 3), np.float32), "kernel")
    node = onnx.helper.make_node("Conv", ["x", "kernel"], ["frame"], name="only")
    sides = [onnx.helper.make_tensor_value_info(n, 1, (1, c, s, s)) for n, c, s in (("x", 8, 6), ("frame", 3, 4))]
    graph = onnx.helper.make_graph([node], "narrow", sides[:1], sides[1:], [kernel])
    narrow = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    with pytest.raises(ModelFileError, match="no convolution that int8 can speed up"):
        quantise_faithfully(narrow, calibration, traced()[0])


def test_early_convolutions_are_given_up_until_the_frames_are_good(
    calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, whole = traced()[0], program()

    def products(least_db: float) -> int:
        monkeypatch.setattr(int8, "LEAST_PSNR_DB", least_db)
        quantised = quantise_faithfully(whole, calibration, graph)
        kinds = {c.name: c.data_type for c in quantised.graph.initializer}
        return sum(kinds.get(n.input[0]) == onnx.TensorProto.INT8 for n in quantised.graph.node if n.input)

    counts = [products(0.0), products(LEAST_PSNR_DB)]
    assert counts[0] >= counts[1] > 0
    with pytest.raises(ModelFileError, match="gives frames of only"):
        products(101.0)


def test_a_sound_is_played_over_and_over(tmp_path: Path) -> None:
    sound = read_real_sound(sound_file(tmp_path, 0.5), RATE_HZ)
    hop, window = 800, 1360
    assert not sound.window(0, window, hop)[: window - hop].any()
    np.testing.assert_array_equal(sound.window(0, window, hop)[-hop:], sound.sound_T[:hop])
    loop = len(sound.sound_T) // hop
    np.testing.assert_array_equal(sound.window(3 + loop, window, hop), sound.window(3, window, hop))
