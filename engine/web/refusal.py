"""How a WebSocket is refused: the whole sentence as a message, then the close, whose own reason has room for a few words only."""

from __future__ import annotations

from aiohttp import WSCloseCode, web

from engine.core.printable import short_sentence

PROBLEM = "problem"


async def refuse(socket: web.WebSocketResponse, sentence: str, code: int = WSCloseCode.POLICY_VIOLATION) -> None:
    """Tell the page why, as `{"problem": sentence}`, and close."""
    await socket.send_json({PROBLEM: short_sentence(sentence)})
    await socket.close(code=code)
