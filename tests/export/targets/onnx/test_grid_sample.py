"""GridSample as gathers: the values of torch's own operator, at the edges and outside too."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.targets.onnx.grid_sample import gathered


class Sampled(nn.Module):
    def __init__(self, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners

    def forward(self, frame: Tensor, grid: Tensor) -> Tensor:
        return functional.grid_sample(
            frame, grid, mode="bilinear", padding_mode="border", align_corners=self.align_corners
        )


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("frames", [1, 3])
def test_gathers_give_what_torch_gives(align_corners: bool, frames: int) -> None:
    draw = torch.Generator().manual_seed(3)
    frame = torch.randn(frames, 5, 9, 14, generator=draw)
    # Beyond the frame on all sides, and exactly on its edges, corners and centres.
    grid = 3.0 * torch.rand(frames, 6, 7, 2, generator=draw) - 1.5
    grid[:, 0, :3, 0] = torch.tensor([-1.0, 0.0, 1.0])
    grid[:, 0, 3:6, 1] = torch.tensor([-1.0, 0.0, 1.0])
    grid[:, 1] = grid[:, 1].sign()
    module = Sampled(align_corners).eval()
    exported = torch.onnx.export(
        module,
        (frame, grid),
        dynamo=True,
        opset_version=18,
        input_names=["frame", "grid"],
        verbose=False,
        custom_translation_table={torch.ops.aten.grid_sampler.default: gathered},
    )
    assert exported is not None
    content = exported.model_proto.SerializeToString()
    assert "GridSample" not in {node.op_type for node in onnx.ModelProto.FromString(content).graph.node}
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (came,) = session.run(None, {"frame": frame.numpy(), "grid": grid.numpy()})
    np.testing.assert_allclose(came, module(frame, grid).numpy(), atol=2e-6)
    grid[0, 2, 3, 0] = torch.nan
    (came,) = session.run(None, {"frame": frame.numpy(), "grid": grid.numpy()})
    # The step goes on, and whoever looks at its values finds them.
    assert np.isnan(came[0, :, 2, 3]).all()
    assert np.isfinite(np.delete(came.reshape(frames, 5, 42)[0], 2 * 7 + 3, axis=1)).all()
