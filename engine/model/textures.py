"""The textures of a layered model: PNG or JPEG inside the model file.

Every machine decodes a PNG to the same pixels. So does a baseline JPEG with whole colours, as far as its decoder computes as libjpeg does,
which OpenCV's builds do; it takes a fifth of the space.

They lie among the graph's initialisers, which no node reads, so the checksum of the graph covers them and runtimes pass over them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelFileError
from engine.model.content import FileContent
from engine.model.layers import LayersSpec, TextureSpec
from engine.model.protobuf import BYTES, fields
from engine.model.texture_heads import TextureHead, texture_head

# H W C rows, columns, channels of pixels

# Of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.name and raw_data.
_GRAPH, _INITIALIZER, _NAME, _RAW_DATA = 7, 5, 8, 9
_JPEG_QUALITY = 95
_AGAIN = "copy it again or export the model again"


def read_textures(content: FileContent, spec: LayersSpec) -> tuple[NDArray[np.uint8], ...]:
    """Return the textures of a model file, RGB [H, W, 3] each, in the order of the card.

    Raises ModelFileError for a texture that is missing, altered, neither PNG nor JPEG of 8-bit RGB, or of another size than in the card.
    """
    return tuple(
        _decoded(texture, stored, _where(texture, str(content.path)))
        for texture, stored in zip(spec.textures, stored_textures(content, spec), strict=True)
    )


def stored_textures(content: FileContent, spec: LayersSpec) -> list[bytes]:
    """Return the textures of a model file in the order of the card, still encoded.

    Raises ModelFileError for one that is missing or altered.
    """
    stored = _initialisers(content.data, {texture.name for texture in spec.textures})
    return [
        _checked(texture, stored.get(texture.name), _where(texture, str(content.path))) for texture in spec.textures
    ]


def texture_kind(texture: TextureSpec, stored: bytes, file: Path) -> str:
    """Return the end of a file's name for a stored texture. Raises ModelFileError for one that is neither PNG nor JPEG as above."""
    return _head(stored, _where(texture, str(file))).kind


def encode_texture(name: str, pixels_HWC: NDArray[np.uint8], *, lossy: bool = False) -> tuple[TextureSpec, bytes]:
    """Return the entry of the card, and RGB pixels as PNG or, lossy, as JPEG."""
    import cv2

    png = (".png", [cv2.IMWRITE_PNG_COMPRESSION, 9])
    whole_colours = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    jpeg = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY, *whole_colours])
    kind, settings = jpeg if lossy else png
    done, encoded = cv2.imencode(kind, np.ascontiguousarray(pixels_HWC[..., ::-1]), settings)
    assert done
    stored, (height, width) = encoded.tobytes(), pixels_HWC.shape[:2]
    sha256 = hashlib.sha256(stored).hexdigest()
    return TextureSpec(name=name, height=height, width=width, stored_bytes=len(stored), sha256=sha256), stored


def decode_texture(texture: TextureSpec, stored: bytes) -> NDArray[np.uint8]:
    """Return the pixels [H, W, 3] RGB of what `encode_texture` made. Raises ModelFileError as `read_textures`."""
    return _decoded(texture, stored, f"texture '{texture.name}'")


def _initialisers(data: bytes, wanted: set[str]) -> dict[str, bytes]:
    """Return the raw data of the initialisers with the wanted names. The file was checked before (graph_check.py)."""
    found: dict[str, bytes] = {}
    for number, _, graph, graph_end in fields(data, 0, len(data)):
        if number != _GRAPH:
            continue
        for kind, _, tensor, tensor_end in fields(data, graph, graph_end):
            if kind != _INITIALIZER:
                continue
            parts = {
                part: (start, end)
                for part, wire, start, end in fields(data, tensor, tensor_end)
                if wire == BYTES and part in (_NAME, _RAW_DATA)
            }
            name = data[slice(*parts.get(_NAME, (0, 0)))].decode(errors="replace")
            if name in wanted and _RAW_DATA in parts:
                found[name] = data[slice(*parts[_RAW_DATA])]
    return found


def _where(texture: TextureSpec, file: str) -> str:
    return f"{file}: texture '{texture.name}'"


def _checked(texture: TextureSpec, stored: bytes | None, where: str) -> bytes:
    if stored is None:
        raise ModelFileError(f"{where} is in the card and not in the file; {_AGAIN}.")
    if len(stored) != texture.stored_bytes or hashlib.sha256(stored).hexdigest() != texture.sha256:
        raise ModelFileError(f"{where} differs from its checksum in the card; {_AGAIN}.")
    return stored


def _head(stored: bytes, where: str) -> TextureHead:
    head = texture_head(stored)
    if head is None:
        raise ModelFileError(
            f"{where} is no PNG of 8-bit RGB without interlacing, and no baseline JPEG of three colours; export the model again."
        )
    return head


def _decoded(texture: TextureSpec, stored: bytes, where: str) -> NDArray[np.uint8]:
    import cv2

    head = _head(stored, where)
    if (head.height, head.width) != (texture.height, texture.width):
        raise ModelFileError(
            f"{where} has {head.width}x{head.height} pixels, and the card says {texture.width}x{texture.height}; export the model again."
        )
    try:
        pixels_HWC = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        pixels_HWC = None
    if pixels_HWC is None or pixels_HWC.shape != (head.height, head.width, 3):
        raise ModelFileError(f"{where} cannot be decoded; export the model again.")
    return np.ascontiguousarray(pixels_HWC[..., ::-1], np.uint8)
