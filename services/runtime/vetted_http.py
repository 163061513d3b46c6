"""HTTP to hosts that somebody else names, kept away from addresses inside our own network."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

import httpx

from services.runtime.addresses import Network, Reach, parsed, reach

Networks = Sequence[Network]


class AddressRefused(Exception):
    """The URL leads where we do not go."""


class NameUnknown(Exception):
    """The host's name has no address just now."""


async def vetted_address(
    url: httpx.URL, *, allow_local: bool, inside: Networks = (), deadline_s: float, threads: Executor | None = None
) -> str:
    """Return the IP address to connect to. Raises AddressRefused, NameUnknown.

    https only, to public addresses and those in the networks `inside`; with `allow_local` also http to this machine
    itself. All addresses of the name must pass, and the connection is made to the one returned: the name is not asked
    again in between. `threads` wait for the name server.
    """
    if not url.host or url.userinfo:
        raise AddressRefused("no host, or credentials in the URL")
    if url.scheme not in ("http", "https"):
        raise AddressRefused("not https")
    lookup = partial(socket.getaddrinfo, url.host, url.port or 443, type=socket.SOCK_STREAM)
    try:
        async with asyncio.timeout(deadline_s):
            found = await asyncio.get_running_loop().run_in_executor(threads, lookup)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise NameUnknown(type(error).__name__) from error
    addresses = [parsed(str(entry[4][0])) for entry in found]
    if not addresses:
        raise NameUnknown("no address")
    reaches = [reach(address) for address in addresses]
    if allow_local and all(one is Reach.SELF for one in reaches):
        return str(addresses[0])
    if url.scheme != "https":
        raise AddressRefused("not https")
    for address, leads in zip(addresses, reaches, strict=True):
        named = leads is not Reach.NOWHERE and any(address in network for network in inside)
        if leads is not Reach.PUBLIC and not named:
            raise AddressRefused("neither a public address nor in one of the networks named for it")
    return str(addresses[0])


class VettedTransport(httpx.AsyncBaseTransport):
    """Carries each request to a vetted address of its host. Raises AddressRefused, NameUnknown.

    `inner` must keep no connection: it knows them by address, and the certificate of one name would vouch for another.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, *, allow_local: bool, inside: Networks, deadline_s: float
    ) -> None:
        self._inner = inner
        self._allow_local = allow_local
        self._inside = inside
        self._deadline_s = deadline_s

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        address = await vetted_address(
            request.url, allow_local=self._allow_local, inside=self._inside, deadline_s=self._deadline_s
        )
        # the certificate must be the name's, not the address's; the header Host is set already
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
