"""Accounts and sessions: memory and PostgreSQL behave alike; real argon2 hashes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from services.console.adapters.postgres_accounts import PostgresAccounts
from services.console.adapters.secrets import Argon2Passwords, RandomSecrets, generated_password
from services.console.adapters.statements import SQL
from services.console.domain.account_audit import AccountAct, broken_at
from services.console.domain.accounts import Account
from services.console.domain.errors import (
    AccountExists,
    BadCredentials,
    IdentityTaken,
    LastAdministrator,
    NotFound,
    WrongCode,
    WrongPassword,
)
from services.console.domain.identity import Identity
from services.console.domain.second_factor import SecondFactor
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.ports.accounts import Accounts
from services.runtime.postgres import open_pool
from tests.fakes.console import T0, FakeAccounts
from tests.integration.console.harness import until
from tests.integration.console.scenario import Scenario

LIMIT_S = 60.0
"""A busy machine is no database that is away."""

ANN = Account(Username("ann"), Role.CENTRE, None, "安", "hash", display_name_en="Ann")
BEA = Account(Username("bea"), Role.DEPARTMENT, BodyCode("health"), "贝", "hash")


def act(action: str, by: str = "adm") -> AccountAct:
    return AccountAct(T0, by, action)


@pytest.fixture(params=["memory", "postgres"])
async def accounts(request: pytest.FixtureRequest) -> AsyncIterator[Accounts]:
    if request.param == "memory":
        yield FakeAccounts()
        return
    scenario: Scenario = request.getfixturevalue("empty_scenario")
    async with open_pool(scenario.dsn, "test", max_size=2) as pool:
        yield PostgresAccounts(pool, LIMIT_S)


async def test_what_was_saved_is_found(accounts: Accounts) -> None:
    for account in (BEA, ANN):
        await accounts.save(account, T0)
    assert await accounts.find("bea") == BEA
    assert await accounts.find("nobody") is None
    assert list(await accounts.all()) == [ANN, BEA]


async def test_a_screen_is_named_anew_but_never_put_in_the_place_of_a_person(accounts: Accounts) -> None:
    hall = Account(Username("hall"), Role.SCREEN, None, "指挥大厅", "!")
    await accounts.save(ANN, T0)
    with pytest.raises(AccountExists):
        await accounts.put_screen(replace(hall, username=ANN.username), act("screen"))
    assert await accounts.find("ann") == ANN
    await accounts.put_screen(hall, act("screen"))
    await accounts.open_session("key", hall, "csrf", T0, T0 + timedelta(days=1))
    assert [(one.username, one.expires_at) for one in await accounts.screens()] == [("hall", T0 + timedelta(days=1))]
    await accounts.disable("hall", act("disable"))
    await accounts.put_screen(replace(hall, display_name="二楼"), act("screen"))
    assert await accounts.session("key", T0) is None
    assert [(one.display_name, one.disabled, one.expires_at) for one in await accounts.screens()] == [
        ("二楼", False, None)
    ]
    assert [link.entry.action for link in await accounts.audited()][-3:] == ["screen", "disable", "screen"]


async def test_failures_count_up_lock_and_are_forgotten(accounts: Accounts) -> None:
    await accounts.save(ANN, T0)
    assert [await accounts.failed(ANN.username, T0) for _ in range(5)] == [1, 2, 3, 4, 5]
    locked = await accounts.find("ann")
    assert locked is not None
    assert locked.locked_until == T0 + timedelta(seconds=30)
    await accounts.succeeded(ANN.username)
    assert await accounts.find("ann") == ANN
    assert await accounts.failed(Username("nobody"), T0) == 0
    assert await accounts.find("nobody") is None


async def test_a_session_lives_until_it_ends_is_closed_or_its_account_is_disabled(accounts: Accounts) -> None:
    until = T0 + timedelta(hours=1)
    await accounts.save(BEA, T0)
    for token in ("one", "two", "three"):
        await accounts.open_session(token, BEA, f"csrf-{token}", T0, until)
    session = await accounts.session("one", T0)
    assert session is not None
    assert (session.viewer, session.csrf, session.expires_at) == (BEA.viewer, "csrf-one", until)
    assert await accounts.session("one", until) is None
    await accounts.close_session("two")
    assert await accounts.session("two", T0) is None
    await accounts.disable("bea", act("disable"))
    assert await accounts.session("three", T0) is None
    with pytest.raises(NotFound):
        await accounts.disable("nobody", act("disable"))


async def test_a_new_password_ends_the_sessions(accounts: Accounts) -> None:
    await accounts.save(ANN, T0)
    await accounts.open_session("one", ANN, "csrf", T0, T0 + timedelta(hours=1))
    await accounts.save(ANN, T0)
    assert await accounts.session("one", T0) is None


async def test_argon2_knows_right_from_wrong_and_nobody_from_somebody() -> None:
    passwords = Argon2Passwords(memory_kib=1024, passes=1)
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$")
    assert await passwords.matches(hashed, "correct horse")
    assert not await passwords.matches(hashed, "battery staple")
    assert not await passwords.matches(None, "correct horse")
    assert not await passwords.matches("not a hash", "x")


def test_tokens_and_passwords_are_long_and_never_repeat() -> None:
    secrets = RandomSecrets()
    assert len({secrets.token() for _ in range(1000)}) == len({generated_password() for _ in range(1000)}) == 1000
    assert len(secrets.token()) == 43
    assert len(generated_password()) == 19
    assert secrets.digest("a") != secrets.digest("b")


async def test_a_change_is_written_down_and_ends_the_other_sessions(accounts: Accounts) -> None:
    until = T0 + timedelta(hours=1)
    made = replace(ANN, administers=True, one_time_until=until)
    await accounts.create(made, act("create", by="command line"))
    assert await accounts.find("ann") == made
    for token in ("one", "two"):
        await accounts.open_session(token, made, f"csrf-{token}", T0, until)
    session = await accounts.session("one", T0)
    assert session is not None
    assert (session.password_due, session.viewer.administers) == (True, True)
    await accounts.change_password(ANN.username, "hash", "other", act("password", by="ann"), keep="one")
    session = await accounts.session("one", T0)
    assert session is not None
    assert not session.password_due
    assert await accounts.session("two", T0) is None
    links = await accounts.audited()
    assert [(link.entry.by, link.entry.action, link.entry.about) for link in links[-2:]] == [
        ("command line", "create", "ann"), ("ann", "password", "ann"),
    ]  # fmt: skip
    assert [link.entry.detail["one_time"] for link in links[-2:]] == [True, False]
    assert broken_at(links) is None
    await accounts.end_sessions("ann", act("sign_out"))
    assert await accounts.session("one", T0) is None
    assert await accounts.find("ann") == replace(made, one_time_until=None, password_hash="other")


async def test_what_is_done_to_an_account_leaves_what_it_is_not_about(accounts: Accounts) -> None:
    until = T0 + timedelta(days=3)
    await accounts.save(BEA, T0)
    for _ in range(5):
        await accounts.failed(BEA.username, T0)
    locked = await accounts.find("bea")
    assert locked is not None
    await accounts.disable("bea", act("disable"))
    edited = Viewer(BEA.username, Role.CENTRE, None, "贝二", administers=True)
    await accounts.edit(edited, act("edit"))
    wanted = replace(locked, disabled=True, role=Role.CENTRE, department=None, display_name="贝二", administers=True)
    await accounts.end_sessions("bea", act("sign_out"))
    assert await accounts.find("bea") == wanted
    await accounts.reset(BEA.username, "drawn", until, act("reset"))
    wanted = replace(
        wanted, password_hash="drawn", one_time_until=until, disabled=False, failed_logins=0, locked_until=None
    )
    assert await accounts.find("bea") == wanted
    details = [link.entry.detail for link in (await accounts.audited())[-4:]]
    assert [(each["role"], each["disabled"]) for each in details] == [
        ("department", True), ("centre", True), ("centre", True), ("centre", False),
    ]  # fmt: skip
    await accounts.put(BEA, act("create"))
    assert await accounts.find("bea") == BEA


async def test_nobody_is_made_twice_changed_when_there_is_none_or_told_of_in_vain(accounts: Accounts) -> None:
    wall = Account(Username("wall"), Role.SCREEN, None, "大屏", "!")
    await accounts.create(ANN, act("create"))
    await accounts.save(wall, T0)
    before = len(await accounts.audited())
    with pytest.raises(AccountExists):
        await accounts.create(replace(ANN, role=Role.BRIGADE, password_hash="another"), act("create"))
    for name in ("nobody", "wall"):
        with pytest.raises(NotFound):
            await accounts.edit(Viewer(Username(name), Role.BRIGADE, None, "x"), act("edit"))
        with pytest.raises(NotFound):
            await accounts.reset(Username(name), "drawn", T0, act("reset"))
    with pytest.raises(NotFound):
        await accounts.end_sessions("nobody", act("sign_out"))
    assert (await accounts.find("ann"), await accounts.find("wall")) == (ANN, wall)
    assert len(await accounts.audited()) == before


@pytest.mark.parametrize("meanwhile", ["disabled", "another password"])
async def test_a_password_that_was_verified_counts_only_while_it_is_the_one(accounts: Accounts, meanwhile: str) -> None:
    until = T0 + timedelta(hours=1)
    await accounts.save(ANN, T0)
    if meanwhile == "disabled":
        await accounts.disable("ann", act("disable"))
    else:
        await accounts.change_password(ANN.username, "hash", "second", act("password"), keep="")
    stands, before = await accounts.find("ann"), len(await accounts.audited())
    with pytest.raises(WrongPassword):
        await accounts.change_password(ANN.username, "hash", "third", act("password"), keep="")
    with pytest.raises(BadCredentials):
        await accounts.open_session("one", ANN, "csrf", T0, until)
    assert await accounts.session("one", T0) is None
    assert (await accounts.find("ann"), len(await accounts.audited())) == (stands, before)


async def test_a_session_that_is_being_opened_ends_with_the_change_of_the_password(empty_scenario: Scenario) -> None:
    ends = T0 + timedelta(hours=1)
    async with open_pool(empty_scenario.dsn, "test", max_size=3) as pool:
        accounts = PostgresAccounts(pool, LIMIT_S)
        await accounts.save(ANN, T0)
        async with pool.connection() as opening:
            await opening.execute(
                SQL["session_open"], ["one", "csrf", T0, ends, T0, False, "ann", "hash", None, None, None]
            )
            changing = asyncio.create_task(
                accounts.change_password(ANN.username, "hash", "second", act("password"), keep="")
            )
            waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

            async def done_or_waits() -> bool:
                return changing.done() or empty_scenario.rows(waiting) != []

            await until(done_or_waits)
        await changing
        assert await accounts.session("one", T0) is None


FACTOR = SecondFactor("sealed", 100)


async def test_a_code_is_taken_once_and_a_recovery_code_is_used_up(accounts: Accounts) -> None:
    until = T0 + timedelta(hours=1)
    await accounts.save(ANN, T0)
    for token in ("one", "two"):
        await accounts.open_session(token, ANN, "csrf", T0, until)
    await accounts.set_second_factor(ANN, FACTOR, ["r1", "r2"], act("second_factor", by="ann"), keep="one")
    session = await accounts.session("one", T0)
    assert session is not None
    assert (session.second_factor, session.recovery_left) == (True, 2)
    assert await accounts.session("two", T0) is None
    for step, taken in ((100, False), (101, True), (101, False), (100, False), (102, True)):
        assert await accounts.take_step(ANN.username, "sealed", step) is taken, step
    assert not await accounts.take_step(ANN.username, "another", 103)
    use = act("recovery_code", by="ann")
    assert [await accounts.take_recovery_code(ANN.username, code, use) for code in ("r1", "r1", "r3")] == [
        True, False, False,
    ]  # fmt: skip
    found = await accounts.find("ann")
    assert found is not None
    assert (found.second_factor, found.recovery_codes) == ("sealed", ("r2",))
    await accounts.put(ANN, act("create"))  # a new password at the command line takes no factor away
    assert await accounts.find("ann") == found
    await accounts.drop_second_factor("ann", act("second_factor_reset"))
    assert await accounts.find("ann") == ANN
    with pytest.raises(NotFound):
        await accounts.drop_second_factor("ann", act("second_factor_reset"))
    links = await accounts.audited()
    assert broken_at(links) is None
    assert [(link.entry.action, link.entry.detail["second_factor"]) for link in links[-4:]] == [
        ("second_factor", True), ("recovery_code", True), ("create", True), ("second_factor_reset", False),
    ]  # fmt: skip


@pytest.mark.parametrize("meanwhile", ["another factor", "another password", "disabled"])
async def test_a_second_factor_is_set_only_on_what_was_verified(accounts: Accounts, meanwhile: str) -> None:
    await accounts.save(ANN, T0)
    if meanwhile == "another factor":
        await accounts.set_second_factor(ANN, SecondFactor("first", 1), [], act("second_factor"), keep="")
    elif meanwhile == "another password":
        await accounts.change_password(ANN.username, "hash", "second", act("password"), keep="")
    else:
        await accounts.disable("ann", act("disable"))
    stands = await accounts.find("ann")
    with pytest.raises(WrongCode):
        await accounts.set_second_factor(ANN, FACTOR, [], act("second_factor"), keep="")
    assert await accounts.find("ann") == stands
    with pytest.raises(BadCredentials):  # a sign-in that began before
        await accounts.open_session("one", ANN, "csrf", T0, T0 + timedelta(hours=1))


ADM = Account(Username("adm"), Role.CENTRE, None, "管", "hash", administers=True)


@pytest.mark.parametrize("how", ["disable", "demote", "reset", "replace"])
async def test_the_last_administrator_who_can_sign_in_stays(accounts: Accounts, how: str) -> None:
    await accounts.save(ADM, T0)
    await accounts.save(ANN, T0)
    drawn = Account(Username("new"), Role.CENTRE, None, "新", "hash", administers=True, one_time_until=T0)
    await accounts.create(drawn, act("create"))  # its password opens nothing before it is changed

    async def done() -> None:
        if how == "disable":
            await accounts.disable("adm", act(how, by="new"))
        elif how == "demote":
            await accounts.edit(replace(ADM.viewer, administers=False), act(how, by="new"))
        elif how == "reset":
            await accounts.reset(ADM.username, "drawn", T0, act(how, by="new"))
        else:
            await accounts.put(replace(ADM, administers=False), act(how, by="command line"))

    before = await accounts.audited()
    with pytest.raises(LastAdministrator):
        await done()
    assert (await accounts.find("adm"), await accounts.audited()) == (ADM, before)
    await accounts.save(replace(ANN, administers=True), T0)
    await done()
    assert await accounts.find("adm") != ADM


async def test_of_two_administrators_who_disable_each_other_one_stays(empty_scenario: Scenario) -> None:
    both = [replace(ADM, username=Username(name)) for name in ("li", "wang")]
    async with open_pool(empty_scenario.dsn, "test", max_size=4) as pool:
        accounts = PostgresAccounts(pool, LIMIT_S)
        for account in both:
            await accounts.save(account, T0)
        async with pool.connection() as holding:
            await holding.execute(SQL["account_audit_lock"])
            acts = [
                asyncio.create_task(accounts.disable(other, act("disable", by=one)))
                for one, other in (("li", "wang"), ("wang", "li"))
            ]
            waiting = (
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " HAVING count(*) = 2"
            )

            async def both_wait() -> bool:
                return empty_scenario.rows(waiting) != []

            await until(both_wait)
        ended = await asyncio.gather(*acts, return_exceptions=True)
        assert sorted(type(each).__name__ for each in ended) == ["LastAdministrator", "NoneType"]
        assert sum(not account.disabled for account in await accounts.all()) == 1


async def test_an_identity_is_of_one_account_and_a_session_that_it_opened_ends_with_the_link(
    accounts: Accounts,
) -> None:
    person, until = Identity("https://id.example", "u-1"), T0 + timedelta(hours=1)
    await accounts.save(ANN, T0)
    await accounts.save(BEA, T0)
    await accounts.reset(ANN.username, "drawn", until, act("reset"))
    await accounts.link("ann", person, act("link"))
    linked = await accounts.linked(person)
    assert linked is not None
    assert (linked.username, linked.identity) == ("ann", person)
    assert await accounts.linked(replace(person, issuer="https://another.example")) is None
    with pytest.raises(IdentityTaken):
        await accounts.link("bea", person, act("link"))
    with pytest.raises(IdentityTaken):
        await accounts.link("nobody", person, act("link"))
    await accounts.open_session("one", linked, "csrf", T0, until, by_provider=True)
    session = await accounts.session("one", T0)
    assert session is not None
    assert (session.by_provider, session.due) == (True, False), "the provider answers for password and factor"
    await accounts.link("ann", None, act("unlink"))
    assert (await accounts.session("one", T0), await accounts.linked(person)) == (None, None)
    with pytest.raises(BadCredentials):  # an answer of the provider that came too late
        await accounts.open_session("two", linked, "csrf", T0, until, by_provider=True)
    await accounts.link("bea", person, act("link"))
    details = [link.entry.detail["identity"] for link in (await accounts.audited())[-3:]]
    assert details == ["https://id.example u-1", None, "https://id.example u-1"]
