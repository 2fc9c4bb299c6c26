"""The contract of every streaming model, in one call."""

from __future__ import annotations

import torch
from torch import Tensor

from training.core.streaming import Noise, State, StreamingModel

CLIP_TOLERANCE = 1e-5


def verify_contract(model: StreamingModel, steps: int = 9, batch: int = 2) -> None:
    """Fold of step == clip; cut and resume == whole; state untouched; shapes constant; the future cannot change the past."""
    model.eval()
    audio = 0.3 * torch.randn(batch, steps, model.window_samples, generator=torch.Generator().manual_seed(3))
    noise = model.draw_noise(batch, steps, torch.Generator().manual_seed(4))
    start = model.initial_state(batch)
    with torch.no_grad():
        whole, features, last = model.clip(audio, noise, start)
        assert_untouched(start, model.initial_state(batch))
        assert features.shape[:2] == whole.shape[:2] == (batch, steps)
        assert_fold_is_clip(model, audio, noise, whole, last)
        for cut in (1, steps // 2, steps - 1):
            assert_resumes(model, audio, noise, whole, last, cut)
        changed = audio.clone()
        changed[:, -1] = 0.0
        other, _, _ = model.clip(changed, noise, start)
        torch.testing.assert_close(other[:, :-1], whole[:, :-1], rtol=0, atol=CLIP_TOLERANCE)


def assert_fold_is_clip(model: StreamingModel, audio: Tensor, noise: Noise, whole: Tensor, last: State) -> None:
    """Step one by one; every frame and the final state must be those of clip."""
    state = model.initial_state(audio.shape[0])
    for t in range(audio.shape[1]):
        before = {name: value.clone() for name, value in state.items()}
        frame, _, following = model.step(audio[:, t], at(noise, slice(t, t + 1), squeeze=True), state)
        assert_untouched(state, before)
        assert {n: (v.shape, v.dtype) for n, v in following.items()} == {
            n: (v.shape, v.dtype) for n, v in state.items()
        }
        torch.testing.assert_close(frame, whole[:, t], rtol=0, atol=CLIP_TOLERANCE)
        state = following
    for name in last:
        torch.testing.assert_close(state[name], last[name], rtol=0, atol=CLIP_TOLERANCE)


def assert_resumes(model: StreamingModel, audio: Tensor, noise: Noise, whole: Tensor, last: State, cut: int) -> None:
    """Playing up to `cut` and then the rest must give the frames and the state of the whole."""
    first, _, state = model.clip(audio[:, :cut], at(noise, slice(0, cut)), model.initial_state(audio.shape[0]))
    second, _, state = model.clip(audio[:, cut:], at(noise, slice(cut, None)), state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=0, atol=CLIP_TOLERANCE)
    for name in last:
        torch.testing.assert_close(state[name], last[name], rtol=0, atol=CLIP_TOLERANCE)


def at(noise: Noise, steps: slice, squeeze: bool = False) -> dict[str, Tensor]:
    """Take the noise of some steps."""
    return {name: values[:, steps].squeeze(1) if squeeze else values[:, steps] for name, values in noise.items()}


def assert_untouched(state: State, before: State) -> None:
    """The state given to a call must be bit for bit what it was."""
    assert state.keys() == before.keys()
    for name in state:
        assert torch.equal(state[name], before[name])
