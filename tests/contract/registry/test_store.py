"""The store in memory and the one in PostgreSQL promise the same."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.registry.adapters.postgres import open_store
from services.registry.domain.credentials import Certificate, Password
from services.registry.domain.entities import Facts, Kind, Version
from services.registry.domain.routing import resolve
from services.registry.ports import ImportNote, Store
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import DAY, T0, contact, gateway, policy, street, unit

NOTE = ImportNote("units.csv", "0" * 64, Kind.UNIT, 1, 1, T0)
LATER = T0 + timedelta(hours=1)
JUNE = date(2026, 6, 1)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    async with open_store(request.getfixturevalue("migrated_database"), "tests") as opened:
        yield opened


def hospital(day: date = DAY, at: datetime = T0, **changes: object) -> Version[Facts]:
    facts = unit(**changes)
    return Version(facts, day, at, resolve(facts, policy(), day))


async def add(store: Store, kind: Kind, *versions: Version[Facts]) -> None:
    async with store.transaction() as register:
        await register.add(kind, versions, None)


async def test_every_kind_comes_back_as_it_went_in(store: Store) -> None:
    versions: dict[Kind, Version[Facts]] = {
        Kind.PACK: Version(policy(), DAY, T0),
        Kind.DEPARTMENT: Version(street(), DAY, T0),
        Kind.UNIT: hospital(),
        Kind.GATEWAY: Version(gateway(), DAY, T0),
        Kind.CONTACT: Version(contact(webhook_url="http://127.0.0.1/", webhook_secret_ref="c"), DAY, T0),
    }
    for kind, version in versions.items():
        await add(store, kind, version)
    async with store.transaction() as register:
        for kind, version in versions.items():
            histories = await register.histories(kind)
            assert {key: list(each.versions) for key, each in histories.items()} == {version.facts.id: [version]}


async def test_histories_are_in_order_of_day_and_then_of_knowledge(store: Store) -> None:
    first, second, third = hospital(JUNE, name="C"), hospital(at=LATER, name="B"), hospital(name="A")
    await add(store, Kind.UNIT, first, second, third)
    async with store.transaction() as register:
        history = (await register.histories(Kind.UNIT, ["U000001", "U9"]))["U000001"]
    assert list(history.versions) == [third, second, first]


async def test_current_is_the_latest_knowledge_of_the_day(store: Store) -> None:
    await add(store, Kind.UNIT, hospital(name="A"), hospital(at=LATER, name="B"), hospital(JUNE, name="C"))
    await add(store, Kind.UNIT, hospital(JUNE, unit_id="U000002"))
    async with store.transaction() as register:
        today = [version.facts.id for version in await register.current(Kind.UNIT, DAY)]
        june = [version.valid_from for version in await register.current(Kind.UNIT, JUNE)]
        assert await register.current(Kind.UNIT, DAY - timedelta(days=1)) == []
    assert (today, june) == (["U000001"], [JUNE, JUNE])


async def test_ids_and_last_recorded(store: Store) -> None:
    async with store.transaction() as register:
        assert await register.last_recorded() is None
        assert await register.ids(Kind.UNIT) == set()
    await add(store, Kind.UNIT, hospital(), hospital(JUNE, at=LATER))
    async with store.transaction() as register:
        assert await register.last_recorded() == LATER
        assert await register.ids(Kind.UNIT) == {"U000001"}
        assert await register.ids(Kind.GATEWAY) == set()


async def test_what_was_added_is_unpublished_packs_first_until_said_otherwise(store: Store) -> None:
    await add(store, Kind.CONTACT, Version(contact(), DAY, T0))
    await add(store, Kind.UNIT, hospital(), hospital(unit_id="U000002"))
    await add(store, Kind.PACK, Version(policy(), DAY, T0))
    async with store.transaction() as register:
        waiting = await register.unpublished(10)
        assert list(waiting) == [
            (Kind.PACK, "sample-2026"), (Kind.UNIT, "U000001"), (Kind.UNIT, "U000002"), (Kind.CONTACT, "C-1"),
        ]  # fmt: skip
        assert list(await register.unpublished(2)) == list(waiting)[:2]
        await register.published(waiting[:2])
    async with store.transaction() as register:
        assert list(await register.unpublished(10)) == list(waiting)[2:]
        await register.mark_all_unpublished()
        assert list(await register.unpublished(10)) == list(waiting), "onto a topic that was made anew"
        await register.published(list(waiting)[:2])


async def add_and_fail(store: Store) -> None:
    async with store.transaction() as register:
        await register.add(Kind.UNIT, [hospital()], NOTE)
        raise ZeroDivisionError


async def test_error_undoes_the_transaction(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        await add_and_fail(store)
    async with store.transaction() as register:
        assert await register.ids(Kind.UNIT) == set()
        assert await register.unpublished(10) == []


async def test_command_not_kept_sees_its_own_transactions_and_leaves_nothing(store: Store) -> None:
    async with store.command(keep=False):
        await add(store, Kind.UNIT, hospital())
        async with store.transaction() as register:
            assert await register.ids(Kind.UNIT) == {"U000001"}
    async with store.transaction() as register:
        assert await register.ids(Kind.UNIT) == set()


async def test_instants_come_back_aware(store: Store) -> None:
    await add(store, Kind.UNIT, hospital())
    async with store.transaction() as register:
        (version,) = await register.current(Kind.UNIT, DAY)
    assert version.recorded_at == T0
    assert version.recorded_at.astimezone(UTC).tzinfo is UTC


LONG = timedelta(days=365)


async def test_a_password_replaces_the_one_before_and_ends_when_revoked(store: Store) -> None:
    async with store.transaction() as register:
        await register.credentials.put_passwords([Password(name, T0, f"$7$old-{name}") for name in ("G2", "G1")])
    newer = Password("G1", LATER, "$7$new")
    async with store.transaction() as register:
        await register.credentials.put_passwords([newer])
    async with store.transaction() as register:
        assert list(await register.credentials.passwords()) == [newer, Password("G2", T0, "$7$old-G2")]
        assert await register.credentials.revoke(["G1", "G3"], LATER) == (1, 0)
        assert [each.gateway_id for each in await register.credentials.passwords()] == ["G2"]
        assert await register.credentials.revoke(["G1"], LATER) == (0, 0)


async def test_certificates_are_kept_after_they_are_revoked(store: Store) -> None:
    first, second = Certificate("a1", "G1", T0, T0 + LONG), Certificate("b2", "G1", LATER, LATER + LONG)
    async with store.transaction() as register:
        await register.credentials.add_certificate(second)
        await register.credentials.add_certificate(first)
        await register.credentials.add_certificate(Certificate("c3", "G0", T0, T0 + LONG))
    async with store.transaction() as register:
        assert await register.credentials.revoke(["G1"], LATER) == (0, 2)
    async with store.transaction() as register:
        found = list(await register.credentials.certificates())
        assert found[1:] == [replace(each, revoked_at=LATER) for each in (first, second)]
        assert (found[0].serial, found[0].revoked_at) == ("c3", None)


async def test_credentials_are_undone_with_their_transaction(store: Store) -> None:
    async with store.transaction(keep=False) as register:
        await register.credentials.put_passwords([Password("G1", T0, "$7$x")])
        await register.credentials.add_certificate(Certificate("a1", "G1", T0, T0 + LONG))
    async with store.transaction() as register:
        assert (await register.credentials.passwords(), await register.credentials.certificates()) == ([], [])
