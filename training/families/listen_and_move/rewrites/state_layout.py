"""Layout of the states: the transposition from channels last to channels first as an operation of the graph.

OpenVINO computes with channels last and transposes its outputs with a slow general copy; a transposition that the graph asks for
takes a third of the time. Where channels come first anyway the pass costs a copy, so it is for OpenVINO only.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from training.core.streaming import StreamingModel

# B batch, D channels of the hidden state, H W rows and columns


class TurnedStates(nn.Module):
    """A video prediction whose next states pass through the order [B, H W, D]; values and shapes stay."""

    def __init__(self, prediction: Any) -> None:
        super().__init__()
        self.prediction = prediction

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch, as the card has them."""
        return self.prediction.state_shapes()

    def forward(self, x_BTCHW: Tensor, state: dict[str, Tensor], memory: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict and blend, then transpose."""
        blended, following = self.prediction(x_BTCHW, state, memory)
        return blended, {name: _turned(value) for name, value in following.items()}


def _turned(state_BDHW: Tensor) -> Tensor:
    batch, channels = state_BDHW.shape[:2]
    places_last = state_BDHW.permute(0, 2, 3, 1).reshape(batch, -1, channels)
    return places_last.permute(0, 2, 1).reshape(state_BDHW.shape)


def turn_states(model: StreamingModel) -> None:
    """Transpose the hidden states inside the graph, where that is fast."""
    predictions = model.generator.predictions
    for level in list(predictions):
        predictions[level] = TurnedStates(predictions[level])
