"""Who may use the port: the names in Host and Origin, and the token of the page.

A browser sends requests for any page that is open in it. So a page elsewhere must not reach the show through a browser that can reach
it: its Origin is not ours. A name elsewhere that leads here (DNS rebinding) is not one of this machine's names; an address in numbers
cannot be made to lead elsewhere, so every one is taken. On the network the page needs a token, since the page may do more than OSC.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web

from engine.core.clock import Clock
from engine.core.errors import ConfigError
from engine.core.token_bucket import Bucket

PAGE_PATH = "/page"
TOKEN_IN_URL = "token"
SHORTEST_TOKEN, LONG_TOKEN = 8, 20
GUESSES_A_SECOND, GUESSES_AT_ONCE = 0.5, 10.0
"""Wrong tokens that one address may send."""
MOST_GUESSERS = 256
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NO_NAME = "This show is not called that; open it by its address in numbers, as the show printed it.\n"
_FOREIGN = "A page of another site may not use this show; open the address that the show printed.\n"
_NO_ORIGIN = "The page's WebSockets need the header Origin, with the address of the page.\n"
_NO_TOKEN = "This page needs its token: open the whole address that the show printed, with ?token= at its end.\n"
_TOO_MANY = "Too many wrong tokens came from this address; wait a minute and open the address that the show printed.\n"


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(16)


def check_token(token: str) -> str:
    """Return a token that the user chose. Raises ConfigError for one that is short or does not fit into an address."""
    if len(token) < SHORTEST_TOKEN or not _TOKEN.fullmatch(token):
        raise ConfigError(
            f"web_token has {len(token)} characters or others than letters, digits and . _ ~ -; "
            f"at least {SHORTEST_TOKEN} of these were expected, or leave it out for a random one."
        )
    return token


class WebAccess:
    """Refuses requests that must not be answered. For the server's event loop alone."""

    def __init__(self, names: Iterable[str], token: str | None, cookie: str, is_secure: bool, clock: Clock) -> None:
        """`names` are those in Host that are this machine's; without a `token` everybody who can connect may use the page. The
        cookie that carries it is called `cookie`, and is sent over TLS alone if `is_secure`."""
        self._names = {"localhost", *(name.casefold() for name in names)}
        self._token = token
        self._cookie = cookie
        self._is_secure = is_secure
        self.clock = clock
        self._guessers: OrderedDict[str, Bucket] = OrderedDict()

    def refusal(self, request: web.Request) -> web.Response | None:
        """Return the answer to a request that must not be answered otherwise; None for all others."""
        if not self._is_own_host(request):
            return _refuse(421, _NO_NAME)
        if not _is_own_page(request):
            return _refuse(403, _FOREIGN)
        if needs_token(request):
            if is_websocket(request) and "Origin" not in request.headers:
                return _refuse(403, _NO_ORIGIN)
            return self._token_refusal(request)
        return None

    def remember(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give a browser that came with the token the cookie that stands for it."""
        if self._token and needs_token(request) and TOKEN_IN_URL in request.query:
            response.set_cookie(
                self._cookie, self._token, path="/", httponly=True, samesite="Strict", secure=self._is_secure
            )

    def _token_refusal(self, request: web.Request) -> web.Response | None:
        if self._token is None:
            return None
        given = request.query.getall(TOKEN_IN_URL, [])[:1] or [request.cookies.get(self._cookie, "")]
        guesser = self._guessers.get(request.remote or "")
        # One that has used up its guesses is not heard, right or wrong, or the limit would be none.
        if guesser and given != [""] and not guesser.has_token(self.clock.now_s()):
            return _refuse(429, _TOO_MANY)
        if hmac.compare_digest(given[0].encode(errors="replace"), self._token.encode()):
            return None
        # Nobody guesses a long one: that is a page which was opened before the show was started again.
        if given != [""] and len(self._token) < LONG_TOKEN:
            self._count_guess(request.remote or "")
        return _refuse(403, _NO_TOKEN)

    def _count_guess(self, remote: str) -> None:
        guesser = self._guessers.setdefault(remote, Bucket(GUESSES_A_SECOND, GUESSES_AT_ONCE))
        self._guessers.move_to_end(remote)
        if len(self._guessers) > MOST_GUESSERS:
            self._guessers.popitem(last=False)
        guesser.take(self.clock.now_s())

    def _is_own_host(self, request: web.BaseRequest) -> bool:
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1:
            return False
        host = _host_of(f"//{hosts[0]}")
        if host is None:
            return False
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return host.removesuffix(".") in self._names
        return True


def needs_token(request: web.Request) -> bool:
    """Return whether a request is for the page or one of its sockets, and not for OSCQuery."""
    resource = request.match_info.route.resource
    # The address of the route that was found as well: what decides is who answers, however the path was written.
    paths = (request.path, resource.canonical if resource else "")
    return wants_page(request) or any(path == PAGE_PATH or path.startswith(f"{PAGE_PATH}/") for path in paths)


def wants_page(request: web.BaseRequest) -> bool:
    """Return whether a request for / is that of a browser for the page, and not of a remote for the namespace of OSCQuery."""
    return (
        request.path == "/"
        and request.method in ("GET", "HEAD")
        and "text/html" in request.headers.get("Accept", "")
        and "HOST_INFO" not in request.query
        and not is_websocket(request)
    )


def is_websocket(request: web.BaseRequest) -> bool:
    """Return whether a request opens a WebSocket."""
    return request.headers.get("Upgrade", "").casefold() == "websocket"


def _is_own_page(request: web.BaseRequest) -> bool:
    """Return whether a request comes from our page, from the address bar, or from no browser at all."""
    origins = request.headers.getall("Origin", [])
    if origins:
        return len(origins) == 1 and _is_same(origins[0], request.headers["Host"])
    site = request.headers.get("Sec-Fetch-Site", "none")
    if is_websocket(request):
        # A browser sends an Origin with every WebSocket.
        return "Sec-Fetch-Site" not in request.headers
    is_link = (
        request.headers.get("Sec-Fetch-Mode") == "navigate" and request.headers.get("Sec-Fetch-Dest") == "document"
    )
    return site in ("none", "same-origin") or is_link


def _is_same(origin: str, host: str) -> bool:
    try:
        came = urlsplit(origin)
        here = urlsplit(f"{came.scheme}://{host}")
        if came.scheme not in _DEFAULT_PORTS or came.path or came.query or came.fragment:
            return False
        default = _DEFAULT_PORTS[came.scheme]
        return bool(came.hostname) and (came.hostname, came.port or default) == (here.hostname, here.port or default)
    except ValueError:
        return False


def _host_of(address: str) -> str | None:
    """Return the host of `//HOST:PORT`; None for anything else."""
    try:
        parts = urlsplit(address)
        # Reading the port checks it.
        rest = (parts.path, parts.query, parts.fragment, parts.username, parts.port and "")
    except ValueError:
        return None
    return None if any(rest) else parts.hostname


def _refuse(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, text=sentence)
