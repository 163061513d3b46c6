"""What a hostile client tries on the broker and at ingest, and what comes of it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.refusal import Refusal
from services.ingest.domain.gb26875 import decode_frame, encode_frame
from services.registry.adapters.authority import LocalAuthority
from services.runtime.clock import SystemClock
from tests.integration.access.client import LIMIT_S, Client
from tests.integration.access.conftest import Site
from tests.integration.ingest.log import Written, read_all
from tests.integration.ingest.process import until
from tests.unit.registry.builders import ROOT

pytestmark = pytest.mark.timeout(300)

FIRE = bytes.fromhex(
    "404002020100090807060518A186010000000A00000000001600020102010003000908070605180A010509090807060518202323"
)


def frame_of(number: int, serial: int = 514) -> bytes:
    """Return a fire frame from the address that the site registered for its gateway `number`."""
    return encode_frame(decode_frame(FIRE)._replace(source_raw=(100_000 + number).to_bytes(6, "little"), serial=serial))


def heartbeat(seq: int, **more: object) -> str:
    return json.dumps({"v": 1, "kind": "heartbeat", "seq": seq, **more})


@contextmanager
def closing(*clients: Client) -> Iterator[None]:
    try:
        yield
    finally:
        for client in clients:
            client.close()


async def written_with(site: Site, gateway_id: str, seq: int) -> Written:
    """Return everything on the topics, once the gateway's numbered message is among it."""
    async with asyncio.timeout(LIMIT_S):
        while seq not in (found := await read_all(site.bootstrap)).numbers(gateway_id):  # noqa: ASYNC110 - Kafka tells nobody
            await asyncio.sleep(0.05)
    return found


def refusals_of(written: Written, gateway_id: str) -> list[Refusal]:
    return [refusal for refusal in written.refusals if refusal.data.gateway_id == gateway_id]


# --- who gets in


@pytest.mark.parametrize("listener", ["passwords", "certificates", "services"])
async def test_nobody_gets_in_without_a_name(site: Site, listener: str) -> None:
    client = Client(site.ports[listener], site.ca)
    with closing(client):
        assert not client.connected


async def test_a_password_opens_for_its_own_gateway_only(site: Site) -> None:
    mine, other = site.take(), site.take()
    tries = [
        (site.gateway(mine), "guessed"),
        (site.gateway(mine), ""),
        (site.gateway(other), site.passwords[site.gateway(mine)]),
        ("ingest", site.passwords[site.gateway(mine)]),
        ("ingest", site.services["ingest"]),
        ("#", site.passwords[site.gateway(mine)]),
    ]
    for password in tries:
        client = Client(site.ports["passwords"], site.ca, password=password)
        with closing(client):
            assert client.refused == "Not authorized", password[0]


async def test_a_gateways_password_opens_nothing_among_services(site: Site) -> None:
    name = site.gateway(site.take())
    client = Client(site.ports["services"], site.ca, password=(name, site.passwords[name]))
    with closing(client):
        assert client.refused == "Not authorized"


def foreign(folder: Path, name: str, *, days: int = 30, made_days_ago: int = 1) -> tuple[Path, Path]:
    """Return a client certificate of an authority of the attacker's own."""
    authority = LocalAuthority(folder / f"ca-{name}")
    made_at = SystemClock().now() - timedelta(days=made_days_ago)
    authority.found(made_at)
    return _put(folder, name, authority, made_at, days)


def _put(folder: Path, name: str, authority: LocalAuthority, at: object, days: int) -> tuple[Path, Path]:
    made = authority.certify(name, at, timedelta(days=days))  # type: ignore[arg-type]
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    for path, content in zip(paths, (made.certificate_pem, made.key_pem), strict=True):
        path.write_bytes(content)
    return paths


async def test_certificates_of_another_authority_or_of_the_past_are_refused(site: Site, tmp_path: Path) -> None:
    name = site.gateway(site.take())
    ours = LocalAuthority(site.folder / "ca")
    now = SystemClock().now()
    own_ca = (tmp_path / "ca-self" / "ca.crt", tmp_path / "ca-self" / "ca.key")
    foreign(tmp_path, "self")
    tries = {
        "foreign": foreign(tmp_path, name),
        "self-signed": own_ca,
        "expired": _put(tmp_path, f"{name}-old", ours, now - timedelta(days=60), 30),
        "the server's own": (site.access / "server.crt", site.access / "server.key"),
    }
    for what, certificate in tries.items():
        client = Client(site.ports["certificates"], site.ca, certificate=certificate)
        with closing(client):
            client.ended.wait(LIMIT_S)
            assert not client.connected, what


async def test_a_gateway_does_not_take_another_server_for_ours(site: Site, tmp_path: Path) -> None:
    foreign(tmp_path, "other")
    name = site.gateway(site.take())
    client = Client(site.ports["passwords"], tmp_path / "ca-other" / "ca.crt", password=(name, site.passwords[name]))
    assert "certificate verify failed" in (client.refused or "")


# --- what it may say and hear


@pytest.mark.parametrize("way", ["by_password", "by_certificate"])
async def test_a_gateway_speaks_for_itself_and_for_nobody_else(site: Site, way: str) -> None:
    """From its own topic to Kafka over TLS; under another's id nothing gets as far as ingest."""
    mine, other = site.take(), site.take()
    a, b = site.gateway(mine), site.gateway(other)
    connect: Callable[[int], Client] = getattr(site, way)
    foreign_topics = [f"firenet/v1/{b}/{branch}" for branch in ("up/json", "alarm/json", "status", "down/json")]
    for topic in (*foreign_topics, f"firenet/v1/$ingest/{site.instance}/main/probe"):
        client = connect(mine)
        with closing(client):
            client.publish(topic, heartbeat(666))
            assert client.ended.wait(LIMIT_S), "what is refused costs the connection"
    client = connect(mine)
    with closing(client):
        client.publish(f"firenet/v1/{a}/up/json", heartbeat(1))
        written = await written_with(site, a, 1)
    assert written.numbers(b) == []
    assert refusals_of(written, b) == refusals_of(written, a) == []
    assert site.ingest.ready()


async def test_a_gateway_hears_what_is_sent_to_it_and_nothing_else(site: Site) -> None:
    mine, other = site.take(), site.take()
    spy, honest = site.by_password(mine), site.by_password(other)
    with closing(spy, honest):
        spy.subscribe("#", "firenet/v1/+/up/+", f"firenet/v1/{site.gateway(other)}/down/#", "$SYS/#")
        honest.subscribe(f"firenet/v1/{site.gateway(other)}/down/#")
        honest.publish(f"firenet/v1/{site.gateway(other)}/alarm/gb26875", frame_of(other))
        honest.wait_heard(lambda heard: len(heard) == 1)
        spy.publish(f"firenet/v1/{site.gateway(mine)}/alarm/gb26875", frame_of(mine))
        spy.wait_heard(lambda heard: len(heard) == 1)
        assert spy.heard[0][0] == f"firenet/v1/{site.gateway(mine)}/down/gb26875"
        assert honest.heard[0][0] == f"firenet/v1/{site.gateway(other)}/down/gb26875"


async def test_no_client_id_throws_another_session_out(site: Site) -> None:
    """Ingest's session holds what nobody has read yet: who could take its name could take all of it."""
    mine, other = site.take(), site.take()
    victim = site.by_password(other)
    before = site.ingest.metric("mqtt_connects_total")
    thieves = [
        site.by_password(mine, client_id=name)
        for name in (f"firenet-{site.instance}-main", f"firenet-{site.instance}-fire", site.gateway(other))
    ]
    with closing(victim, *thieves):
        thieves[-1].publish(f"firenet/v1/{site.gateway(mine)}/up/json", heartbeat(1))
        await written_with(site, site.gateway(mine), 1)
        assert victim.connected
        assert site.ingest.ready()
        assert site.ingest.metric("mqtt_connects_total") == before
        # All of one gateway's own connections are one session: only the last of them lives.
        assert all(thief.ended.wait(LIMIT_S) for thief in thieves[:-1])


async def test_a_certificate_counts_whatever_user_name_comes_with_it(site: Site) -> None:
    mine = site.take()
    site.by_certificate(mine).close()
    certificate = site.access / f"{site.gateway(mine)}.crt"
    client = Client(
        site.ports["certificates"],
        site.ca,
        password=("ingest", site.services["ingest"]),
        certificate=(certificate, certificate.with_suffix(".key")),
    )
    with closing(client):
        client.subscribe("firenet/v1/+/up/+")
        client.publish(f"firenet/v1/{site.gateway(mine)}/up/json", heartbeat(1))
        await written_with(site, site.gateway(mine), 1)
        assert client.heard == []


async def test_what_comes_while_ingest_is_away_waits_for_it(site: Site) -> None:
    """With rights for each listener the broker must still know what a session that is away may read."""
    mine = site.take()
    await site.ingest.stop()
    client = site.by_password(mine)
    with closing(client):
        client.publish(f"firenet/v1/{site.gateway(mine)}/up/json", heartbeat(1))
        await site.ingest.start()
        await written_with(site, site.gateway(mine), 1)


# --- what it says


async def test_a_payload_that_names_another_unit_is_refused(site: Site) -> None:
    mine, other = site.take(), site.take()
    client = site.by_password(mine)
    with closing(client):
        client.publish(f"firenet/v1/{site.gateway(mine)}/up/json", heartbeat(1, unit_id=site.unit(other)))
        client.publish(f"firenet/v1/{site.gateway(mine)}/up/json", heartbeat(2, unit_id=site.unit(mine)))
        written = await written_with(site, site.gateway(mine), 2)
    assert written.numbers(site.gateway(mine)) == [2]
    (refusal,) = refusals_of(written, site.gateway(mine))
    assert refusal.data.reason == "identity_mismatch"


async def test_a_frame_with_another_devices_address_is_refused_and_never_confirmed(site: Site) -> None:
    mine, other = site.take(), site.take()
    client = site.by_password(mine)
    topic = f"firenet/v1/{site.gateway(mine)}"
    with closing(client):
        client.subscribe(f"{topic}/down/#")
        client.publish(f"{topic}/alarm/gb26875", frame_of(other, serial=1))
        client.publish(f"{topic}/alarm/gb26875", frame_of(mine, serial=2))
        client.wait_heard(lambda heard: len(heard) == 1)
        client.publish(f"{topic}/up/json", heartbeat(9))
        written = await written_with(site, site.gateway(mine), 9)
    assert decode_frame(client.heard[0][1]).serial == 2
    assert {refusal.data.reason for refusal in refusals_of(written, site.gateway(mine))} == {"identity_mismatch"}


# --- what was taken away


async def test_a_rotated_password_ends_its_session_and_nobody_elses(site: Site) -> None:
    mine, other = site.take(), site.take()
    name = site.gateway(mine)
    live, bystander = site.by_password(mine), site.by_password(other)
    with closing(live, bystander):
        (line, *_) = site.registry("credentials", "rotate", "--gateway", name).splitlines()
        site.said.pop()  # the one place where the new password may stand
        site.write_and_reload()
        assert live.ended.wait(LIMIT_S)
        old = site.by_password(mine)
        assert old.refused == "Not authorized"
        site.passwords[name] = line.removeprefix(f"{name} ")
        new = site.by_password(mine)
        with closing(old, new):
            assert new.connected
            assert bystander.connected
            assert site.ingest.ready()


async def test_a_revoked_gateway_is_out_on_both_ways(site: Site) -> None:
    """Told to read anew, Mosquitto ends the session on the password; the one on the certificate must be ended."""
    mine, other = site.take(), site.take()
    certified, bystander = site.by_certificate(mine), site.by_certificate(other)
    with closing(certified, bystander):
        said = site.registry("credentials", "revoke", "--gateway", site.gateway(mine))
        assert "1 passwords, 1 certificates" in said
        assert "credentials disconnect" in site.write_and_reload()
        await until(lambda: not _gets_in(site, mine))
        assert site.gateway(mine) in site.registry("credentials", "disconnect")
        assert certified.ended.wait(LIMIT_S)
        assert bystander.connected
    for again in (site.by_password(mine), site.by_certificate(mine)):
        with closing(again):
            again.ended.wait(LIMIT_S)
            assert not again.connected


def _gets_in(site: Site, number: int) -> bool:
    client = site.by_password(number)
    client.close()
    return client.refused is None


async def test_a_retired_gateway_is_left_out_by_itself(site: Site) -> None:
    mine = site.take()
    site.by_certificate(mine).close()
    live = site.by_password(mine)
    path = site.folder / "retired-gateways.csv"
    today = SystemClock().now().date() - timedelta(days=1)
    path.write_text(
        f"gateway_id,unit_id,carrier,retired_on\n{site.gateway(mine)},{site.unit(mine)},any,{today}\n", encoding="utf-8"
    )
    with closing(live):
        site.registry("import", str(path))
        said = site.write_and_reload()
        assert "1 certificates shut out" in said or "2 certificates shut out" in said
        assert live.ended.wait(LIMIT_S)
        assert not _gets_in(site, mine)


# --- what nobody may see


async def test_no_secret_is_printed_logged_or_listed(site: Site) -> None:
    site.registry("credentials", "list")
    site.registry("credentials", "write", "--help")
    places = [*site.said, site.ingest.log(), site.broker.log.read_text()]
    places += [path.read_text() for path in site.access.iterdir() if path.suffix in {".passwords", ".acl"}]
    secrets = [*site.passwords.values(), *site.services.values()]
    assert len(secrets) > 20
    assert [secret for secret in secrets for place in places if secret in place] == []


def test_a_refused_command_is_a_sentence_and_exit_code_1(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.registry", "credentials", "ca"],
        cwd=ROOT, env={"PATH": "", "REGISTRY_CA_DIR": "/dev/null/ca"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
