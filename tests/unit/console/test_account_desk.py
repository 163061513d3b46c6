"""Accounts from the browser: who may, one-time passwords, and an audit that holds."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from services.console.domain.account_audit import broken_at
from services.console.domain.accounts import Account, NewAccount
from services.console.domain.adjustments import NewAdjustment
from services.console.domain.errors import ConsoleError, PasswordDue, SecondFactorDue
from services.console.domain.register import HandedIn, ProposalDecision
from services.console.domain.screens import NewScreen
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.metrics import Metrics
from services.console.worker.accounts import ONE_TIME, AccountUseCases
from services.console.worker.adjustments import AdjustmentUseCases
from services.console.worker.authentication import Authenticator, LoginLimits
from services.console.worker.register import RegisterUseCases
from services.kernel.words import AdjustmentKind, EntityKind, ProposalKind
from tests.fakes.clock import ManualClock
from tests.fakes.console import T0, FakeAccounts, FakeCodes, FakePasswords, FakeSecrets

ADMIN = Account(Username("adm"), Role.CENTRE, None, "管理员", "hash:adm", administers=True)
LI = Account(Username("li"), Role.BRIGADE, None, "李", "hash:correct horse")
WALL = Account(Username("wall"), Role.SCREEN, None, "大屏", "!")
NEW = NewAccount("wang", Role.BRIGADE, None, "王")
HALL = NewScreen("hall", "指挥大厅", 30)


class SlowPasswords(FakePasswords):
    """Something else happens while it hashes, once."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile

    async def hash(self, password: str) -> str:
        if self._meanwhile is not None:
            work, self._meanwhile = self._meanwhile, None
            await work()
        return await super().hash(password)


class Orders:
    """The registry, which takes everything."""

    async def propose(self, handed: HandedIn, viewer: Viewer) -> Mapping[str, Any]:
        return {"by": viewer.username}

    preview = propose

    async def request(self, asked: NewAdjustment, viewer: Viewer) -> str:
        return "A2026-000001"

    async def decide(self, decision: ProposalDecision, proposal_id: str, viewer: Viewer, note: str) -> str:
        return "withdrawn"


class Harness:
    def __init__(self, rules: LoginLimits | None = None) -> None:
        self.clock, self.accounts, passwords = ManualClock(T0), FakeAccounts(), FakePasswords()
        self.accounts.accounts = {each.username: each for each in (ADMIN, LI, WALL)}
        self.codes = FakeCodes()
        self.desk = AccountUseCases(self.accounts, passwords, FakeSecrets(), self.clock, self.codes)
        self.door = Authenticator(
            accounts=self.accounts,
            passwords=passwords,
            secrets=FakeSecrets(),
            clock=self.clock,
            metrics=Metrics(CollectorRegistry()),
            rules=rules or LoginLimits(),
            codes=self.codes,
        )

    def while_hashing(self, meanwhile: Callable[[], Awaitable[object]]) -> AccountUseCases:
        return AccountUseCases(self.accounts, SlowPasswords(meanwhile), FakeSecrets(), self.clock, self.codes)

    def code(self) -> str:
        """Return what a telephone shows now."""
        return f"{int(self.clock.now().timestamp()) // 30 % 1_000_000:06d}"

    def actions(self) -> list[tuple[str, str, str]]:
        return [(each.entry.by, each.entry.action, each.entry.about) for each in self.accounts.links]


async def code(work: Awaitable[object]) -> str:
    with pytest.raises(ConsoleError) as refused:
        await work
    return refused.value.code


async def test_only_an_administrator_of_the_centre_works_on_accounts_of_others() -> None:
    here = Harness()
    flagged = Viewer(Username("li"), Role.BRIGADE, None, "李", administers=True)  # the table would not hold it either
    for viewer in (LI.viewer, flagged, Viewer(Username("h"), Role.DEPARTMENT, BodyCode("health"), "卫")):
        for work in (
            here.desk.listed(viewer), here.desk.create(viewer, NEW), here.desk.edit(viewer, NEW),
            here.desk.reset(viewer, "li"), here.desk.disable(viewer, "li"), here.desk.sign_out(viewer, "li"),
            here.desk.make_screen(viewer, HALL),
        ):  # fmt: skip
            assert await code(work) == "not_allowed"
    assert here.actions() == []


async def test_a_new_account_opens_nothing_before_its_one_time_password_is_changed() -> None:
    here = Harness()
    password = await here.desk.create(ADMIN.viewer, NEW)
    token, session = await here.door.sign_in("wang", password, "10.0.0.1")
    assert session.password_due
    with pytest.raises(PasswordDue):
        await here.door.session(token)
    assert (await here.door.session(token, takes_due=True)).viewer.username == "wang"
    await here.desk.change_password(session.viewer, token, password, "a new password")
    assert not (await here.door.session(token)).password_due
    assert await code(here.door.sign_in("wang", password, "10.0.0.1")) == "bad_credentials"
    assert here.actions() == [("adm", "create", "wang"), ("wang", "password", "wang")]
    assert broken_at(here.accounts.links) is None
    forged = replace(here.accounts.links[0], entry=replace(here.accounts.links[0].entry, by="li"))
    assert broken_at([forged, *here.accounts.links[1:]]) == 1
    assert password not in repr(here.accounts.links)


async def test_a_screen_is_opened_by_its_key_until_it_is_renewed_revoked_or_over() -> None:
    here = Harness()
    first = await here.desk.make_screen(ADMIN.viewer, HALL)
    assert (await here.door.session(first.key)).viewer.is_screen
    assert first.until - here.clock.now() == timedelta(days=30)
    assert {row.username: row.opens_until for row in await here.desk.listed(ADMIN.viewer)}[
        Username("hall")
    ] == first.until
    second = await here.desk.make_screen(ADMIN.viewer, HALL)
    assert await code(here.door.session(first.key)) == "not_signed_in"
    await here.desk.disable(ADMIN.viewer, "hall")
    assert await code(here.door.session(second.key)) == "not_signed_in"
    third = await here.desk.make_screen(ADMIN.viewer, HALL)
    assert (await here.door.session(third.key)).viewer.display_name == "指挥大厅"
    here.clock.forward(timedelta(days=30).total_seconds())
    assert await code(here.door.session(third.key)) == "not_signed_in"
    assert here.actions() == [
        ("adm", "screen", "hall"),
        ("adm", "screen", "hall"),
        ("adm", "disable", "hall"),
        ("adm", "screen", "hall"),
    ]
    assert broken_at(here.accounts.links) is None
    assert first.key not in repr(here.accounts.links)


async def test_no_screen_takes_the_name_of_a_person_or_lasts_for_ever() -> None:
    here = Harness()
    assert await code(here.desk.make_screen(ADMIN.viewer, replace(HALL, name="li"))) == "account_exists"
    for bad in (
        replace(HALL, days=0),
        replace(HALL, days=4000),
        replace(HALL, name="A b"),
        replace(HALL, display_name=""),
    ):
        assert await code(here.desk.make_screen(ADMIN.viewer, bad)) == "bad_account"
    assert here.actions() == []


async def test_a_one_time_password_that_nobody_used_in_time_opens_nothing() -> None:
    here = Harness()
    password = await here.desk.create(ADMIN.viewer, NEW)
    here.clock.forward(ONE_TIME.total_seconds())
    assert await code(here.door.sign_in("wang", password, "10.0.0.1")) == "bad_credentials"
    again = await here.desk.reset(ADMIN.viewer, "wang")
    assert (await here.door.sign_in("wang", again, "10.0.0.1"))[1].password_due


async def test_a_changed_password_ends_all_other_sessions_and_guessing_the_old_one_is_slow() -> None:
    here = Harness()
    here_token, session = await here.door.sign_in("li", "correct horse", "10.0.0.1")
    other, _ = await here.door.sign_in("li", "correct horse", "10.0.0.2")
    for bad in ("short", "correct horse", "with li inside of it"):
        asked = here.desk.change_password(session.viewer, here_token, "correct horse", bad)
        assert await code(asked) == "bad_account"
    await here.desk.change_password(session.viewer, here_token, "correct horse", "another one 22")
    assert (await here.door.session(here_token)).viewer == LI.viewer
    assert await code(here.door.session(other)) == "not_signed_in"
    for _ in range(5):
        asked = here.desk.change_password(session.viewer, here_token, "guess", "another one 33")
        assert await code(asked) == "wrong_password"
    asked = here.desk.change_password(session.viewer, here_token, "another one 22", "another one 33")
    assert await code(asked) == "locked_out"
    here.clock.forward(31)
    await here.desk.change_password(session.viewer, here_token, "another one 22", "another one 33")


async def test_what_an_administrator_may_not_do() -> None:
    here = Harness()
    assert await code(here.desk.create(ADMIN.viewer, NewAccount("li", Role.BRIGADE, None, "李"))) == "account_exists"
    for asked in (
        NewAccount("x", Role.BRIGADE, None, "x", administers=True), NewAccount("x", Role.DEPARTMENT, None, "x"),
        NewAccount("x", Role.SCREEN, None, "x"), NewAccount("X y", Role.CENTRE, None, "x"),
        NewAccount("x", Role.CENTRE, None, "a\nb"),
    ):  # fmt: skip
        assert await code(here.desk.create(ADMIN.viewer, asked)) == "bad_account"
    for work in (
        here.desk.disable(ADMIN.viewer, "adm"), here.desk.reset(ADMIN.viewer, "adm"),
        here.desk.edit(ADMIN.viewer, NewAccount("adm", Role.CENTRE, None, "x")),
    ):  # fmt: skip
        assert await code(work) == "own_account"
    for name in ("wall", "nobody"):
        assert await code(here.desk.reset(ADMIN.viewer, name)) == "not_found"
        assert await code(here.desk.sign_out(ADMIN.viewer, name)) == "not_found"
    assert here.actions() == []


async def test_disable_sign_out_edit_and_reset_end_what_is_open() -> None:
    here = Harness()
    for name, work in (
        ("sign_out", here.desk.sign_out(ADMIN.viewer, "li")),
        ("edit", here.desk.edit(ADMIN.viewer, NewAccount("li", Role.DEPARTMENT, "health", "李"))),
        ("disable", here.desk.disable(ADMIN.viewer, "li")),
    ):
        token, _ = await here.door.sign_in("li", "correct horse", "10.0.0.1")
        await work
        assert await code(here.door.session(token)) == "not_signed_in", name
    assert await code(here.door.sign_in("li", "correct horse", "10.0.0.1")) == "bad_credentials"
    assert (here.accounts.accounts["li"].role, here.accounts.accounts["li"].department) == (Role.DEPARTMENT, "health")
    password = await here.desk.reset(ADMIN.viewer, "li")
    assert (await here.door.sign_in("li", password, "10.0.0.1"))[1].password_due
    await here.desk.disable(ADMIN.viewer, "wall")
    (row,) = [each for each in await here.desk.listed(ADMIN.viewer) if each.username == "wall"]
    assert (row.screen, row.disabled) == (True, True)


async def test_a_password_that_is_being_changed_undoes_nothing_that_is_done_meanwhile() -> None:
    here = Harness()
    demoted = NewAccount("li", Role.DEPARTMENT, "health", "李")
    desk = here.while_hashing(lambda: here.desk.edit(ADMIN.viewer, demoted))
    await desk.change_password(LI.viewer, "token", "correct horse", "another one 22")
    li = here.accounts.accounts["li"]
    assert (li.role, li.department, li.password_hash) == (Role.DEPARTMENT, "health", "hash:another one 22")
    assert here.accounts.links[-1].entry.detail["role"] == "department"
    desk = here.while_hashing(lambda: here.desk.disable(ADMIN.viewer, "li"))
    assert await code(desk.change_password(LI.viewer, "token", "another one 22", "another one 33")) == "wrong_password"
    assert here.accounts.accounts["li"] == replace(li, disabled=True)
    assert [action for _, action, _ in here.actions()] == ["edit", "password", "disable"]


async def test_of_two_passwords_for_one_account_the_first_stands() -> None:
    here = Harness()
    desk = here.while_hashing(lambda: here.desk.change_password(LI.viewer, "token", "correct horse", "the first one 1"))
    assert await code(desk.change_password(LI.viewer, "token", "correct horse", "the second one")) == "wrong_password"
    assert here.accounts.accounts["li"].password_hash == "hash:the first one 1"


async def test_a_reset_undoes_no_demotion_and_of_two_that_create_one_is_told_so() -> None:
    here = Harness()
    demoted = NewAccount("li", Role.DEPARTMENT, "health", "李")
    await here.while_hashing(lambda: here.desk.edit(ADMIN.viewer, demoted)).reset(ADMIN.viewer, "li")
    assert here.accounts.accounts["li"].role is Role.DEPARTMENT
    desk = here.while_hashing(lambda: here.desk.create(ADMIN.viewer, NEW))
    assert await code(desk.create(ADMIN.viewer, replace(NEW, role=Role.CENTRE))) == "account_exists"
    assert here.accounts.accounts["wang"].role is Role.BRIGADE


async def test_a_sign_in_with_the_old_password_that_runs_beside_its_change_opens_nothing() -> None:
    here = Harness()

    class Slow(FakePasswords):
        async def matches(self, password_hash: str | None, password: str) -> bool:
            await here.desk.change_password(LI.viewer, "token", "correct horse", "another one 22")
            return await super().matches(password_hash, password)

    here.door._passwords = Slow()
    assert await code(here.door.sign_in("li", "correct horse", "10.0.0.1")) == "bad_credentials"
    assert here.accounts.sessions == {}


async def test_an_administrator_asks_for_nothing_that_an_account_of_his_could_approve() -> None:
    nothing, orders, here = cast("Any", None), cast("Any", Orders()), ManualClock(T0)
    handed = HandedIn(ProposalKind.UNIT, "u.csv", "", None, "x", None, meant=False)
    asked = NewAdjustment("U1", AdjustmentKind.MAINTENANCE, here.now(), here.now(), "x")
    register, adjustments = RegisterUseCases(nothing, orders), AdjustmentUseCases(nothing, orders, nothing, here)
    for work in (
        register.propose(ADMIN.viewer, handed), register.preview(ADMIN.viewer, handed),
        register.form(ADMIN.viewer, EntityKind.UNIT, "U1"), adjustments.request(ADMIN.viewer, asked),
    ):  # fmt: skip
        assert await code(work) == "not_allowed"
    centre = replace(ADMIN.viewer, administers=False)
    assert await register.propose(centre, handed) == {"by": "adm"}
    assert await adjustments.request(centre, asked) == "A2026-000001"
    assert await register.decide(ADMIN.viewer, ProposalDecision.WITHDRAW, "R2026-000001", "") == "withdrawn"


async def enrolled(here: Harness, username: str, password: str) -> tuple[Viewer, list[str]]:
    """Turn the second factor on as its owner does; return who it is and the recovery codes."""
    token, session = await here.door.sign_in(username, password, "10.0.0.1")
    begun = await here.desk.begin_second_factor(session.viewer, password)
    return session.viewer, list(
        await here.desk.confirm_second_factor(session.viewer, token, begun.pending, here.code())
    )


async def test_with_a_second_factor_the_password_alone_opens_nothing_and_no_code_opens_twice() -> None:
    here = Harness()
    _, recovery = await enrolled(here, "li", "correct horse")
    assert len(set(recovery)) == 10

    async def tried(code_: str) -> str:
        try:
            await here.door.sign_in("li", "correct horse", "10.0.0.1", code_)
        except ConsoleError as error:
            return error.code
        return "ok"

    assert await tried("") == await tried("000000") == await tried(here.code()) == "bad_credentials"  # it confirmed
    here.clock.forward(30)
    assert await tried(here.code()) == "ok"
    assert await tried(here.code()) == "bad_credentials", "somebody looked over his shoulder"
    assert await tried(f" {recovery[0].upper()} ") == "ok"
    assert await tried(recovery[0]) == "bad_credentials"
    assert here.actions()[-2:] == [("li", "second_factor", "li"), ("li", "recovery_code", "li")]
    assert recovery[1] not in str(here.accounts.accounts["li"]), "neither secret nor codes in a line of a log"


async def test_wrong_codes_lock_like_wrong_passwords() -> None:
    here = Harness()
    await enrolled(here, "li", "correct horse")
    here.clock.forward(30)
    for _ in range(5):
        assert await code(here.door.sign_in("li", "correct horse", "10.0.0.2", "000000")) == "bad_credentials"
    assert await code(here.door.sign_in("li", "correct horse", "10.0.0.2", here.code())) == "locked_out"


async def test_guessing_at_the_account_page_is_slow_and_a_second_telephone_takes_the_first_one_off() -> None:
    here = Harness()
    viewer, recovery = await enrolled(here, "li", "correct horse")
    assert await code(here.desk.begin_second_factor(viewer, "correct horse")) == "has_second_factor"
    assert await code(here.desk.begin_second_factor(viewer, "wrong")) == "wrong_password"
    for _ in range(4):
        assert await code(here.desk.remove_second_factor(viewer, "t", "correct horse", "000000")) == "wrong_code"
    assert await code(here.desk.remove_second_factor(viewer, "t", "correct horse", recovery[0])) == "locked_out"
    here.clock.forward(900)
    await here.desk.remove_second_factor(viewer, "t", "correct horse", recovery[0])
    assert (await here.door.sign_in("li", "correct horse", "10.0.0.1"))[1].second_factor is False
    assert here.actions()[-1] == ("li", "second_factor_removed", "li")


async def test_an_administrator_takes_a_lost_factor_away_and_no_others() -> None:
    here = Harness()
    await enrolled(here, "li", "correct horse")
    assert await code(here.desk.reset_second_factor(LI.viewer, "adm")) == "not_allowed"
    assert await code(here.desk.reset_second_factor(ADMIN.viewer, "adm")) == "own_account"
    await here.desk.reset_second_factor(ADMIN.viewer, "li")
    assert await code(here.desk.reset_second_factor(ADMIN.viewer, "li")) == "not_found"
    assert here.actions()[-1] == ("adm", "second_factor_reset", "li")
    await here.door.sign_in("li", "correct horse", "10.0.0.1")


async def test_where_it_is_required_who_administers_or_approves_does_nothing_without_one() -> None:
    here = Harness(LoginLimits(factor_for_some=True))
    here.accounts.accounts["h"] = Account(Username("h"), Role.DEPARTMENT, BodyCode("health"), "卫", "hash:health")
    token, _ = await here.door.sign_in("h", "health", "10.0.0.1")
    await here.door.session(token)
    token, session = await here.door.sign_in("li", "correct horse", "10.0.0.1")
    assert session.due
    with pytest.raises(SecondFactorDue):
        await here.door.session(token)
    begun = await here.desk.begin_second_factor(session.viewer, "correct horse")
    await here.desk.confirm_second_factor(session.viewer, token, begun.pending, here.code())
    assert not (await here.door.session(token)).due
