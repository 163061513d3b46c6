"""Who gets a password, what holds, and that a password is seen once and kept nowhere."""

import stat
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from services.registry.adapters.authority import LocalAuthority
from services.registry.adapters.handout import CsvHandout
from services.registry.adapters.mosquitto import MosquittoAccess, MosquittoPasswords, hashed, service_passwords
from services.registry.domain.credentials import Access, Certificate, Drawn, Password, access
from services.registry.domain.entities import Kind, Version
from services.registry.domain.errors import AuthorityUnusable, CredentialsRefused
from services.registry.worker.credentials import CredentialsOffice
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import DAY, T0, gateway

YEAR = timedelta(days=365)


class Screen:
    """Remembers what was shown; `broken` cannot show anything."""

    def __init__(self, *, broken: bool = False) -> None:
        self.shown: dict[str, str] = {}
        self._broken = broken

    def show(self, drawn: Sequence[Drawn]) -> None:
        if self._broken:
            raise CredentialsRefused("no room")
        self.shown |= {each.gateway_id: each.password for each in drawn}


class Office(CredentialsOffice):
    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), ManualClock(T0)
        super().__init__(store=self.store, passwords=MosquittoPasswords(), clock=self.clock)


@pytest.fixture
async def office() -> Office:
    made = Office()
    living = [Version(gateway(gateway_id=name), DAY, T0) for name in ("G1", "G2")]
    retired = Version(gateway(gateway_id="G3", retired_on=DAY), DAY, T0)
    async with made.store.transaction() as register:
        await register.add(Kind.GATEWAY, [*living, retired], None)
    return made


async def holding(office: Office) -> dict[str, str]:
    async with office.store.transaction() as register:
        return {each.gateway_id: each.hashed for each in await register.credentials.passwords()}


async def test_all_in_force_that_have_none_get_one(office: Office) -> None:
    first, second = Screen(), Screen()
    await office.issue(["G2"], first)
    assert await office.issue(None, second) == 1
    assert (set(first.shown), set(second.shown)) == ({"G2"}, {"G1"})


@pytest.mark.parametrize("wanted", ["G3", "G9", "G1 ", ""])
async def test_a_gateway_that_is_not_in_force_gets_nothing(office: Office, wanted: str) -> None:
    screen = Screen()
    for draw in (office.issue, office.rotate):
        with pytest.raises(CredentialsRefused, match="no gateway in force"):
            await draw(["G1", wanted], screen)
    assert (screen.shown, await holding(office)) == ({}, {})


async def test_a_second_issue_is_refused_and_a_rotation_replaces(office: Office) -> None:
    screen = Screen()
    await office.issue(["G1"], screen)
    before = await holding(office)
    with pytest.raises(CredentialsRefused, match="rotate"):
        await office.issue(["G1"], screen)
    old = screen.shown["G1"]
    assert await office.rotate(None, screen) == 1
    assert screen.shown["G1"] != old
    assert await holding(office) != before


async def test_a_password_that_could_not_be_shown_does_not_hold(office: Office) -> None:
    await office.issue(["G1"], Screen())
    before = await holding(office)
    with pytest.raises(CredentialsRefused):
        await office.rotate(["G1"], Screen(broken=True))
    assert await holding(office) == before


async def test_what_is_revoked_no_longer_holds(office: Office, tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path)
    authority.found(office.clock.now())
    await office.issue(None, Screen())
    made = await office.certify("G1", authority, YEAR)
    assert await office.revoke(["G1", "G1", "G9"]) == (1, 1)
    assert await office.revoke(["G1"]) == (0, 0)
    assert set(await holding(office)) == {"G2"}
    assert list(await office.shut_out()) == ["G1"]
    (held,) = [each for each in await office.held() if each.gateway_id == "G1"]
    assert (held.password, held.certificates[0].serial) == (None, made.certificate.serial)


def test_a_retired_gateway_loses_everything_and_an_expired_certificate_is_not_listed() -> None:
    passwords = [Password(name, T0, "$7$") for name in ("G2", "G1", "G3")]
    certificates = [
        Certificate("a", "G1", T0, T0 + YEAR),
        Certificate("b", "G1", T0, T0 + YEAR, revoked_at=T0),
        Certificate("c", "G3", T0, T0 + YEAR),
        Certificate("d", "G3", T0, T0),
        Certificate("e", "G1", T0, T0, revoked_at=T0),
    ]
    found = access(["G1", "G2"], passwords, certificates, T0)
    assert [each.gateway_id for each in found.passwords] == ["G1", "G2"]
    assert [each.serial for each in found.revoked] == ["b", "c"]
    assert found.shut_out == ["G1", "G3"]


# --- files


@given(st.text(alphabet=st.characters(codec="ascii", min_codepoint=33), min_size=24, max_size=60))
def test_no_hash_holds_its_password_and_no_two_are_alike(password: str) -> None:
    first, second = hashed(password), hashed(password)
    assert first != second
    assert password not in first
    assert first.startswith("$7$")
    assert len(first.split("$")) == 5


def test_drawn_passwords_are_long_and_never_in_a_representation() -> None:
    password, hash_text = MosquittoPasswords().draw()
    assert len(password) == 32
    assert password not in repr(Drawn("G1", password))
    assert hash_text not in repr(Password("G1", T0, hash_text))


def test_files_of_the_broker_hold_hashes_and_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "access"
    secret = "a-service-password-of-32-letters"
    for _ in range(2):
        held = Access([Password("G1", T0, hashed("the-password-of-gateway-one"))], [])
        MosquittoAccess(folder, {"ingest": secret}).write(held, b"list", b"authority")
    content = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(content) == {
        "ca.crt", "revoked.pem", "gateways.acl", "gateways.passwords", "services.acl", "services.passwords",
    }  # fmt: skip
    assert not any(secret in text or "gateway-one" in text for text in content.values())
    assert content["gateways.passwords"].startswith("G1:$7$")
    assert content["services.passwords"].startswith("ingest:$7$")
    assert "simulator" not in content["services.acl"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "content"),
    [("root", "x" * 32), ("ingest", "short"), ("ingest", "x" * 32 + "\ny"), ("ingest", "密" * 30), ("monitor", None)],
)
def test_a_service_password_is_named_and_strong_or_refused_without_being_told(
    name: str, content: str | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "password").write_text(content)
    with pytest.raises(CredentialsRefused) as refused:
        service_passwords({name: tmp_path / "password"})
    assert content is None or content not in str(refused.value)


def test_a_csv_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "passwords.csv"
    CsvHandout(path).show([Drawn("G1", "one")])
    assert path.read_text().splitlines() == ["gateway_id,password", "G1,one"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(CredentialsRefused):
        CsvHandout(path).show([Drawn("G1", "two")])
    assert "one" in path.read_text()


# --- certificates


@pytest.fixture
def authority(tmp_path: Path) -> LocalAuthority:
    made = LocalAuthority(tmp_path / "ca")
    assert made.found(T0)
    return made


def test_an_authority_is_made_once_and_its_key_is_its_owners_alone(authority: LocalAuthority, tmp_path: Path) -> None:
    before = (tmp_path / "ca" / "ca.key").read_bytes()
    assert not LocalAuthority(tmp_path / "ca").found(T0)
    assert (tmp_path / "ca" / "ca.key").read_bytes() == before
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ca").iterdir()} == {0o600}


def test_a_gateways_certificate_names_it_and_is_for_clients(authority: LocalAuthority) -> None:
    made = authority.certify("G1", T0, YEAR)
    parsed = x509.load_pem_x509_certificate(made.certificate_pem)
    assert [each.value for each in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["G1"]
    purposes = parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert f"{parsed.serial_number:x}" == made.certificate.serial
    assert parsed.not_valid_after_utc == made.certificate.expires_at == T0 + YEAR
    parsed.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate()))
    assert made.key_pem.decode() not in repr(made)


def test_a_servers_certificate_holds_every_name_and_is_no_gateways(authority: LocalAuthority) -> None:
    parsed = x509.load_pem_x509_certificate(
        authority.certify_server(["mosquitto", "127.0.0.1"], T0, YEAR).certificate_pem
    )
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mosquitto"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    purposes = parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize("name", ["", "a b", "-x", "a..b", "*", "块", "a/b"])
def test_what_is_no_host_is_refused(authority: LocalAuthority, name: str) -> None:
    with pytest.raises(CredentialsRefused, match="no host name"):
        authority.certify_server(["localhost", name], T0, YEAR)


def test_the_revocation_list_names_what_is_revoked_and_never_runs_out_first(authority: LocalAuthority) -> None:
    made = authority.certify("G1", T0, YEAR).certificate
    parsed = x509.load_pem_x509_crl(authority.revocations([made], T0))
    assert parsed.get_revoked_certificate_by_serial_number(int(made.serial, 16)) is not None
    own = x509.load_pem_x509_certificate(authority.certificate())
    assert parsed.next_update_utc == own.not_valid_after_utc
    assert parsed.is_signature_valid(own.public_key())  # type: ignore[arg-type]
    assert list(x509.load_pem_x509_crl(authority.revocations([], T0))) == []


def test_a_missing_damaged_or_foreign_key_is_told(authority: LocalAuthority, tmp_path: Path) -> None:
    with pytest.raises(AuthorityUnusable, match="credentials ca"):
        LocalAuthority(tmp_path / "nowhere").certificate()
    other = LocalAuthority(tmp_path / "other")
    other.found(T0)
    (tmp_path / "other" / "ca.key").write_bytes((tmp_path / "ca" / "ca.key").read_bytes())
    with pytest.raises(AuthorityUnusable, match="belong together"):
        LocalAuthority(tmp_path / "other").certificate()
    (tmp_path / "other" / "ca.key").write_bytes(b"junk")
    with pytest.raises(AuthorityUnusable, match="cannot be read"):
        LocalAuthority(tmp_path / "other").found(T0)


def test_nothing_outlives_the_authority(authority: LocalAuthority) -> None:
    with pytest.raises(AuthorityUnusable, match="the authority ends"):
        authority.certify("G1", T0 + 19 * YEAR, 2 * YEAR)
