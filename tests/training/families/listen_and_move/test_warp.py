"""The warp bends what it should, starts at the clip's own motion, and costs nothing before it has learned."""

import torch

from training.core.frame_size import FrameSize
from training.families.listen_and_move.warp import FLOW_SIDE, Warp, key_frame

INPUTS = 5


def sliding_square(shifts: list[int], size: int = 64) -> torch.Tensor:
    """Return frames [T, 3, S, S] in [-1, 1] of a soft square on a soft ground, moved right by `shifts` pixels."""
    places = torch.arange(size).float()
    ground = 0.2 * torch.sin(places[None] / 5.0) * torch.cos(places[:, None] / 7.0)
    frames = []
    for shift in shifts:
        along = torch.exp(-(((places - size / 2 - shift) / 8.0) ** 2))
        across = torch.exp(-(((places - size / 2) / 8.0) ** 2))
        frames.append((ground + along[None] * across[:, None]).clamp(-1, 1))
    return torch.stack(frames)[:, None].expand(-1, 3, -1, -1).contiguous()


def test_without_flow_the_frame_stays_as_it_is() -> None:
    warp, frame = Warp(FrameSize(16, 16), 3, INPUTS), torch.randn(1, 3, 16, 16)
    out = warp(torch.randn(4, INPUTS), frame)
    assert out.shape == (4, 3, 16, 16)
    assert torch.allclose(out, frame.expand(4, -1, -1, -1), atol=1e-5)


def test_a_constant_flow_shifts_by_whole_pixels_and_repeats_the_edge() -> None:
    warp, frame = Warp(FrameSize(16, 16), 1, INPUTS), torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        warp.flows[0, 0] = 2 * 3 / 16
        warp.mix[2].weight.zero_()
        warp.mix[2].bias.fill_(1.0)
        out = warp(torch.randn(1, INPUTS), frame)
    assert torch.allclose(out[..., :13], frame[..., 3:], atol=1e-5)
    assert torch.allclose(out[..., 13:], frame[..., -1:].expand(-1, -1, -1, 3), atol=1e-5)


def test_flow_is_in_shares_of_each_side_of_a_frame_of_any_shape() -> None:
    warp, frame = Warp(FrameSize(16, 32), 1, INPUTS), torch.randn(1, 3, 16, 32)
    assert warp.flows.shape == (1, 2, 23, 45)
    with torch.no_grad():
        warp.flows[0, 0], warp.flows[0, 1] = 2 * 3 / 32, 2 * 2 / 16
        warp.mix[2].weight.zero_()
        warp.mix[2].bias.fill_(1.0)
        out = warp(torch.randn(1, INPUTS), frame)
    assert torch.allclose(out[..., :14, :29], frame[..., 2:, 3:], atol=1e-5)


def test_it_starts_at_the_motion_of_a_wide_clip() -> None:
    frames = torch.nn.functional.pad(sliding_square([-6, -3, 0, 3, 6]), (32, 32, 0, 0), mode="replicate")
    warp = Warp(FrameSize(64, 128), 1, INPUTS)
    key = warp.start_from(frames)
    warp.mix = torch.nn.Sequential(torch.nn.Identity())
    best = torch.full((len(frames),), float("inf"))
    for amount in torch.linspace(-3, 3, 61):
        bent = warp(torch.tensor([[float(amount)]]), key[None])
        best = torch.minimum(best, (bent - frames).abs().mean(dim=(1, 2, 3)))
    assert best.mean() < 0.5 * (key - frames).abs().mean()


def test_it_starts_at_the_motion_of_the_clip() -> None:
    shifts = [-6, -4, -2, 0, 2, 4, 6]
    frames = sliding_square(shifts)
    warp = Warp(FrameSize(64, 64), 2, INPUTS)
    key = warp.start_from(frames)
    assert torch.equal(key, frames[3])
    flow = warp.flows.detach()
    along, across = flow[0, 0].abs().max(), flow[0, 1].abs().max()
    assert along > 3 * across
    # One field, with the right amounts, must explain most of what moves.
    best = torch.full((len(frames),), float("inf"))
    warp.mix = torch.nn.Sequential(torch.nn.Identity())
    for amount in torch.linspace(-3, 3, 61):
        bent = warp(torch.tensor([[float(amount), 0.0]]), key[None])
        best = torch.minimum(best, (bent - frames).abs().mean(dim=(1, 2, 3)))
    assert best.mean() < 0.5 * (key - frames).abs().mean()


def test_the_key_frame_is_the_one_nearest_to_all() -> None:
    frames = torch.stack([torch.full((3, FLOW_SIDE, FLOW_SIDE), value) for value in (-1.0, 0.1, 0.2, 0.9)])
    assert float(key_frame(frames).mean()) in {float(frames[1].mean()), float(frames[2].mean())}


def test_it_learns_which_sound_bends_how() -> None:
    torch.manual_seed(0)
    warp = Warp(FrameSize(64, 64), 2, 1)
    frames = sliding_square([-6, -3, 0, 3, 6])
    key = warp.start_from(frames)
    heard = torch.linspace(-1, 1, 5)[:, None]
    optimiser = torch.optim.Adam(warp.mix.parameters(), lr=1e-2)
    first = last = None
    for _ in range(60):
        last = (warp(heard, key[None]) - frames).abs().mean()
        first = last.detach() if first is None else first
        optimiser.zero_grad()
        last.backward()
        optimiser.step()
    assert first is not None
    assert last is not None
    assert last < 0.5 * first
