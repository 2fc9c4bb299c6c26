"""One context a frame: pseudo-tokens stand among the words, and CLIP's text encoder reads them once for each frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from training.diffusion.tempotokens.audio_mapper import PSEUDO_TOKENS

# F frames, P pseudo-tokens of a frame, L tokens of a text, C channels of a word

MOST_FRAMES_AT_ONCE = 24
"""Through the text encoder, so that a long clip needs no more memory than a short one."""


class Tokenizer(Protocol):
    """What is used of transformers' CLIPTokenizer."""

    model_max_length: int
    bos_token_id: int
    eos_token_id: int
    pad_token_id: int

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text as the encoder reads it."""

    ids_L: Tensor
    pseudo_places: slice
    """Where the pseudo-tokens stand; empty without them."""
    cut: str
    """What of the text was left out because it is too long; empty when all of it is there."""


def read_prompt(tokenizer: Tokenizer, text: str, with_pseudo_tokens: bool) -> Prompt:
    """Return begin, text, pseudo-tokens, end, and padding up to the encoder's length. Too long a text loses its end."""
    words = tokenizer.encode(text, add_special_tokens=False) if text else []
    pseudo = PSEUDO_TOKENS if with_pseudo_tokens else 0
    room = tokenizer.model_max_length - 2 - pseudo
    kept, left = words[:room], words[room:]
    ids = [tokenizer.bos_token_id, *kept, *[tokenizer.eos_token_id] * pseudo, tokenizer.eos_token_id]
    ids += [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(ids))
    first = 1 + len(kept)
    cut = tokenizer.decode(left).strip() if left else ""
    return Prompt(torch.tensor(ids), slice(first, first + pseudo), cut)


def contexts(text_encoder: nn.Module, prompt: Prompt, pseudo_FPC: Tensor | None = None) -> Tensor:
    """Return the last hidden states of a prompt: [F, L, C], one for each frame of pseudo-tokens, or [1, L, C] without them."""
    device = next(text_encoder.parameters()).device
    ids_L = prompt.ids_L.to(device)
    if pseudo_FPC is None:
        return text_encoder(ids_L[None]).last_hidden_state
    found = list[Tensor]()
    for some_FPC in pseudo_FPC.split(MOST_FRAMES_AT_ONCE):
        with _pseudo_embeddings(text_encoder, prompt.pseudo_places, some_FPC.to(device)):
            found.append(text_encoder(ids_L.expand(len(some_FPC), -1)).last_hidden_state)
    return torch.cat(found)


@contextmanager
def _pseudo_embeddings(text_encoder: nn.Module, places: slice, pseudo_FPC: Tensor) -> Iterator[None]:
    """Put the pseudo-tokens in the place of the embeddings of the words at `places`, as long as this lasts."""

    def replaced(_module: nn.Module, _inputs: tuple[Tensor, ...], embeddings_FLC: Tensor) -> Tensor:
        return torch.cat(
            [
                embeddings_FLC[:, : places.start],
                pseudo_FPC.to(embeddings_FLC.dtype),
                embeddings_FLC[:, places.stop :],
            ],
            dim=1,
        )

    handle = text_encoder.get_input_embeddings().register_forward_hook(replaced)  # type: ignore[operator]
    try:
        yield
    finally:
        handle.remove()
