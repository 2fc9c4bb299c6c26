"""The files of the page, read once when the show starts: no path from the network reaches the disk."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from aiohttp import hdrs, web

from engine.web.access import PAGE_PATH

PAGE_FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"
TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".html": "text/html",
        ".css": "text/css",
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".json": "application/json",
        ".webmanifest": "application/manifest+json",
        ".woff2": "font/woff2",
    }
)
_PACKED = (".png", ".woff2")
_NO_PAGE = "This show has no page: its files are missing in the installation.\n"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    zipped: bytes | None
    """Content as gzip; None where that is no gain."""
    content_type: str
    charset: str | None
    tag: str
    cache: str


class StaticFiles:
    """Serves the files of a folder under /page/ and its index at /page/. A WebPart."""

    def __init__(self, folder: Path = PAGE_FOLDER) -> None:
        found = sorted(folder.rglob("*")) if folder.is_dir() else []
        self._files = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in found
            if path.is_file() and path.suffix in TYPES and not path.name.startswith(".")
        }

    def routes(self) -> list[web.RouteDef]:
        """Return one route a file: any other path is unknown."""
        return [
            web.get(PAGE_PATH, self.index),
            web.get(f"{PAGE_PATH}/", self.index),
            *(web.get(f"{PAGE_PATH}/{name}", self._handler(file)) for name, file in self._files.items()),
        ]

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Answer with the page."""
        file = self._files.get(INDEX)
        return _answer(request, file) if file else web.Response(status=404, text=_NO_PAGE)

    def _handler(self, file: _File) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return _answer(request, file)

        return handle


def _read(path: Path) -> _File:
    content = path.read_bytes()
    zipped = gzip.compress(content, mtime=0) if path.suffix not in _PACKED else content
    is_html = path.suffix == ".html"
    return _File(
        content=content,
        zipped=zipped if len(zipped) < len(content) else None,
        content_type=TYPES[path.suffix],
        charset=None if path.suffix in _PACKED else "utf-8",
        tag=f'"{hashlib.sha256(content).hexdigest()[:20]}"',
        # The page always fits the show that serves it; its parts are asked for by their tag.
        cache="no-store" if is_html else "no-cache",
    )


def _answer(request: web.Request, file: _File) -> web.Response:
    headers = {hdrs.CACHE_CONTROL: file.cache, hdrs.VARY: "Accept-Encoding", hdrs.ETAG: file.tag}
    if file.tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    body = file.content
    if file.zipped is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        body = file.zipped
    return web.Response(body=body, headers=headers, content_type=file.content_type, charset=file.charset)
