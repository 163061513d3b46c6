"""Sign-in: guesses are slow, unknown accounts look like known ones, memory is bounded."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from services.console.domain.accounts import Account
from services.console.domain.errors import BadCredentials, ConsoleError, DataUnavailable, LockedOut, NotSignedIn
from services.console.domain.viewer import Role, Username
from services.console.metrics import Metrics
from services.console.worker.authentication import Authenticator, LoginLimits
from tests.fakes.clock import ManualClock
from tests.fakes.console import T0, FakeAccounts, FakeCodes, FakePasswords, FakeSecrets


class Harness:
    def __init__(self, rules: LoginLimits | None = None) -> None:
        self.clock, self.accounts, self.passwords = ManualClock(T0), FakeAccounts(), FakePasswords()
        self.registry = CollectorRegistry()
        self.accounts.accounts["ann"] = Account(Username("ann"), Role.CENTRE, None, "Ann", "hash:right")
        self.authenticator = Authenticator(
            accounts=self.accounts,
            passwords=self.passwords,
            secrets=FakeSecrets(),
            clock=self.clock,
            metrics=Metrics(self.registry),
            rules=rules or LoginLimits(),
            codes=FakeCodes(),
        )

    async def attempt(self, username: str, password: str = "wrong", client: str = "10.0.0.1") -> str:
        try:
            await self.authenticator.sign_in(username, password, client)
        except ConsoleError as error:
            return error.code
        return "ok"

    def logins(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("firenet_console_logins_total", {"outcome": outcome})


async def test_the_right_pair_opens_a_session_that_ends_by_itself() -> None:
    harness = Harness()
    token, session = await harness.authenticator.sign_in(" Ann ", "right", "10.0.0.1")
    assert (await harness.authenticator.session(token)).viewer == session.viewer
    assert token not in harness.accounts.sessions, "the token itself is stored nowhere"
    harness.clock.forward(timedelta(hours=12).total_seconds())
    with pytest.raises(NotSignedIn):
        await harness.authenticator.session(token)


@pytest.mark.parametrize("token", [None, "", "unknown", "x" * 1000])
async def test_a_cookie_that_is_not_ours_is_nobody(token: str | None) -> None:
    with pytest.raises(NotSignedIn):
        await Harness().authenticator.session(token)


async def test_signing_out_ends_the_session() -> None:
    harness = Harness()
    token, _ = await harness.authenticator.sign_in("ann", "right", "c")
    await harness.authenticator.sign_out(token)
    with pytest.raises(NotSignedIn):
        await harness.authenticator.session(token)


@pytest.mark.parametrize("username", ["ann", "nobody"])
async def test_the_sixth_guess_is_locked_whether_or_not_the_account_exists(username: str) -> None:
    harness = Harness()
    answers = [await harness.attempt(username) for _ in range(6)]
    assert answers == ["bad_credentials"] * 5 + ["locked_out"]
    assert harness.passwords.checked == 5, "an unknown account costs as much as a known one"


async def test_while_locked_even_the_right_password_waits_then_opens() -> None:
    harness = Harness()
    for _ in range(5):
        await harness.attempt("ann")
    assert await harness.attempt("ann", "right") == "locked_out"
    harness.clock.forward(31)
    assert await harness.attempt("ann", "right") == "ok"
    assert harness.accounts.accounts["ann"].failed_logins == 0


async def test_strangers_who_guess_do_not_keep_the_officer_out_of_the_usual_place() -> None:
    harness = Harness()
    assert await harness.attempt("ann", "right", client="desk") == "ok"
    for _ in range(5):
        await harness.attempt("ann", client="stranger")
    assert await harness.attempt("ann", "right", client="elsewhere") == "locked_out"
    assert await harness.attempt("ann", "right", client="desk") == "ok"
    assert await harness.attempt("ann", client="stranger") == "locked_out", "that opened the door to nobody else"


async def test_guesses_from_the_usual_place_lock_it_too() -> None:
    harness = Harness()
    await harness.attempt("ann", "right", client="desk")
    answers = [await harness.attempt("ann", client="desk") for _ in range(6)]
    assert answers == ["bad_credentials"] * 5 + ["locked_out"]
    assert await harness.attempt("ann", "right", client="desk") == "locked_out"
    harness.clock.forward(31)
    assert await harness.attempt("ann", "right", client="desk") == "ok"


async def test_a_disabled_account_looks_like_none() -> None:
    harness = Harness()
    token, _ = await harness.authenticator.sign_in("ann", "right", "c")
    harness.accounts.accounts["ann"] = replace(harness.accounts.accounts["ann"], disabled=True)
    with pytest.raises(BadCredentials):
        await harness.authenticator.sign_in("ann", "right", "c")
    with pytest.raises(NotSignedIn):
        await harness.authenticator.session(token)


async def test_one_address_that_tries_many_names_is_shut_out() -> None:
    harness = Harness(LoginLimits(client_failures=10))
    for number in range(10):
        assert await harness.attempt(f"guess{number}") == "bad_credentials"
    assert await harness.attempt("ann", "right") == "locked_out"
    assert await harness.attempt("ann", "right", client="10.0.0.2") == "ok"
    harness.clock.forward(301)
    assert await harness.attempt("ann", "right") == "ok"


async def test_memory_of_failures_is_bounded() -> None:
    harness = Harness(LoginLimits(book_entries=50))
    for number in range(500):
        await harness.attempt(f"name{number}", client=f"10.1.{number // 250}.{number % 250}")
    assert len(harness.authenticator._ghosts) == len(harness.authenticator._clients) == 50


async def test_a_lock_that_came_while_the_password_was_checked_holds() -> None:
    harness = Harness()

    class Slow(FakePasswords):
        async def matches(self, password_hash: str | None, password: str) -> bool:
            for _ in range(5):
                await harness.accounts.failed(Username("ann"), harness.clock.now())
            return await super().matches(password_hash, password)

    harness.authenticator._passwords = Slow()
    with pytest.raises(LockedOut):
        await harness.authenticator.sign_in("ann", "right", "c")


async def test_attempts_are_counted_by_outcome() -> None:
    harness = Harness()
    await harness.attempt("ann", "right")
    await harness.attempt("ann")
    for outcome, count in (("ok", 1), ("bad_credentials", 1), ("locked_out", 0), ("stopping", 0)):
        assert harness.logins(outcome) == count


async def test_an_attempt_that_found_no_database_or_was_cut_off_is_counted_too() -> None:
    harness = Harness()

    class Away(FakeAccounts):
        error: type[BaseException] = DataUnavailable

        async def find(self, username: str) -> Account | None:
            raise self.error

    harness.authenticator._accounts = away = Away()
    assert await harness.attempt("ann") == "data_unavailable"
    away.error = asyncio.CancelledError
    with pytest.raises(asyncio.CancelledError):
        await harness.attempt("ann")
    assert harness.logins("data_unavailable") == harness.logins("stopping") == 1
