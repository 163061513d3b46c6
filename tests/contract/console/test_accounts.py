"""Accounts and sessions: memory and PostgreSQL behave alike; real argon2 hashes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from services.console.adapters.postgres_accounts import PostgresAccounts
from services.console.adapters.secrets import Argon2Passwords, RandomSecrets, generated_password
from services.console.domain.account_audit import broken_at, entry
from services.console.domain.accounts import Account
from services.console.domain.viewer import BodyCode, Role, Username
from services.console.ports import Accounts
from services.runtime.postgres import open_pool
from tests.fakes.console import T0, FakeAccounts
from tests.integration.console.scenario import Scenario

LIMIT_S = 60.0
"""A busy machine is no database that is away."""

ANN = Account(Username("ann"), Role.CENTRE, None, "安", "hash")
BEA = Account(Username("bea"), Role.DEPARTMENT, BodyCode("health"), "贝", "hash")


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
        await accounts.open_session(token, BEA.username, f"csrf-{token}", T0, until)
    session = await accounts.session("one", T0)
    assert session is not None
    assert (session.viewer, session.csrf, session.expires_at) == (BEA.viewer, "csrf-one", until)
    assert await accounts.session("one", until) is None
    await accounts.close_session("two")
    assert await accounts.session("two", T0) is None
    assert await accounts.disable("bea")
    assert await accounts.session("three", T0) is None
    assert not await accounts.disable("nobody")


async def test_a_new_password_ends_the_sessions(accounts: Accounts) -> None:
    await accounts.save(ANN, T0)
    await accounts.open_session("one", ANN.username, "csrf", T0, T0 + timedelta(hours=1))
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
    await accounts.change(made, entry("create", made, "command line", T0))
    assert await accounts.find("ann") == made
    for token in ("one", "two"):
        await accounts.open_session(token, ANN.username, f"csrf-{token}", T0, until)
    session = await accounts.session("one", T0)
    assert session is not None
    assert (session.password_due, session.viewer.administers) == (True, True)
    changed = replace(made, one_time_until=None, password_hash="other")
    await accounts.change(changed, entry("password", changed, "ann", T0), keep="one")
    session = await accounts.session("one", T0)
    assert session is not None
    assert not session.password_due
    assert await accounts.session("two", T0) is None
    links = await accounts.audited()
    assert [(link.entry.by, link.entry.action, link.entry.about) for link in links[-2:]] == [
        ("command line", "create", "ann"), ("ann", "password", "ann"),
    ]  # fmt: skip
    assert broken_at(links) is None
    await accounts.change(changed, entry("sign_out", changed, "adm", T0))
    assert await accounts.session("one", T0) is None
