"""What the discriminators learn in a turn, and what holds them back."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.training.runs import MODEL, small_config
from training.core.random_state import RandomState
from training.data.video import Clip
from training.families.listen_and_move.discriminator import DiscriminatorConfig
from training.loop.adversarial_trainer import adversarial_losses
from training.loop.checkpoint import read_checkpoint, write_checkpoint
from training.loop.config import OptimiserConfig, TrainConfig
from training.loop.trainer import build_trainer
from training.losses.adversarial import IMAGE, VIDEO, AdversarialLosses, Sound
from training.losses.losses import LossConfig, fake_loss, gradient_penalty, pairing_loss, real_loss, slope_penalty

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
HINGE = LossConfig(adversarial="hinge")
SOUND_CONDITIONED = DiscriminatorConfig(channels_base=16, hears=True)


def build_losses(losses: LossConfig, **settings: object) -> AdversarialLosses:
    torch.manual_seed(0)
    return adversarial_losses(small_config(losses, **settings), CPU)


def batch(streams: int = 1, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    real, fake = torch.rand(2, streams, 4, 3, 16, 16, generator=generator) * 2 - 1
    return real, fake


def gradients(adversarial: AdversarialLosses, name: str, step: int = 0) -> Tensor:
    adversarial.steps = step
    adversarial.learn(*batch(), 1, RandomState(0))
    return torch.cat([p.grad.flatten() for p in adversarial.discriminators[name].parameters() if p.grad is not None])


def test_a_turn_is_the_sum_of_its_definitions() -> None:
    losses = LossConfig(adversarial="wgan-gp")
    real, fake = batch()
    random_state, adversarial = RandomState(0), build_losses(losses).discriminators
    order = random_state.order(4)
    pairs = [(VIDEO, real, fake), (VIDEO, real, real[:, order]), (IMAGE, real[:, 1], fake[:, 1])]
    for name, one, other in pairs:
        scores = adversarial[name](one), adversarial[name](other)
        loss = real_loss("wgan-gp", scores[0]) + fake_loss("wgan-gp", scores[1])
        penalty = gradient_penalty(adversarial[name], [one], [other], random_state.per_stream())
        (loss + losses.gradient_penalty * penalty).backward()
    for name in (VIDEO, IMAGE):
        expected = torch.cat([p.grad.flatten() for p in adversarial[name].parameters() if p.grad is not None])
        torch.testing.assert_close(gradients(build_losses(losses), name), expected, rtol=1e-3, atol=1e-4)


def test_a_turn_of_pairs_is_the_sum_of_its_definitions() -> None:
    """arXiv 2501.05441: pairs of real and generated frames, R1 at the real and R2 at the generated ones, each halved."""
    losses = LossConfig(adversarial="relativistic", r1=2.0, r2=3.0)
    real, fake = batch(streams=2)
    random_state, adversarial = RandomState(0, streams=2), build_losses(losses).discriminators
    order = random_state.order(4)
    for name, one, generated, others in (
        (VIDEO, real, fake, [real[:, order]]),
        (IMAGE, real[:, 1], fake[:, 1], []),
    ):
        one, generated = one.clone().requires_grad_(True), generated.clone().requires_grad_(True)
        scores, fake_scores = adversarial[name](one), adversarial[name](generated)
        loss = functional.softplus(fake_scores - scores).mean()
        for other in others:
            loss = loss + functional.softplus(adversarial[name](other) - scores).mean()
        for weight, frames, found in ((losses.r1, one, scores), (losses.r2, generated, fake_scores)):
            (slope,) = torch.autograd.grad(found.flatten(1).mean(dim=1).sum(), frames, create_graph=True)
            loss = loss + weight / 2 * slope.flatten(1).square().sum(dim=1).mean()
        loss.backward()
    for name in (VIDEO, IMAGE):
        expected = torch.cat([p.grad.flatten() for p in adversarial[name].parameters() if p.grad is not None])
        ours = build_losses(losses)
        ours.learn(real, fake, 1, RandomState(0, streams=2))
        found = torch.cat([p.grad.flatten() for p in ours.discriminators[name].parameters() if p.grad is not None])
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_the_generator_of_pairs_wants_its_frames_above_the_real_ones() -> None:
    real, fake = batch(streams=2)
    adversarial = build_losses(LossConfig(adversarial="relativistic"))
    terms = adversarial.generator_terms(real, fake.requires_grad_(True), 1, RandomState(0, streams=2))
    with torch.no_grad():
        scores = {VIDEO: (real, fake), IMAGE: (real[:, 1], fake[:, 1])}
        for name, (one, generated) in scores.items():
            discriminator = adversarial.discriminators[name]
            expected = functional.softplus(discriminator(one) - discriminator(generated)).mean()
            torch.testing.assert_close(terms[f"g_{name}"][1].detach(), expected)
    sum((loss for _, loss in terms.values()), torch.zeros(())).backward()
    assert fake.grad is not None
    assert (fake.grad.abs().sum(dim=(2, 3, 4)) > 0).all()


def test_pairs_with_penalties_meet_where_they_would_circle_without() -> None:
    """The score is slope * x, the only real x is 0 (arXiv 1801.04406); theorem 3.1 of arXiv 2501.05441 is about its surroundings."""

    def distance(penalty: float) -> float:
        slope, place = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
        for _ in range(200):
            real, fake = torch.zeros(1, 1, requires_grad=True), place.detach()[None].requires_grad_(True)
            scores, fake_scores = slope * real, slope * fake
            loss = pairing_loss(scores, fake_scores)
            loss = loss + penalty * (slope_penalty(scores, real) + slope_penalty(fake_scores, fake))
            (of_slope,) = torch.autograd.grad(loss, slope)
            (of_place,) = torch.autograd.grad(pairing_loss(slope.detach() * place, torch.zeros(1)), place)
            with torch.no_grad():
                slope -= 0.2 * of_slope
                place -= 0.2 * of_place
        return float(place.detach().abs())

    assert distance(penalty=0.5) < 0.05 < distance(penalty=0.0)


def test_options_that_are_off_draw_no_random_numbers() -> None:
    random_state, expected = RandomState(0), RandomState(0)
    adversarial = build_losses(HINGE)
    adversarial.learn(*batch(), 1, random_state)
    adversarial.generator_terms(*batch(), 1, random_state)
    expected.order(4)
    assert torch.equal(random_state.state(), expected.state())


@pytest.mark.parametrize("losses", [LossConfig(adversarial="wgan-gp"), replace(HINGE, r1=300.0)])
@pytest.mark.parametrize("name", [IMAGE, VIDEO])
def test_a_lazy_penalty_is_rarer_and_as_much_stronger(losses: LossConfig, name: str) -> None:
    without = replace(losses, r1=0.0, gradient_penalty=0.0)
    plain, always = gradients(build_losses(without), name), gradients(build_losses(losses), name)
    lazy = replace(losses, penalty_interval=4)
    over_four_turns = [gradients(build_losses(lazy), name, turn) - plain for turn in range(4)]
    penalty = always - plain
    assert penalty.norm() > 0.01 * plain.norm()
    torch.testing.assert_close(sum(over_four_turns, torch.zeros(())) / 4, penalty, rtol=1e-3, atol=1e-4)
    assert all(torch.allclose(turn, torch.zeros(()), atol=1e-5) for turn in over_four_turns[1:])


@pytest.mark.parametrize("kind", ["wgan-gp", "wgan", "hinge", "ns", "ls", "bce", "relativistic"])
def test_r1_and_r2_go_with_every_loss(kind: str) -> None:
    adversarial = build_losses(LossConfig(adversarial=kind, r1=1.0, r2=1.0, penalty_interval=2))  # type: ignore[arg-type]
    first, second = (adversarial.learn(*batch(), 1, RandomState(0)) for _ in range(2))
    penalties = {"d_image_r1", "d_video_r1", "d_image_r2", "d_video_r2"}
    assert penalties <= first.keys()
    assert not penalties & second.keys()
    assert all(value.isfinite() for value in (*first.values(), *second.values()))


def test_the_generator_learns_through_augmentation_and_the_discriminators_do_not_learn_in_its_turn() -> None:
    adversarial = build_losses(replace(HINGE, augment=("colour", "translation", "cutout", "flip")))
    real, fake = batch(streams=2)
    random_state = RandomState(0, streams=2)
    adversarial.learn(real, fake, 1, random_state)
    before = {
        n: [p.grad.clone() for p in d.parameters() if p.grad is not None] for n, d in adversarial.discriminators.items()
    }
    fake.requires_grad_(True)
    for _, loss in adversarial.generator_terms(real, fake, 1, random_state).values():
        loss.backward()
    assert fake.grad is not None
    assert (fake.grad.abs().sum(dim=(2, 3, 4)) > 0).all()
    for name, discriminator in adversarial.discriminators.items():
        now = [p.grad for p in discriminator.parameters() if p.grad is not None]
        assert all(torch.equal(a, b) for a, b in zip(now, before[name], strict=True))


def test_two_processes_with_a_stream_each_see_what_one_with_two_streams_sees() -> None:
    losses = replace(HINGE, augment=("colour", "translation", "cutout"))
    real, _ = batch(streams=2)
    shown = build_losses(losses).augmented(VIDEO, real, RandomState(0, streams=2))
    for stream in range(2):
        own = build_losses(losses).augmented(
            VIDEO, real[stream : stream + 1], RandomState(0, streams=2, first=stream, own=1)
        )
        torch.testing.assert_close(own[0], shown[stream])


def toy(streams: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return sequences as bright as they are loud, their sound and another sound."""
    loudness, other = torch.rand(2, streams, 4, 1, generator=generator)
    frames = (loudness * 2 - 1)[..., None, None].expand(-1, -1, 3, 16, 16)
    return frames + 0.05 * torch.randn(frames.shape, generator=generator), loudness, other


def test_a_sound_conditioned_discriminator_learns_which_sound_belongs_to_a_frame() -> None:
    front_end = replace(MODEL.front_end, mel_bands=1)
    config = small_config(
        LossConfig(adversarial="hinge", adversarial_image=0.0),
        model=replace(MODEL, front_end=front_end),
        discriminator=DiscriminatorConfig(channels_base=32, norm="none", hears=True),
        optimiser=OptimiserConfig(lr_discriminator=1e-2, betas=(0.5, 0.99)),
    )
    torch.manual_seed(0)
    adversarial, random_state, generator = (
        adversarial_losses(config, CPU),
        RandomState(0, 8),
        torch.Generator().manual_seed(1),
    )
    mismatch = []
    for _ in range(120):
        real, own, other = toy(8, generator)
        terms = adversarial.learn(
            real, torch.randn(real.shape, generator=generator), 0, random_state, Sound(own, other)
        )
        mismatch.append(float(terms["d_video_mismatch"]))
    assert {"d_video_generated", "d_video_order", "d_video_mismatch"} <= terms.keys()
    assert sum(mismatch[-10:]) < 0.8 * sum(mismatch[:10])
    real, own, other = toy(64, generator)
    with torch.no_grad():
        right, wrong = (adversarial.discriminators[VIDEO](real, sound).mean(dim=(1, 2, 3, 4)) for sound in (own, other))
    assert float((right > wrong).float().mean()) > 0.8


def memorising(losses: LossConfig, turns: int) -> tuple[AdversarialLosses, list[dict[str, Tensor]]]:
    """Train on one sequence of noise, with another one held out."""
    adversarial, random_state = (
        build_losses(losses, discriminator=DiscriminatorConfig(channels_base=64)),
        RandomState(0),
    )
    adversarial.hold_out(batch(seed=5)[0].repeat(2, 1, 1, 1, 1), torch.zeros(2, 4, 1))
    real = batch()[0]
    return adversarial, [adversarial.learn(real, batch(seed=10 + turn)[1], 1, random_state) for turn in range(turns)]


def test_a_discriminator_that_learns_by_heart_is_found_out_and_augmented() -> None:
    losses = replace(HINGE, overfitting_target=0.6, overfitting_interval=2, overfitting_ramp=20, augment=("flip",))
    adversarial, terms = memorising(losses, 40)
    assert float(terms[-1]["overfitting_image"]) > 0.8
    assert adversarial.probabilities[IMAGE] == pytest.approx(float(terms[-1]["augment_probability_image"]))
    assert adversarial.probabilities[IMAGE] > 0.5
    assert "score_training_video" not in terms[0]
    assert {f"score_{what}_video" for what in ("training", "heldout", "generated")} <= terms[1].keys()


def test_augmentation_starts_at_0_where_it_adapts_and_is_what_it_is_elsewhere() -> None:
    losses = replace(HINGE, augment=("colour",), augment_probability=0.7)
    assert build_losses(losses).probabilities == {IMAGE: 0.7, VIDEO: 0.7}
    assert build_losses(replace(losses, overfitting_target=0.6)).probabilities == {IMAGE: 0.0, VIDEO: 0.0}


def everything(**settings: object) -> TrainConfig:
    losses = LossConfig(
        adversarial="ns",
        adversarial_image=0.1,
        adversarial_video=0.1,
        l1=1.0,
        r1=1.0,
        penalty_interval=2,
        augment=("colour", "cutout"),
        overfitting_target=0.3,
        overfitting_interval=3,
        overfitting_ramp=12,
    )
    return small_config(losses, discriminator=SOUND_CONDITIONED, **settings)


def test_resuming_with_every_option_is_as_if_never_stopped(clip: Clip, tmp_path: Path) -> None:
    whole, stopped = (
        build_trainer(everything(total_iterations=7), clip),
        build_trainer(everything(total_iterations=7), clip),
    )
    terms = [whole.step() for _ in range(7)]
    assert {"d_video_mismatch", "overfitting_video", "d_image_r1"} <= {name for t in terms for name in t}
    for _ in range(4):
        stopped.step()
    write_checkpoint(tmp_path, stopped.checkpoint(0.0))
    resumed = build_trainer(everything(total_iterations=7), clip, read_checkpoint(tmp_path))
    for ours, theirs in zip([resumed.step() for _ in range(3)], terms[4:], strict=True):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    ours, theirs = resumed.tensors_of_losses(), whole.tensors_of_losses()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_checkpoint_from_before_these_options_starts_them_at_their_beginning() -> None:
    saved = {n: t for n, t in build_losses(HINGE).tensors().items() if not n.startswith("adversary.")}
    adversarial = build_losses(HINGE)
    adversarial.restore(saved)
    assert adversarial.steps == 0
    assert adversarial.probabilities == {IMAGE: 1.0, VIDEO: 1.0}
