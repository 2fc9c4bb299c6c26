"""Layered models: the card, the textures in the file, composing on the processor, and a model that plays like any other."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from engine.core.errors import ModelFileError
from engine.model.backends.selection import open_backend
from engine.model.card import ModelCard
from engine.model.compositor import Compositor
from engine.model.file import read_card
from engine.model.layers import LayersSpec, finite_fields
from engine.model.session import Session
from engine.model.texture_heads import texture_head
from engine.model.textures import decode_texture, encode_texture
from tests.engine.model.layered_probe import CARD, HEIGHT, TEXTURES, WIDTH, composed, write_layered_probe

LOUD = np.random.default_rng(0).uniform(-0.6, 0.6, CARD.window_samples).astype(np.float32)


def fields_of(seed: int, roles: str = "flow weights light residual", flows: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    given = {
        "flow": random.uniform(-0.5, 0.5, (2 * flows, 5, 7)),
        "weights": random.uniform(0.0, 0.6, (2, 4, 4)),
        "light": random.uniform(0.5, 1.2, (3, 3, 3)),
        "residual": random.uniform(-0.2, 0.2, (3, 9, 16)),
    }
    return {role: given[role].astype(np.float32) for role in roles.split()}


@pytest.mark.parametrize(
    ("textures", "fields"),
    [
        (TEXTURES, fields_of(0)),
        (TEXTURES, fields_of(1, flows=2)),
        (TEXTURES, fields_of(2, "weights")),
        (TEXTURES[:1], fields_of(3, "flow")),
        (TEXTURES[1:], fields_of(4, "flow residual")),
        (TEXTURES[1:], fields_of(5, "light residual")),
        (TEXTURES[:1], {}),
    ],
)
def test_the_processor_composes_what_the_formula_says(textures, fields):
    frame = Compositor(textures, HEIGHT, WIDTH).compose(fields)
    assert (frame.shape, frame.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    apart = np.abs(frame - composed(textures, fields, HEIGHT, WIDTH))
    assert np.mean(apart > 2.0) < 1e-3
    assert apart.mean() < 0.6


def test_a_texture_without_weight_changes_nothing():
    fields = fields_of(0, "flow weights")
    fields["weights"][1] = 0.0
    whole = Compositor(TEXTURES, HEIGHT, WIDTH).compose(fields)
    other = Compositor((TEXTURES[0], np.zeros((4, 4, 3), np.uint8)), HEIGHT, WIDTH).compose(fields)
    np.testing.assert_array_equal(whole, other)


def test_fields_that_are_not_finite_compose_as_zero():
    spec = LayersSpec(textures=CARD.layers.textures[:1], flow="flow")
    fields = finite_fields(spec, {"flow": np.array([[[np.nan]], [[np.inf]]], np.float32)})
    np.testing.assert_array_equal(
        Compositor(TEXTURES[:1], HEIGHT, WIDTH).compose(fields), Compositor(TEXTURES[:1], HEIGHT, WIDTH).compose({})
    )


def test_a_layered_model_plays_like_any_other(tmp_path):
    backend = open_backend(write_layered_probe(tmp_path / "layered.onnx"), "onnx-cpu")
    frames = [Session(backend).step(LOUD * k, {}, 0) for k in (0, 1)]
    still = composed(TEXTURES[:1], {}, HEIGHT, WIDTH)
    assert np.abs(frames[0].pixels_HWC - still).max() <= 1.0
    assert np.abs(frames[1].pixels_HWC - still).mean() > 10.0
    assert frames[1].layers is not None
    expected = composed(TEXTURES, frames[1].layers.fields, HEIGHT, WIDTH)
    assert np.mean(np.abs(frames[1].pixels_HWC - expected) > 2.0) < 1e-3


def test_an_unknown_layered_file_passes_its_first_test(tmp_path, monkeypatch):
    path = write_layered_probe(tmp_path / "layered.onnx")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    lines: list[str] = []
    assert open_backend(path, "onnx-cpu", tell=lines.append).card.layers == CARD.layers
    assert lines


def test_the_card_says_what_is_composed_and_a_card_of_an_earlier_version_says_nothing(tmp_path):
    card = read_card(write_layered_probe(tmp_path / "layered.onnx"))
    assert card.layers == CARD.layers
    assert "frame" not in card.shown_names
    values = json.loads(replace(CARD, layers=None).to_json())
    del values["layers"]
    assert ModelCard.from_values({**values, "format_version": 3}, "old.onnx").layers is None


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"flow": "nowhere"}, "does not declare"),
        ({"weights": ""}, "no weights"),
        ({"residual": "flow"}, r"float32 \[3, rows, columns\] was expected"),
        ({"formula": "sum"}, "this engine knows"),
        ({"textures": ()}, "one or more were expected"),
        ({"textures": (CARD.layers.textures[0],) * 2}, "each once"),
        ({"textures": (replace(CARD.layers.textures[0], height=8192, width=8192),)}, "at most 33,554,432"),
    ],
)
def test_a_card_that_composes_nothing_is_refused(changed, expected):
    with pytest.raises(ModelFileError, match=expected):
        replace(CARD, layers=replace(CARD.layers, **changed))


def test_a_card_whose_composing_takes_too_much_memory_is_refused():
    assert replace(CARD, height=4096, width=4096)
    with pytest.raises(ModelFileError, match="GB a step"):
        replace(CARD, height=4096, width=4096, batch=64)


def test_a_texture_without_a_checksum_is_refused():
    with pytest.raises(ModelFileError, match="64 hexadecimal digits"):
        replace(CARD.layers.textures[0], sha256="beef")


def stored_as(**changed: object) -> ModelCard:
    """The probe's card, with another entry for its first texture."""
    first, second = CARD.layers.textures
    return replace(CARD, layers=replace(CARD.layers, textures=(replace(first, **changed), second)))


def with_bytes(stored: bytes) -> ModelCard:
    import hashlib

    return stored_as(stored_bytes=len(stored), sha256=hashlib.sha256(stored).hexdigest())


def jpeg(*settings: int, grey: bool = False) -> bytes:
    return cv2.imencode(".jpg", TEXTURES[0][..., 0] if grey else TEXTURES[0], settings)[1].tobytes()


JPEG = encode_texture("texture_0", TEXTURES[0], lossy=True)[1]
PROGRESSIVE = jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
SMALL_FRAME = JPEG[JPEG.index(b"\xff\xc0") :][:19]
LARGE_JPEG = cv2.imencode(".jpg", np.zeros((145, 256, 3), np.uint8))[1].tobytes()
PNG = encode_texture("texture_0", TEXTURES[0])[1]
GREY = cv2.imencode(".png", TEXTURES[0][..., 0])[1].tobytes()


@pytest.mark.parametrize(
    ("card", "stored", "expected"),
    [
        (CARD, {"texture_0": b""}, "is in the card and not in the file"),
        (CARD, {"texture_0": PNG[:-9] + b"x" * 9}, "differs from its checksum"),
        (with_bytes(GREY), {"texture_0": GREY}, "no PNG of 8-bit RGB"),
        (with_bytes(b"GIF89a"), {"texture_0": b"GIF89a"}, "no PNG of 8-bit RGB"),
        (with_bytes(PNG[:40]), {"texture_0": PNG[:40]}, "cannot be decoded"),
        (stored_as(height=145), {}, "256x144 pixels, and the card says 256x145"),
        (with_bytes(PROGRESSIVE), {"texture_0": PROGRESSIVE}, "no baseline JPEG"),
        (with_bytes(jpeg(grey=True)), {"texture_0": jpeg(grey=True)}, "no baseline JPEG"),
        (with_bytes(JPEG[:20]), {"texture_0": JPEG[:20]}, "no baseline JPEG"),
        (with_bytes(JPEG[:400]), {"texture_0": JPEG[:400]}, "no baseline JPEG"),
        (with_bytes(JPEG[:-200]), {"texture_0": JPEG[:-200]}, "no baseline JPEG"),
        (with_bytes(LARGE_JPEG), {"texture_0": LARGE_JPEG}, "256x145 pixels, and the card says 256x144"),
    ],
)
def test_a_faulty_texture_is_refused_in_one_sentence(tmp_path, card, stored, expected):
    path = write_layered_probe(tmp_path / "faulty.onnx", card, stored)
    with pytest.raises(ModelFileError, match=expected) as refused:
        open_backend(path, "onnx-cpu")
    assert "\n" not in str(refused.value)


def test_a_texture_may_be_a_jpeg(tmp_path):
    path = write_layered_probe(tmp_path / "lossy.onnx", with_bytes(JPEG), {"texture_0": JPEG})
    backend = open_backend(path, "onnx-cpu")
    frame = Session(backend).step(0.0 * LOUD, {}, 0)
    assert frame.layers is not None
    pixels = frame.layers.textures[0]
    assert np.abs(pixels.astype(int) - TEXTURES[0]).mean() < 1.0
    np.testing.assert_array_equal(pixels, decode_texture(*encode_texture("texture_0", TEXTURES[0], lossy=True)))
    assert len(JPEG) < len(PNG)


@pytest.mark.parametrize("stored", [JPEG, PNG, PROGRESSIVE, b"\xff\xd8" + b"\xff\xe0\x00\x00" * 100])
def test_no_head_is_read_beyond_the_end(stored):
    for length in range(0, len(stored), 7):
        head = texture_head(stored[:length])
        assert head is None or (head.height, head.width) == (144, 256)


def before_the_frame(segment: bytes) -> bytes:
    """Return the large JPEG behind a segment that may hide the head of a smaller one."""
    return LARGE_JPEG[:2] + segment + LARGE_JPEG[2:]


@pytest.mark.parametrize(
    "segment",
    [
        # A decoder takes the first FF for a fill byte and goes on at the second; a length of FF E0 would lead elsewhere.
        b"\xff\xff\xff\xe0\x00\x02",
        b"\xff\xff\x00\x02" + SMALL_FRAME,
        b"\xff\x00\x00\x02" + SMALL_FRAME,
        b"\xff\x01\x00\x02" + SMALL_FRAME,
        b"\xff\xd0\x00\x02" + SMALL_FRAME,
        b"\xff\xe0\x00\x00" + SMALL_FRAME,
        b"\xff\xe0\x00\x01" + SMALL_FRAME,
        # SOF2 first, then a baseline head.
        b"\xff\xc2" + SMALL_FRAME[2:] + SMALL_FRAME,
        b"\xff\xda\x00\x02" + SMALL_FRAME,
    ],
)
def test_no_segment_hides_a_larger_frame(segment):
    assert texture_head(before_the_frame(segment)) is None


def test_tables_and_notes_may_precede_the_frame():
    for marker in (0xE0, 0xEF, 0xFE):
        head = texture_head(before_the_frame(bytes([0xFF, marker]) + b"\x00\x06note"))
        assert head is not None
        assert (head.kind, head.height, head.width) == ("jpg", 145, 256)


def test_the_card_is_readable_json():
    values = json.loads(CARD.to_json())["layers"]
    assert values["formula"].startswith("light")
    assert values["textures"][0]["name"] == "texture_0"
