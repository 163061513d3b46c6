"""The ports for devices on real sockets: TLS, datagrams, resets, drip-fed bytes. Kafka is played by the test."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.stack.ports import free_ports
from services.ingest.adapters.device_datagrams import DeviceDatagrams
from services.ingest.adapters.device_listener import DeviceListener
from services.ingest.adapters.device_tls import Tls
from services.ingest.domain.connection_policy import EndReason, Limits
from services.ingest.domain.gb26875 import Command, decode_frame
from services.registry.adapters.authority import CERTIFICATE_FILE, LocalAuthority
from services.registry.domain.credentials import Certificate
from services.runtime.clock import SystemClock
from tests.unit.ingest.device_harness import DeviceHarness, frame, spoilt, status, words

HOST = "127.0.0.1"
LIMIT_S = 60.0


class PortHarness(DeviceHarness):
    """A harness whose listener has a real port; a task plays the worker of both lanes."""

    def __init__(self, *, tls: Tls | None = None, limits: Limits | None = None) -> None:
        super().__init__()
        (self.port,) = free_ports(1)
        self.listener = DeviceListener(
            HOST,
            self.port,
            self.lanes,
            self.directory,
            self.metrics,
            SystemClock(),
            limits or Limits(),
            tls,
            trusting=False,
        )
        self.datagrams = DeviceDatagrams(HOST, self.port, self.lanes, self.directory, self.metrics, SystemClock())
        self.decided: list[str] = []
        self.register("G000001", networks=[] if tls else ["127.0.0.0/8"])
        self.register("G000002", networks=[])

    async def work(self, lane: str) -> None:
        while True:
            try:
                self.decided += words(await self.settle(lane))
            except TimeoutError:
                continue

    @asynccontextmanager
    async def open(self) -> AsyncIterator["PortHarness"]:
        await self.listener.open()
        await self.datagrams.open()
        workers = [asyncio.create_task(self.work(lane)) for lane in self.lanes.sources]
        try:
            yield self
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await self.listener.close()
            await self.datagrams.close()

    async def answers(self, client: ssl.SSLContext) -> bool:
        """Call over TLS; return whether a frame is answered."""
        try:
            reader, writer = await asyncio.open_connection(HOST, self.port, ssl=client)
        except OSError:
            return False
        try:
            writer.write(frame())
            async with asyncio.timeout(LIMIT_S):
                return len(await reader.readexactly(30)) == 30
        except (OSError, asyncio.IncompleteReadError):
            return False
        finally:
            writer.transport.abort()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():  # noqa: ASYNC110 - any condition, not one event
                await asyncio.sleep(0.005)


async def answer_to(reader: asyncio.StreamReader) -> int:
    """Return the command of the next frame that comes back."""
    async with asyncio.timeout(LIMIT_S):
        return decode_frame(await reader.readexactly(30)).command


async def test_every_byte_on_its_own_is_answered_like_all_at_once() -> None:
    async with PortHarness().open() as harness:
        reader, writer = await asyncio.open_connection(HOST, harness.port)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame(adu=status(3)):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0)
        assert await answer_to(reader) == Command.CONFIRM
        writer.write(spoilt(frame()))
        assert await answer_to(reader) == Command.DENY
        writer.close()


async def test_a_reset_in_the_middle_of_a_frame_leaves_nothing_behind() -> None:
    async with PortHarness().open() as harness:
        _, writer = await asyncio.open_connection(HOST, harness.port)
        writer.write(frame() + frame()[:17])
        await harness.until(lambda: "accepted" in harness.decided)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await harness.until(lambda: harness.ended(EndReason.BROKEN) == 1)
        await harness.until(lambda: harness.decided == ["accepted", "bad_frame"])
        sessions = harness.listener.sessions
        assert (len(sessions), sessions.placed, sessions._of_gateway) == (0, 0, {})


async def test_half_a_frame_and_then_silence_is_cut() -> None:
    async with PortHarness(limits=Limits(frame_s=0.2)).open() as harness:
        reader, writer = await asyncio.open_connection(HOST, harness.port)
        writer.write(frame()[:20])
        await harness.until(lambda: len(harness.listener.sessions) > 0)

        def cut() -> bool:
            harness.listener.sweep()
            return harness.ended(EndReason.UNFINISHED_FRAME) == 1

        await harness.until(cut)
        async with asyncio.timeout(LIMIT_S):
            assert await reader.read() == b""
        writer.close()


async def test_half_open_connections_are_found_out_by_the_kernel() -> None:
    async with PortHarness().open() as harness:
        _, writer = await asyncio.open_connection(HOST, harness.port)
        await harness.until(lambda: len(harness.listener.sessions) > 0)
        (session,) = harness.listener.sessions
        assert session._transport is not None
        sock = session._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
        writer.close()


async def test_a_device_that_never_reads_costs_bounded_memory_and_is_cut() -> None:
    async with PortHarness(limits=Limits(unsent_bytes=4096)).open() as harness:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, (HOST, harness.port))

        async def talk() -> None:
            while True:
                await loop.sock_sendall(sock, frame() * 20)

        talking = asyncio.create_task(talk())
        await harness.until(lambda: harness.ended(EndReason.DOES_NOT_READ) == 1)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        sock.close()


async def test_a_datagram_is_answered_where_it_came_from_and_only_from_a_registered_network() -> None:
    async with PortHarness().open() as harness:
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        await loop.sock_connect(sock, (HOST, harness.port))
        await loop.sock_sendall(sock, frame("G000002") + frame("G000003"))
        await loop.sock_sendall(sock, b"")
        await loop.sock_sendall(sock, frame(serial=5) + frame(serial=6, adu=status(3)))
        async with asyncio.timeout(LIMIT_S):
            answers = [decode_frame(await loop.sock_recv(sock, 2000)) for _ in range(2)]
        assert {(answer.command, answer.serial) for answer in answers} == {(3, 5), (3, 6)}
        await harness.until(lambda: len(harness.decided) == 4)
        assert sorted(harness.decided) == ["accepted", "accepted", "identity_mismatch", "unknown_gateway"]
        assert (harness.main.counts().received, harness.fire.counts().received) == (3, 1)
        sock.close()


async def test_datagrams_wait_in_the_kernel_while_a_lane_is_full() -> None:
    harness = PortHarness()
    await harness.datagrams.open()
    harness.lanes.paused = True
    harness.datagrams.pause()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(frame(), (HOST, harness.port))
    for _ in range(10):
        await asyncio.sleep(0)
    assert harness.main.counts().received == 0
    harness.datagrams.resume()
    await harness.until(lambda: harness.main.counts().received == 1)
    await harness.datagrams.close()


# --- more callers than places


class Crowd:
    """Callers that never show a frame: silence, half a frame, a byte now and then. Each calls again when it is cut."""

    def __init__(self, port: int, count: int, address: str = HOST) -> None:
        self.calls = 0
        self._port = port
        self._address = address
        self._tasks = [asyncio.create_task(self._call(number)) for number in range(count)]

    async def _call(self, number: int) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(HOST, self._port, local_addr=(self._address, 0))
            except OSError:
                await asyncio.sleep(0.05)
                continue
            self.calls += 1
            try:
                writer.write(frame()[: number % 3 * 10])
                while not reader.at_eof():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1):  # wait_for of Python 3.11 may keep a cancellation for itself
                            await reader.read(100)
                    if number % 3 == 1:
                        writer.write(b"@")
            except OSError:
                pass
            finally:
                writer.transport.abort()
            await asyncio.sleep(0.1)

    async def disperse(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def called_until_answered(
    port: int, data: bytes, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Call as a device does: one that is cut before it is answered calls again."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                reader, writer = await asyncio.open_connection(HOST, port, ssl=tls)
                writer.write(data)
                assert await answer_to(reader) == Command.CONFIRM
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.01)
            else:
                return reader, writer


@pytest.mark.parametrize(
    ("slow", "limits"), [(64, Limits()), (1200, Limits()), (1200, Limits(connections=100, per_peer=90))]
)
async def test_slow_callers_keep_no_fire_out_and_push_nobody_out_who_has_proven_itself(
    slow: int, limits: Limits
) -> None:
    async with PortHarness(limits=limits).open() as harness:
        harness.register("G000002", [f"{HOST}/32"])
        early, early_writer = await asyncio.open_connection(HOST, harness.port)
        early_writer.write(frame("G000002"))
        assert await answer_to(early) == Command.CONFIRM
        crowd = Crowd(harness.port, slow)
        try:
            await harness.until(lambda: crowd.calls >= slow)
            device, writer = await called_until_answered(harness.port, frame(adu=status(3)))
            so_far = crowd.calls
            await harness.until(lambda: crowd.calls >= so_far + 200 or slow <= limits.per_peer)
            for again, to, name in ((device, writer, "G000001"), (early, early_writer, "G000002")):
                to.write(frame(name, serial=9))
                assert await answer_to(again) == Command.CONFIRM
            assert harness.listener.sessions.placed <= min(limits.per_peer, limits.connections) + 2
        finally:
            await crowd.disperse()
            writer.transport.abort()
            early_writer.transport.abort()


# --- TLS, with certificates of the registry's own authority


class Certificates:
    """An authority in a folder, and files of what it issues."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._now = SystemClock().now()
        self._authority = LocalAuthority(folder / "ca")
        self._authority.found(self._now)
        pair = self._authority.certify_server([HOST], self._now, timedelta(days=1))
        (folder / "server.crt").write_bytes(pair.certificate_pem)
        (folder / "server.key").write_bytes(pair.key_pem)
        self.revoke()

    def issue(self, gateway_id: str) -> Certificate:
        pair = self._authority.certify(gateway_id, self._now, timedelta(days=1))
        (self.folder / f"{gateway_id}.pem").write_bytes(pair.certificate_pem + pair.key_pem)
        return pair.certificate

    def revoke(self, *certificates: Certificate) -> None:
        (self.folder / "crl.pem").write_bytes(self._authority.revocations(certificates, self._now))

    def server(self) -> Tls:
        files = ("server.crt", "server.key", f"ca/{CERTIFICATE_FILE}", "crl.pem")
        return Tls(*(str(self.folder / name) for name in files))

    def client(self, gateway_id: str | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "ca" / CERTIFICATE_FILE))
        if gateway_id is not None:
            context.load_cert_chain(self.folder / f"{gateway_id}.pem")
        return context


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    (tmp_path / "ca").mkdir(mode=0o700)
    return Certificates(tmp_path)


async def test_a_certificate_speaks_for_its_own_gateway_and_for_no_other(certificates: Certificates) -> None:
    certificates.issue("G000001")
    certificates.issue("G000002")
    async with PortHarness(tls=certificates.server()).open() as harness:
        own, writer = await asyncio.open_connection(HOST, harness.port, ssl=certificates.client("G000001"))
        writer.write(frame("G000001"))
        assert await answer_to(own) == Command.CONFIRM
        _, thief = await asyncio.open_connection(HOST, harness.port, ssl=certificates.client("G000002"))
        thief.write(frame("G000001") * 3)
        await harness.until(lambda: harness.decided == ["accepted"] + ["identity_mismatch"] * 3)
        await harness.until(lambda: harness.ended(EndReason.NOT_BELIEVED) == 1)
        assert harness.listener.send("G000001", frame())  # its own connection is still there
        writer.transport.abort()
        thief.transport.abort()


async def test_without_a_certificate_or_without_tls_nobody_gets_in(certificates: Certificates) -> None:
    async with PortHarness(tls=certificates.server()).open() as harness:
        assert not await harness.answers(certificates.client(None))
        _, open_writer = await asyncio.open_connection(HOST, harness.port)
        open_writer.write(frame())
        await harness.until(lambda: harness.ended(EndReason.NO_TLS) == 2)
        assert (harness.decided, len(harness.listener.sessions)) == ([], 0)
        open_writer.close()


async def test_handshakes_that_never_end_keep_no_certificate_out(certificates: Certificates) -> None:
    certificates.issue("G000001")
    async with PortHarness(limits=Limits(per_peer=16), tls=certificates.server()).open() as harness:
        crowd = Crowd(harness.port, 200)
        try:
            await harness.until(lambda: crowd.calls >= 200)
            _, writer = await called_until_answered(harness.port, frame("G000001"), certificates.client("G000001"))
            writer.transport.abort()
        finally:
            await crowd.disperse()


async def test_a_revoked_certificate_loses_its_connection_and_gets_no_other(certificates: Certificates) -> None:
    noted = certificates.issue("G000001")
    async with PortHarness(tls=certificates.server()).open() as harness:
        reader, writer = await asyncio.open_connection(HOST, harness.port, ssl=certificates.client("G000001"))
        writer.write(frame())
        assert await answer_to(reader) == Command.CONFIRM
        certificates.revoke(noted)
        harness.listener.sweep()
        await harness.until(lambda: harness.ended(EndReason.REVOKED) == 1)
        assert not await harness.answers(certificates.client("G000001"))
        await harness.until(lambda: harness.ended(EndReason.NO_TLS) == 1)
        writer.transport.abort()


async def test_files_that_cannot_be_used_leave_the_old_ones_in_force(certificates: Certificates) -> None:
    certificates.issue("G000001")
    async with PortHarness(tls=certificates.server()).open() as harness:
        (certificates.folder / "crl.pem").write_text("nonsense")
        harness.listener.sweep()
        assert await harness.answers(certificates.client("G000001"))
