"""How a sound is cut, and which flags go together."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest

from engine.core.errors import TrainingError
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.filter_bank import BEATS
from training.diffusion.tempotokens.denoising import Sampling
from training.diffusion.tempotokens.settings import (
    FRAME_RATES,
    SEGMENT_FRAMES,
    Settings,
    add_arguments,
    cut_sound,
    settings_of,
)


def settings(**values: object) -> Settings:
    given = {"condition": "sound", "text": "", "negative": "", "mapper": "vggsound", "fps": 12, "sampling": Sampling()}
    return Settings(**given | values)  # type: ignore[arg-type]


def chosen(*words: str) -> Settings:
    parser = ArgumentParser()
    parser.add_argument("--steps", type=int, default=25)
    add_arguments(parser)
    return settings_of(parser.parse_args(words), save_memory=False)


@pytest.mark.parametrize("fps", FRAME_RATES)
def test_a_segment_gives_each_frame_as_many_tokens(fps: int) -> None:
    samples = round(settings(fps=fps).segment_s * BEATS.sample_rate_hz)
    tiny = Beats(
        BeatsConfig(16, encoder_layers=1, encoder_embed_dim=16, encoder_ffn_embed_dim=8, encoder_attention_heads=2)
    )
    assert tiny.token_count(samples) % SEGMENT_FRAMES == 0


def test_whole_segments_are_told_nothing() -> None:
    cut = cut_sound(4.0, settings())
    assert (cut.frames, cut.made, cut.segments, cut.notices) == (48, 48, 2, ())


def test_a_sound_that_ends_within_a_segment_is_padded() -> None:
    cut = cut_sound(2.5, settings())
    assert (cut.frames, cut.made, cut.segments) == (30, 30, 2)
    assert cut.notices == ("The sound is read in segments of 2 s; its 2.50 s are padded with silence to 4 s.",)


def test_a_sound_shorter_than_a_segment_keeps_its_first_frames() -> None:
    cut = cut_sound(0.5, settings())
    assert (cut.frames, cut.made, cut.segments) == (6, 24, 1)
    assert cut.notices[0].endswith("its 0.50 s are padded with silence to 2 s, and the first 6 of 24 frames are kept.")
    # A loop has no frames that could be left out.
    assert cut_sound(0.5, settings(sampling=Sampling(loop=True))).made == 6


def test_without_sound_nothing_is_padded() -> None:
    assert cut_sound(2.5, settings(condition="text", text="owl")).notices == ()


def test_too_short_a_sound_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"has 0\.050 s; at least one frame of 0\.083 s was expected"):
        cut_sound(0.05, settings())


def test_a_text_joins_the_sound() -> None:
    assert chosen().condition == "sound"
    assert chosen("--text", "owl").condition == "both"
    assert chosen("--text", "owl", "--condition", "sound").text == ""
    assert not chosen("--text", "owl", "--condition", "text").with_sound
    with pytest.raises(TrainingError, match="--condition is both and there is no text; add --text"):
        chosen("--condition", "both")
