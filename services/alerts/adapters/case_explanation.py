"""One case in sentences: who was told by which step, who was not and why, its listings, and what comes next."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never

from psycopg.rows import dict_row

from services.alerts.adapters.calendar import is_arranged
from services.alerts.adapters.case_reader import alarm_state_of
from services.alerts.adapters.letter_writer import KIND_EN, KIND_ZH
from services.alerts.adapters.listing_rows import with_acts
from services.alerts.adapters.listing_words import ACTS, LEVELS, STATES, by, said
from services.alerts.adapters.postgres_cases import PostgresCaseTransaction, transaction_on
from services.alerts.adapters.statements import SQL
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.clocks import Clock
from services.alerts.domain.escalation.ladder import following, taken
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import (
    Elapsed,
    OnCondition,
    OnEvent,
    Overdue,
    PeriodClose,
    WorkingDays,
    WorkingTime,
)
from services.alerts.domain.ids import CaseId
from services.kernel.calendar import CHINA
from services.kernel.words import (
    PROOFS_BY_STRENGTH,
    PROVEN_BY_CHANNEL,
    AlarmState,
    Channel,
    ClockKind,
    ListingAct,
    ListingLevel,
    ListingState,
    Proof,
)
from services.runtime.postgres import Pool

Rows = Sequence[Mapping[str, Any]]


async def explain_case(pool: Pool, case_id: CaseId) -> list[str] | None:
    """Return the lines, None when there is no such case; all as they were at one moment. Raises StoreUnavailable."""
    async with transaction_on(pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
        case = await PostgresCaseTransaction(connection).case(case_id)
        if case is None:
            return None
        state = await alarm_state_of(connection, case_id)
        steps = await (await cursor.execute(SQL["steps_of_case"], (case_id,))).fetchall()
        notices = await (await cursor.execute(SQL["notices_of_case"], (case_id,))).fetchall()
        proofs = await (await cursor.execute(SQL["proofs_of_case"], (case_id, list(PROOFS_BY_STRENGTH)))).fetchall()
        listings = await (await cursor.execute(SQL["evidence_listings"], (case_id,))).fetchall()
        acts = await (await cursor.execute(SQL["evidence_listing_acts"], (case_id,))).fetchall()
        left_out = await (await cursor.execute(SQL["off_duty_of_case"], {"case_id": case_id})).fetchall()
    best = {row["notice_id"]: row for row in proofs}
    told = [{**row, "proof": best.get(row["notice_id"])} for row in notices]
    return list(explained(case, state, steps, told, with_acts(listings, acts), left_out))


ALARM_STATES = {
    AlarmState.UNACKNOWLEDGED: "unacknowledged 未确认: nobody of the centre has taken it",
    AlarmState.ACKNOWLEDGED: "acknowledged 已确认",
    AlarmState.RETURNED_UNACKNOWLEDGED: "returned unacknowledged 恢复未确认: over before anybody took it",
    AlarmState.SHELVED: "shelved 已搁置: put out of sight by a person, for a while",
    AlarmState.SUPPRESSED_BY_DESIGN: "suppressed by design 按设计抑制: common cause or approved maintenance",
    AlarmState.OUT_OF_SERVICE: "out of service 停用: the unit is exempt or retired",
    AlarmState.NORMAL: "normal 正常: over, and seen",
}


def explained(
    case: Case, state: AlarmState, steps: Rows, notices: Rows, listings: Rows = (), left_out: Rows = ()
) -> Iterator[str]:
    """Yield the lines of a case from the case, its state of ISA-18.2, its steps taken, its notices and its listings.

    `left_out` are the contacts that a step did not tell because they were off duty.
    """
    facts = case.facts
    yield f"{case.case_id}: {KIND_ZH[case.kind]} {KIND_EN[case.kind]} of {facts.subject.id} {facts.name}".rstrip()
    yield f"  alarm state: {ALARM_STATES[state]}"
    yield f"  since {_at(case.effective_at)}, detected {_at(case.detected_at)}; {case.clause}"
    yield f"  proof: {case.proof.topic}[{case.proof.partition}] offset {case.proof.offset}, finding {case.finding_id}"
    pack = f"{case.pack_id} version {case.pack_version}" if case.pack_id else "no policy pack has a ladder for it"
    yield f"  ladder: {' > '.join(step.code for step in case.ladder)} ({pack})"
    if facts.lead_department:
        copies = f", copies to {', '.join(facts.copy_departments)}" if facts.copy_departments else ""
        yield f"  answers for it: {facts.lead_department}{copies} ({facts.route_clause or 'no clause'})"
    for row in steps:
        yield from _step(case, row, [each for each in notices if each["step"] == row["step"]])
        for entry in (each for each in left_out if each["step"] == row["step"]):
            yield f"    off duty, others on duty told: {', '.join(entry['off_duty'])}"
    for step in taken(case):
        if step.code not in {row["step"] for row in steps}:
            yield f"{_name(step)}: passed over; it is not taken once {_unless(step)}"
    yield from (
        f"signed for: {each.body_code}, step {each.step}, {_at(each.at)} by {each.by}" for each in case.receipts
    )
    if case.acknowledged is not None:
        yield f"taken by {case.acknowledged.by} {_at(case.acknowledged.at)}: {case.acknowledged.note}".rstrip(": ")
    lapses = case.clocks.running.get(ClockKind.UN_ACKNOWLEDGE)
    if lapses is not None:
        yield f"  nobody's again {_at(lapses.due_at)}, unless it is over by then"
    for row in listings:
        yield from _listing(row)
    yield from _letters(case)
    for span in (each for each in case.guarded if each.times == 0):
        days = f"from {span.first} to {span.last}"
        yield f"  its clocks stand still {days}: {span.name_zh} {span.name_en} ({span.clause})"
    yield _next(case)


def _step(case: Case, row: Mapping[str, Any], notices: Rows) -> Iterator[str]:
    step = next((each for each in case.ladder if each.code == row["step"]), None)
    name = row["step"] if step is None else _name(step)
    told = ", ".join(row["recipients"]) or "nobody"
    why = f" because {row['nobody']}" if row["nobody"] else ""
    yield f"{name}: due {_at(row['due_at'])}, taken {_at(row['taken_at'])}, told {told}{why} ({row['clause']})"
    for notice in notices:
        ended = "" if notice["ended_at"] is None else f" {_at(notice['ended_at'])}"
        reason = f" because {notice['reason']}" if notice["reason"] else ""
        digest = f", in digest {notice['digest_id']}" if notice["digest_id"] else ""
        kind = "all-clear" if notice["purpose"] == "all_clear" else "notice"
        yield (
            f"    {kind} to {notice['body_code']} ({notice['contact_id']}) by {notice['channel']}: "
            f"{notice['state']}{ended}{reason}, tried {notice['attempts']} times{digest}{_proven(notice)}"
        )


def _listing(row: Mapping[str, Any]) -> Iterator[str]:
    decision = [str(LEVELS[ListingLevel(row["level"])])] if row["level"] else []
    decision += [row["document"]] if row["document"] else []
    decision += [f"listed on {row['listed_on']}"] if row["listed_on"] else []
    decision += [f"to be put right by {row['deadline']}"] if row["deadline"] else []
    stands = ", ".join([str(STATES[ListingState(row["state"])]), *decision])
    yield f"listing 挂牌督办 {row['number']} ({row['listing_id']}): {stands}"
    for act in row["acts"]:
        words = ", ".join(said(act["detail"]))
        body = f" ({act['body_code']})" if act["body_code"] else ""
        what = f"{ACTS[ListingAct(act['act'])]}{': ' if words else ''}{words}"
        yield f"    {_at(act['at'])} by {by(act['by'])}{body}: {what}"


def _proven(notice: Mapping[str, Any]) -> str:
    """Return what is proven of a notice, else what its channel could prove."""
    proof = notice.get("proof")
    if proof is not None:
        return f"; proven: {proof['proof']} {_at(proof['at'])} ({proof['source']})"
    proves = PROVEN_BY_CHANNEL[Channel(notice["channel"])] - {Proof.FAILED}
    could = [one for one in PROOFS_BY_STRENGTH if one in proves]
    return f"; nothing proven, by {notice['channel']} could be: {', '.join(could) or 'nothing'}"


def _letters(case: Case) -> Iterator[str]:
    """Say by when a letter is to be signed for or answered."""
    for kind in (ClockKind.RECEIPT, ClockKind.REPLY):
        clock = case.clocks.running.get(kind)
        if clock is not None:
            yield f"  {kind} of the letter of {clock.step} wanted by {_at(clock.due_at)}{_counted_by(clock)}"


def _next(case: Case) -> str:
    if case.closure is not None:
        return f"next: nothing, closed {_at(case.closure.at)} ({case.closure.reason})"
    step, grouping = following(case), case.grouping
    if case.cured_at is not None and step is None:
        return f"next: nothing, its trouble is over since {_at(case.cured_at)}; open until its listing is closed"
    if grouping.common_case_id is not None and step is not None:
        held = "" if grouping.held_until is None else f" until {_at(grouping.held_until)}"
        return f"next: {_name(step)} waits{held} for the common cause {grouping.common_case_id}"
    if step is None:
        return "next: nothing, the last step is taken or no other may be; it stays open until its cause is gone"
    clock = case.clocks.step
    if clock is not None:
        return f"next: {_name(step)} at {_at(clock.due_at)} ({_when(step)}{_counted_by(clock)})"
    return f"next: {_name(step)} ({_when(step)})"


def _counted_by(clock: Clock) -> str:
    """Say by which calendar a clock was counted, and whether the holidays of the year that it ends in were known."""
    if not clock.calendar_version:
        return ""
    year = clock.due_at.astimezone(CHINA).year
    told = ""
    if not is_arranged(clock.calendar_version, year):
        told = f"; 暂定 provisional: the holidays of {year} were not published, it is counted again when they are"
    return f", working days of calendar {clock.calendar_version}{told}"


def _when(step: LadderStep) -> str:
    match step.trigger:
        case Elapsed(after):
            return f"{after} after it was detected"
        case WorkingDays(days, calendar):
            return f"{days} working days of {calendar} after it was detected"
        case WorkingTime(span, calendar):
            return f"{span} of working time of {calendar} after it was detected"
        case OnEvent(kind):
            return f"when {kind} happens"
        case Overdue(clock):
            return f"when the {clock} is overdue"
        case PeriodClose():
            return f"at the close of a {step.trigger.period}"
        case OnCondition():
            return f"at a close when {step.trigger.name} holds"
        case _:
            assert_never(step.trigger)


def _unless(step: LadderStep) -> str:
    waits = f"nothing waits for a {step.trigger.clock}" if isinstance(step.trigger, Overdue) else ""
    return " or ".join(filter(None, [waits, *step.exits]))


def _name(step: LadderStep) -> str:
    return f"{step.code} {step.name_zh} {step.name_en}"


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"
