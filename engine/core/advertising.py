"""Advertises a show by zeroconf (Bonjour), so that other programs list it by name.

On the interfaces alone where the show can be reached. A name that is taken gets a number. Where the network is away, or comes back with
other addresses, the show is advertised again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from zeroconf import DNSQuestionType, IPVersion, NonUniqueNameException, ServiceInfo
from zeroconf import Error as ZeroconfError
from zeroconf.asyncio import AsyncZeroconf

from engine.core.advertised_service import Service
from engine.core.printable import printable

LOOKS_EVERY_S = 5.0
"""How often the addresses of this machine are looked at."""
REGISTERS_WITHIN_S = 30.0
ASKS_FOR_MS = 1500
"""How long others have to say that a name is theirs."""
GOODBYE_WITHIN_S, CLOSES_WITHIN_S = 0.8, 1.0
MOST_NAMES = 50
"""Numbers that are tried for a name that is taken."""
_LONGEST_NAME_BYTES = 63
"""RFC 6763, section 4.1.1."""
_Register = Callable[[ServiceInfo], Awaitable[Awaitable[Any]]]


class Advertisement:
    """Advertises services under one name from `start` to `close`, in a thread of its own: registering takes seconds."""

    def __init__(
        self,
        name: str,
        services: Sequence[Service],
        host_name: str,
        addresses: Callable[[], Sequence[str]],
        notify: Callable[[str], None],
        looks_every_s: float = LOOKS_EVERY_S,
    ) -> None:
        """`host_name` is what this machine is called for them, and ends with .local; `addresses` returns this machine's addresses of
        now, at which others can reach it."""
        self._name = service_name(name)
        self._services = services
        self._host_name = host_name
        self._addresses = addresses
        self._notify = notify
        self._looks_every_s = looks_every_s
        self._has_failed = False
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        # A daemon thread: the process can end even if the network hangs.
        self._thread = threading.Thread(target=self._run, name="zeroconf", daemon=True)

    def start(self) -> None:
        """Begin to advertise."""
        self._thread.start()

    def close(self) -> None:
        """Say that the services are gone, within CLOSES_WITHIN_S; safe to call twice, and without `start`."""
        if self._thread.is_alive():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(CLOSES_WITHIN_S)

    def _run(self) -> None:
        # Nothing that arrives from the network is written to the terminal.
        logging.getLogger("zeroconf").setLevel(logging.CRITICAL)
        self._loop.set_exception_handler(lambda loop, context: None)
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._advertise())
        finally:
            self._loop.close()

    async def _advertise(self) -> None:
        """Advertise with the addresses of now until they change or the end has come."""
        while not self._closing.is_set():
            try:
                here = list(self._addresses())
                reached = {service: service.addresses(here) for service in self._services}
                interfaces = sorted({one for addresses in reached.values() for one in addresses})
                if interfaces:
                    await self._advertise_on(interfaces, reached, here)
                else:
                    await self._pause()
            # zeroconf raises RuntimeError for an address that has gone since.
            except (TimeoutError, OSError, ZeroconfError, ValueError, RuntimeError) as error:
                self._tell(error)
                await self._pause()

    async def _advertise_on(self, interfaces: list[str], reached: dict[Service, list[str]], here: list[str]) -> None:
        versions = {ipaddress.ip_address(one).version for one in interfaces}
        version = IPVersion.All if len(versions) > 1 else IPVersion.V6Only if 6 in versions else IPVersion.V4Only
        zeroconf = AsyncZeroconf(interfaces=interfaces, ip_version=version)
        try:
            await self._unless_closing(self._register(zeroconf, reached))
            self._has_failed = False
            while not self._closing.is_set() and list(self._addresses()) == here:
                await self._pause()
        finally:
            with suppress(asyncio.TimeoutError, OSError, ZeroconfError):
                # Says goodbye, too.
                await asyncio.wait_for(zeroconf.async_close(), GOODBYE_WITHIN_S)

    async def _register(self, zeroconf: AsyncZeroconf, reached: dict[Service, list[str]]) -> None:
        for number in range(1, MOST_NAMES + 1):
            name = numbered(self._name, number)
            infos = [self._info(service, name, found) for service, found in reached.items() if found]
            if any(await asyncio.gather(*(_is_taken(zeroconf, info) for info in infos))):
                continue
            # All at once, or each would wait for the one before.
            register = cast(_Register, zeroconf.async_register_service)  # pyright: ignore[reportUnknownMemberType]
            try:
                broadcasts = await asyncio.gather(*map(register, infos))
            except NonUniqueNameException:
                await zeroconf.async_unregister_all_services()
                continue
            if number > 1:
                self._notify(f"Another program is called {self._name}, so this show is advertised as {name}.")
            await asyncio.gather(*broadcasts)
            return
        raise ZeroconfError(f"{MOST_NAMES} programs are called {self._name}")

    def _info(self, service: Service, name: str, addresses: list[str]) -> ServiceInfo:
        kind = f"{service.kind}.local."
        return ServiceInfo(
            kind,
            f"{name}.{kind}",
            port=service.at.port,
            parsed_addresses=addresses,
            server=f"{self._host_name}.",
            properties=dict((service.told,)),
        )

    async def _unless_closing(self, registering: Awaitable[None]) -> None:
        """Wait for the registration, or break it off at the end. Raises what it raises."""
        task, closing = asyncio.ensure_future(registering), asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((task, closing), timeout=REGISTERS_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            elif not self._closing.is_set():
                raise TimeoutError(f"no answer within {REGISTERS_WITHIN_S:g} s")
        finally:
            for one in (task, closing):
                one.cancel()

    async def _pause(self) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._closing.wait(), self._looks_every_s)

    def _tell(self, error: Exception) -> None:
        # A network that is away fails at each look; one line is enough.
        if not self._has_failed:
            self._notify(
                f"The show could not be advertised on the network ({printable(error, 200)}); it tries again, and is reached by "
                "its address meanwhile."
            )
        self._has_failed = True


async def _is_taken(zeroconf: AsyncZeroconf, info: ServiceInfo) -> bool:
    """Return whether another program has the name. The library asks too, but for answers to this port alone, which a second program on
    this machine may get in our place."""
    found = await zeroconf.async_get_service_info(
        info.type, info.name, timeout=ASKS_FOR_MS, question_type=DNSQuestionType.QM
    )
    return found is not None


def service_name(name: str) -> str:
    """Return a name for zeroconf: without dots, which clients take for the end of the name, and with room for a number."""
    kept = " ".join(printable(name).replace(".", " ").split()) or "Fluid"
    return _cut(kept, _LONGEST_NAME_BYTES - len(f" {MOST_NAMES}"))


def numbered(name: str, number: int) -> str:
    """Return a name with its number, from the second one on."""
    return name if number == 1 else f"{name} {number}"


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore").strip()
