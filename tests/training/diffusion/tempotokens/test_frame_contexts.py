"""Pseudo-tokens among the words: compared with a text encoder whose table of words has a row more for each of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.tempotokens_tiny import TEXT, WIDTH, draw_weights, write_tokenizer
from training.diffusion import stable_diffusion
from training.diffusion.tempotokens.audio_mapper import PSEUDO_TOKENS
from training.diffusion.tempotokens.frame_contexts import Prompt, Tokenizer, contexts, read_prompt

FRAMES = 3


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, TEXT["vocab_size"])
    return stable_diffusion.tokenizer_of(folder)


def encoder() -> nn.Module:
    return draw_weights(stable_diffusion.text_encoder_from(TEXT), 3)


def pseudo() -> Tensor:
    return torch.randn(FRAMES, PSEUDO_TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))


def test_a_prompt_is_begin_text_pseudo_tokens_end_and_padding(tokenizer: Tokenizer) -> None:
    prompt = read_prompt(tokenizer, "Owl", True)
    ids = prompt.ids_L.tolist()
    assert len(ids) == 77
    assert ids[0] == 518
    assert prompt.pseudo_places == slice(4, 10)
    assert ids[1:4] == tokenizer.encode("owl", add_special_tokens=False)
    assert ids[10] == 519
    assert set(ids[11:]) == {0}
    assert read_prompt(tokenizer, "", False).ids_L.tolist() == [518, 519, *[0] * 75]
    assert prompt.cut == ""


def test_too_long_a_text_loses_its_end_and_no_pseudo_token(tokenizer: Tokenizer) -> None:
    prompt = read_prompt(tokenizer, "a" * 69 + "bcd", True)
    assert prompt.pseudo_places == slice(70, 76)
    assert prompt.ids_L[76] == 519
    assert prompt.cut == "bcd"
    assert read_prompt(tokenizer, "a" * 69 + "bcd", False).cut == ""


@torch.no_grad()
def test_pseudo_tokens_stand_for_words(tokenizer: Tokenizer) -> None:
    prompt = read_prompt(tokenizer, "owl", True)
    found = contexts(encoder(), prompt, pseudo())
    assert found.shape == (FRAMES, 77, WIDTH)
    for frame, tokens in enumerate(pseudo()):
        longer = encoder()
        longer.resize_token_embeddings(TEXT["vocab_size"] + PSEUDO_TOKENS)
        longer.get_input_embeddings().weight[TEXT["vocab_size"] :] = tokens
        ids = prompt.ids_L.clone()
        ids[prompt.pseudo_places] = torch.arange(TEXT["vocab_size"], TEXT["vocab_size"] + PSEUDO_TOKENS)
        expected = longer(ids[None]).last_hidden_state[0]
        torch.testing.assert_close(found[frame], expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_text_encoder_is_left_as_it_was(tokenizer: Tokenizer) -> None:
    text_encoder, prompt = encoder(), read_prompt(tokenizer, "owl", True)
    before = contexts(text_encoder, prompt)
    contexts(text_encoder, prompt, pseudo())
    assert torch.equal(contexts(text_encoder, prompt), before)
    assert before.shape == (1, 77, WIDTH)


@torch.no_grad()
def test_many_frames_go_through_in_parts(tokenizer: Tokenizer) -> None:
    prompt, many = read_prompt(tokenizer, "", True), pseudo().repeat(9, 1, 1)
    found = contexts(encoder(), prompt, many)
    torch.testing.assert_close(found[24:], contexts(encoder(), prompt, pseudo()), rtol=0, atol=1e-5)


def test_gradients_reach_the_pseudo_tokens(tokenizer: Tokenizer) -> None:
    given = pseudo().requires_grad_()
    contexts(encoder(), Prompt(torch.full((77,), 519), slice(1, 7), ""), given).square().sum().backward()
    assert given.grad is not None
    assert (given.grad.abs().sum(dim=-1) > 0).all()
