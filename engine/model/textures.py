"""The textures of a layered model: PNG inside the model file, since every machine decodes one to the same pixels.

They lie among the graph's initialisers, which no node reads, so the checksum of the graph covers them and runtimes pass over them.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelFileError
from engine.model.content import FileContent
from engine.model.layers import LayersSpec, TextureSpec
from engine.model.protobuf import BYTES, fields

# H W C rows, columns, channels of pixels

# Of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.name and raw_data.
_GRAPH, _INITIALIZER, _NAME, _RAW_DATA = 7, 5, 8, 9
_HEAD = struct.Struct(">8s4x4sIIBBBBB")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB_8_BITS = (8, 2, 0, 0, 0)
"""Bit depth, colour type, compression, filter, interlacing."""
_AGAIN = "copy it again or export the model again"


def read_textures(content: FileContent, spec: LayersSpec) -> tuple[NDArray[np.uint8], ...]:
    """Return the textures of a model file, RGB [H, W, 3] each, in the order of the card.

    Raises ModelFileError for a texture that is missing, altered, no PNG of 8-bit RGB or of another size than in the card.
    """
    return tuple(
        _decoded(texture, png, str(content.path))
        for texture, png in zip(spec.textures, read_pngs(content, spec), strict=True)
    )


def read_pngs(content: FileContent, spec: LayersSpec) -> list[bytes]:
    """Return the PNGs of a model file in the order of the card, still encoded.

    Raises ModelFileError for one that is missing or altered.
    """
    stored = _initialisers(content.data, {texture.name for texture in spec.textures})
    return [
        _checked(texture, stored.get(texture.name), _where(texture, str(content.path))) for texture in spec.textures
    ]


def encode_texture(name: str, pixels_HWC: NDArray[np.uint8]) -> tuple[TextureSpec, bytes]:
    """Return the entry of the card and the PNG for RGB pixels."""
    import cv2

    done, encoded = cv2.imencode(".png", pixels_HWC[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert done
    png, (height, width) = encoded.tobytes(), pixels_HWC.shape[:2]
    sha256 = hashlib.sha256(png).hexdigest()
    return TextureSpec(name=name, height=height, width=width, stored_bytes=len(png), sha256=sha256), png


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


def _checked(texture: TextureSpec, png: bytes | None, where: str) -> bytes:
    if png is None:
        raise ModelFileError(f"{where} is in the card and not in the file; {_AGAIN}.")
    if len(png) != texture.stored_bytes or hashlib.sha256(png).hexdigest() != texture.sha256:
        raise ModelFileError(f"{where} differs from its checksum in the card; {_AGAIN}.")
    return png


def _decoded(texture: TextureSpec, png: bytes, file: str) -> NDArray[np.uint8]:
    import cv2

    where = _where(texture, file)
    # Read before anything is decoded: a few bytes can stand for gigabytes of pixels.
    head = _HEAD.unpack_from(png) if len(png) >= _HEAD.size else (b"", b"", 0, 0, *_RGB_8_BITS)
    signature, kind, width, height, *form = head
    if (signature, kind, *form) != (_SIGNATURE, b"IHDR", *_RGB_8_BITS):
        raise ModelFileError(f"{where} is no PNG of 8-bit RGB without interlacing; export the model again.")
    if (height, width) != (texture.height, texture.width):
        raise ModelFileError(
            f"{where} has {width}x{height} pixels, and the card says {texture.width}x{texture.height}; export the model again."
        )
    try:
        pixels_HWC = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        pixels_HWC = None
    if pixels_HWC is None or pixels_HWC.shape != (height, width, 3):
        raise ModelFileError(f"{where} cannot be decoded; export the model again.")
    return np.ascontiguousarray(pixels_HWC[..., ::-1], np.uint8)
