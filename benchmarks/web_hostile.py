"""Random HTTP and WebSocket traffic as nobody should send it: broken requests, every path, mutated frames, nonsense in JSON."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Sequence
from typing import Any

SOCKETS = ("/page/socket", "/page/socket", "/page/preview", "/page/preview?width=64&fps=1", "/page/sound", "/")
_PATHS = ("/", "/page", "/page/", "/page/index.html", "/page/app.js", "/page/none", "/fluid", "/?HOST_INFO", "*", "")
_ATTRIBUTES = ("VALUE", "TYPE", "RANGE", "HOST_INFO", "X", "%00", "VALUE&TYPE")
_ESCAPES = (
    "%2e%2e",
    "..",
    "%00",
    "%252e",
    "\\",
    "//",
    "%ff",
    "\xff",
    "%",
    ";",
    "?",
    "#",
    " ",
    "\r\n",
    "é",
    "%E2%80%AE",
)
_METHODS = (
    "GET",
    "GET",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PRI",
    "get",
    "G\x00T",
    "",
)
_HEADERS = (
    "Origin: http://evil.example",
    "Origin: null",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Connection: Upgrade, close",
    "Sec-WebSocket-Key: x",
    "Sec-WebSocket-Version: 99",
    "Sec-WebSocket-Extensions: permessage-deflate",
    "Range: bytes=0-,5-,-1",
    "If-None-Match: *",
    "Accept: text/html",
    "Accept-Encoding: gzip;q=x",
    "Cookie: a[b]=c; =; fluid_0=\xff",
    "Expect: 100-continue",
    "no colon",
    " folded: 1",
    "X\x00: 1",
)
_NUMBERS = ("0", "1", "-1", "0.5", "127", "1e300", "1e999", "-0.0", "NaN", "Infinity", "9" * 400, "1e", "0x1", "true")
_DOS = (
    *("set", "set", "set", "press", "recall", "save_scene", "rename_scene", "order_scenes", "delete_scene"),
    *("set_playlist", "play_model", "play_input", "check_mapping", "set_mapping", "midi_learn", "midi_cancel"),
    *("midi_forget", "list", "sett", "", None, 7, []),
)
_TEXTS = ("", "x", "../../etc/passwd", "<script>", "\u202e\x1b[2J", "level", "1/0", "((((", "sin(", "a" * 3000, "\x00")
_OPCODES = (1, 1, 1, 1, 2, 8, 9, 10, 0, 3, 7, 15)
_SHARE_MUTATED = 0.2
_DEEPEST = 4


def hostile_request(rolled: random.Random, names: Sequence[str], host: str) -> bytes:
    """Return the bytes of one connection: a request, several, or none."""
    if rolled.random() < 0.08:
        return rolled.randbytes(rolled.randrange(600))
    line = f"{rolled.choice(_METHODS)} {_path(rolled, names)} HTTP/{rolled.choice(('1.1', '1.1', '1.0', '0.9', '2.0', 'x'))}"
    hosts = rolled.choice(([host], [host], [host], [], ["evil.example"], [host, "evil.example"], ["[::1"], [":0"]))
    head = [line, *(f"Host: {one}" for one in hosts), *rolled.choices(_HEADERS, k=rolled.randrange(5))]
    if rolled.random() < 0.05:
        head += [f"X-{number}: {'y' * rolled.randrange(3000)}" for number in range(rolled.randrange(150))]
    text = "\r\n".join(head) + rolled.choice(("\r\n\r\n", "\r\n\r\n", "\r\n\r\n", "\n\n", "\r\n", ""))
    body = rolled.randbytes(rolled.randrange(40)) if rolled.random() < 0.2 else b""
    return _mutated(rolled, text.encode("latin-1", "replace") + body)


def handshake(path: str, host: str) -> bytes:
    """Return the request of a page that opens a socket."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def hostile_frame(rolled: random.Random, names: Sequence[str]) -> bytes:
    """Return one WebSocket frame: most hold a message that is almost right."""
    kind = rolled.random()
    if kind < 0.1:
        content = rolled.randbytes(rolled.randrange(300))
    elif kind < 0.15:
        content = rolled.choice((b"[", b'{"a":')) * rolled.randrange(2000)
    else:
        content = _message(rolled, names).encode("utf-8", "surrogatepass")
    opcode = rolled.choice(_OPCODES) if rolled.random() < 0.15 else 1
    return _mutated(rolled, _frame(rolled, opcode, content))


def _path(rolled: random.Random, names: Sequence[str]) -> str:
    path = rolled.choice((*_PATHS, *SOCKETS, f"/fluid/{rolled.choice(names)}"))
    if rolled.random() < 0.3:
        path += "/" + "".join(rolled.choices((*_ESCAPES, "a", "/"), k=rolled.randrange(1, 12)))
    if rolled.random() < 0.3:
        path += "?" + rolled.choice(_ATTRIBUTES)
    return path


def _message(rolled: random.Random, names: Sequence[str]) -> str:
    """Return an object as JSON, numbers written out as they are rolled."""
    numbers = {f"@{number}@": text for number, text in enumerate(_NUMBERS)}
    message = {
        "id": rolled.choice((1, "x", None, [], {}, 2**70, "y" * 100)),
        "do": rolled.choice(_DOS),
        "values": {rolled.choice((*names, "none", "")): _value(rolled, 0) for _ in range(rolled.randrange(4))},
        **{key: _value(rolled, 0) for key in ("number", "numbers", "entries", "what", "choice", "assignment")},
        "name": rolled.choice((*names, *_TEXTS)),
        "parameter": rolled.choice((*names, *_TEXTS)),
        "expression": rolled.choice(_TEXTS),
        "width": _value(rolled, 0),
        "rate_hz": _value(rolled, 0),
    }
    kept = {key: value for key, value in message.items() if key == "do" or rolled.random() < 0.7}
    text = json.dumps(kept if rolled.random() < 0.95 else list(kept.values()))
    for place, number in numbers.items():
        text = text.replace(f'"{place}"', number)
    return text


def _value(rolled: random.Random, depth: int) -> Any:
    kind = rolled.random()
    if kind < 0.5 or depth > _DEEPEST:
        return f"@{rolled.randrange(len(_NUMBERS))}@"
    if kind < 0.7:
        return rolled.choice((True, False, None, *_TEXTS))
    if kind < 0.85:
        return [_value(rolled, depth + 1) for _ in range(rolled.randrange(4))]
    return {rolled.choice(("scene", "length", "unit", "takes_part", "x")): _value(rolled, depth + 1) for _ in range(3)}


def _frame(rolled: random.Random, opcode: int, content: bytes) -> bytes:
    final = 0x80 if rolled.random() < 0.95 else 0
    reserved = rolled.choice((0x40, 0x20, 0x10)) if rolled.random() < 0.03 else 0
    length = len(content) if rolled.random() < 0.97 else rolled.choice((0, 2**16, 2**31, 2**63 - 1))
    mask = rolled.randbytes(4)
    if length < 126:
        head = struct.pack("!BB", final | reserved | opcode, 0x80 | length)
    elif length < 2**16:
        head = struct.pack("!BBH", final | reserved | opcode, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", final | reserved | opcode, 0x80 | 127, length)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(content))


def _mutated(rolled: random.Random, sent: bytes) -> bytes:
    if not sent or rolled.random() >= _SHARE_MUTATED:
        return sent
    mutated, at = bytearray(sent), rolled.randrange(len(sent))
    match rolled.randrange(4):
        case 0:
            mutated[at] = rolled.randrange(256)
        case 1:
            del mutated[at:]
        case 2:
            mutated[at:at] = rolled.randbytes(rolled.randrange(1, 9))
        case _:
            del mutated[at : at + rolled.randrange(1, 9)]
    return bytes(mutated)
