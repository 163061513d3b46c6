"""A report in words: the one value that page, PDF and XLSX are forms of."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from services.console.domain.dashboard_snapshot import Names
from services.console.domain.history import CLOSED_RATE
from services.console.domain.report import (
    FLOOD,
    LONGEST,
    Attribution,
    Blocking,
    Cell,
    Figure,
    Report,
    Section,
    Sheet,
    Table,
    by_unit,
    total_by,
)
from services.kernel.calendar import CHINA
from services.kernel.ratio import Ratio, Verdict, percent
from services.kernel.words import Dimension, Language

Texts = Mapping[str, Mapping[str, str]]
NONE = "—"
MAX_UNITS = 50
"""Units below the target that are listed, and all whose cure would do where they are more; beyond, their number."""
MAX_CHANGES = 40
"""Revisions that are told in words; the history has them all."""
RATES = ("low", "high")


def sheet_of(report: Report, names: Names, texts: Texts, language: Language) -> Sheet:
    """Return the report in this language; a name that has none in it stands in Chinese."""
    return _Writer(report, names, texts, language).sheet()


class _Writer:
    def __init__(self, report: Report, names: Names, texts: Texts, language: Language) -> None:
        self._report = report
        self._names = names
        self._texts = texts
        self._language = language

    def sheet(self) -> Sheet:
        report, t = self._report, self._t
        state = "provisional" if not report.closed else "revised" if report.revision > 1 else "closed"
        query = report.query
        subject = self._named(self._subject_names(), query.subject.value)
        kind = t(f"report.kind.{query.kind}")
        return Sheet(
            language=self._language,
            title=t("report.title", name=self._title_name(subject), kind=kind),
            state=state,
            made_at=report.made_at,
            head=(
                (t("report.of"), f"{subject} ({query.subject.value})"),
                (t("report.period"), f"{query.first} – {query.last}"),
                (t("report.state"), self._state(state)),
                (t("report.seen_to"), self._at(report.seen_to) if report.seen_to else t("report.unseen")),
                (t("report.made_at"), self._at(report.made_at)),
            ),
            sections=tuple(self._sections()),
            foot=tuple(t(f"report.foot.{name}") for name in ("figures", "unknown", "outages", "today")),
        )

    def _sections(self) -> Iterator[Section]:
        yield self._figures()
        yield from self._blocking()
        yield from self._outages()
        yield from self._escalation()
        if self._report.query.subject.dimension is Dimension.DISTRICT:
            yield self._centre()

    # --- words

    def _t(self, key: str, **values: object) -> str:
        return self._texts[key][self._language].format(**values)

    def _word(self, family: str, code: str) -> str:
        """Return the word of a code, or the code where a newer service has one that is not in the catalogue yet."""
        key = f"report.{family}.{code}"
        return self._t(key) if key in self._texts else code

    def _kind(self, code: str) -> str:
        return self._t(f"kind.{code}") if f"kind.{code}" in self._texts else code

    def _named(self, pair: tuple[str, str] | None, code: str) -> str:
        if pair is None:
            return code
        return (pair[1] if self._language is Language.EN else "") or pair[0] or code

    def _subject_names(self) -> tuple[str, str] | None:
        subject = self._report.query.subject
        whole = subject.dimension is Dimension.DISTRICT
        return self._names.district if whole else self._names.bodies.get(subject.value)

    def _title_name(self, subject: str) -> str:
        """Return whose report it is; a district has no name but that of its pack, which says more."""
        whole = self._report.query.subject.dimension is Dimension.DISTRICT
        return self._t("report.whole") if whole else subject

    def _scope(self, code: str) -> str:
        pair = self._names.all_scopes.get(code)
        return f"{code} {self._named(pair, '')}" if pair else code

    def _state(self, state: str) -> str:
        key = "late" if state == "provisional" and self._report.over else state
        return self._t(f"report.state.{key}", n=self._report.revision)

    def _at(self, at: datetime) -> str:
        return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"

    def _lasting(self, time: timedelta) -> str:
        seconds = time.seconds
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        if time.days:
            return self._t("time.days.hours", d=time.days, h=hours)
        return f"{hours}:{minutes:02}:{seconds % 60:02}"

    def _because(self, part: str) -> str:
        return self._t(f"report.withheld.{self._report.withheld[part]}")

    # --- figures

    def _figures(self) -> Section:
        t = self._t
        figures = self._report.figures
        columns = ("scope", "metric", "rate", "verdict", "target", "clause", "revision", "published")
        notes = [] if figures else [t("report.figures.none")]
        notes += self._events()
        changes = [line for figure in figures for line in self._changes(figure)]
        if len(changes) > MAX_CHANGES:
            notes.append(t("report.figures.earlier", n=len(changes) - MAX_CHANGES))
        notes += [t("report.figures.changed"), *changes[-MAX_CHANGES:]] if changes else []
        table = Table(self._columns(columns), tuple(map(self._figure, figures)), numeric=(2, 4, 6))
        return Section("figures", t("report.figures"), tuple(notes), table if figures else None)

    def _events(self) -> Iterator[str]:
        """Yield what was declared of the area meanwhile; it changed no figure, and whoever reads one has to know."""
        query = self._report.query
        for event in self._names.events:
            if not event.touches(query.first, query.last, query.subject.town, query.subject.district):
                continue
            towns = [self._named(self._names.bodies.get(town), town) for town in event.towns]
            where = ("、" if self._language is Language.ZH else ", ").join(towns)
            yield self._t(
                "event.line",
                name=self._named(event.name, ""),
                first=event.first,
                last=event.last,
                where=where or self._named(event.within, "") or self._t("event.whole"),
            )

    def _figure(self, figure: Figure) -> tuple[Cell, ...]:
        holds = figure.publications[-1]
        target = NONE if holds.target is None else f"≥ {percent(_fraction(holds.target))} %"
        due = self._t("report.due", day=figure.due) if figure.due and holds.target is not None else ""
        return (
            self._scope(figure.scope),
            self._word("metric", figure.metric),
            self._rate(holds.ratio),
            self._t(f"verdict.{holds.verdict}"),
            target + due,
            f"{figure.clause or NONE} ({figure.pack[0]} v{figure.pack[1]})",
            holds.revision,
            self._at(holds.published_at),
        )

    def _rate(self, ratio: Ratio) -> str:
        low, high = percent(ratio.low), percent(ratio.high)
        if low is None:
            return self._t("rate.na")
        return f"{low} %" if low == high else f"{low} – {high} %"

    def _changes(self, figure: Figure) -> Iterator[str]:
        """Yield what each revision changed; of counts only where nothing else of it shows."""
        for publication, difference in zip(figure.publications, figure.differences, strict=True):
            if not difference:
                continue
            shown = [name for name in (*RATES, "verdict") if name in difference] or list(difference)
            yield self._t(
                "report.change",
                scope=figure.scope,
                metric=self._word("metric", figure.metric),
                n=publication.revision,
                at=self._at(publication.published_at),
                what=self._listed(self._change(name, *difference[name]) for name in shown),
            )

    def _change(self, name: str, old: str, new: str) -> str:
        if name == "verdict":
            old, new = self._t(f"verdict.{old}"), self._t(f"verdict.{new}")
        unit = " %" if name in RATES and new else ""
        return f"{self._word('field', name)} {old or NONE} → {new or NONE}{unit}"

    def _listed(self, words: Iterable[str]) -> str:
        return ("；" if self._language is Language.ZH else "; ").join(words)

    # --- units below the target

    def _blocking(self) -> Iterator[Section]:
        t, found = self._t, self._report.blocking
        if found is None:
            yield Section("blocking", t("report.blocking"), (self._because("blocking"),))
            return
        for one in found:
            yield self._blocks(one)

    def _blocks(self, one: Blocking) -> Section:
        t = self._t
        heading = t("report.blocking.of", scope=self._scope(one.scope))
        target = percent(_fraction(one.target))
        if one.shortest:
            notes = [t("report.blocking.short", n=one.shortest, p=target)]
        elif self._undetermined(one.scope):
            notes = [t("report.blocking.undetermined")]
        else:
            notes = [t("report.blocking.met")]
        if not one.exact:
            notes.append(t("report.blocking.inexact"))
        shown = one.units[:MAX_UNITS]
        if len(shown) < len(one.units):
            notes.append(t("report.more", n=len(one.units) - len(shown)))
        rows = tuple(
            (
                unit.unit_id,
                self._named(unit.name, unit.unit_id),
                self._rate(unit.ratio),
                self._lasting(timedelta(microseconds=unit.lost)),
                self._lasting(timedelta(microseconds=unit.ratio.unknown)),
                t("report.needed") if place < one.shortest else NONE,
            )
            for place, unit in enumerate(shown)
        )
        table = Table(self._columns(("unit_id", "unit", "rate", "lost", "unknown", "cure")), rows, numeric=(2, 3, 4))
        return Section(f"blocking-{one.scope}", heading, tuple(notes), table if rows else None)

    def _undetermined(self, scope: str) -> bool:
        return any(
            each.publications[-1].verdict is Verdict.UNDETERMINED
            for each in self._report.figures
            if (each.scope, each.metric) == (scope, CLOSED_RATE)
        )

    # --- outages

    def _outages(self) -> Iterator[Section]:
        t, found = self._t, self._report.outages
        heading = t("report.outages")
        if found is None:
            yield Section("outages", heading, (self._because("outages"),))
            return
        totals = total_by(found)
        rows = tuple(
            (t(f"report.attribution.{each}"), count, units, self._lasting(time))
            for each, (count, units, time) in totals.items()
        )
        columns = self._columns(("attribution", "outages", "units", "time"))
        since = self._report.outages_since
        notes = (t("report.outages.how"), *((t("report.outages.since", n=since),) if since else ()))
        yield Section("outages", heading, notes, Table(columns, rows, numeric=(1, 2, 3)))
        yield self._longest()

    def _longest(self) -> Section:
        t = self._t
        units = by_unit(self._report.outages or ())
        rows = tuple(
            (
                one.unit_id,
                self._named(one.name, one.unit_id),
                one.count,
                self._lasting(one.total),
                self._lasting(one.longest),
                self._listed(
                    f"{t(f'report.attribution.{whose}')} {self._lasting(one.by[whose])}"
                    for whose in Attribution
                    if whose in one.by
                ),
            )
            for one in units[:LONGEST]
        )
        more = (t("report.more", n=len(units) - LONGEST),) if len(units) > LONGEST else ()
        columns = self._columns(("unit_id", "unit", "outages", "time", "longest", "attribution"))
        table = Table(columns, rows, numeric=(2, 3, 4)) if rows else None
        return Section("longest", t("report.longest"), more if rows else (t("report.longest.none"),), table)

    # --- cases and documents

    def _escalation(self) -> Iterator[Section]:
        t, report = self._t, self._report
        if report.cases is None or report.papers is None:
            yield Section("cases", t("report.told.cases"), (self._because("cases"),))
            return
        cases = tuple((self._kind(one.kind), one.opened, one.taken, one.closed) for one in report.cases)
        table = Table(self._columns(("kind", "opened", "taken", "closed")), cases, numeric=(1, 2, 3))
        yield self._told("cases", table)
        yield self._fires_found()
        steps = tuple((f"{code} {self._named(self._names.steps.get(code), '')}".strip(), n) for code, n in report.steps)
        yield self._told("steps", Table(self._columns(("step", "count")), steps, numeric=(1,)))
        papers = tuple(
            (
                self._word("instrument", one.instrument), one.issued, one.received, one.receipts_overdue, one.replied,
                one.accepted, one.returned, one.undecided, one.appeals, one.replies_overdue,
            )
            for one in report.papers
        )  # fmt: skip
        columns = self._columns(
            ("instrument", "issued", "received", "receipts_overdue", "replied", "accepted", "returned", "undecided",
             "appeals", "replies_overdue")
        )  # fmt: skip
        yield self._told("papers", Table(columns, papers, numeric=tuple(range(1, 10))))

    def _fires_found(self) -> Section:
        """Whether it burned, and why: what nobody has said is a line of its own, and no false alarm."""
        rows = tuple(
            (
                self._t(f"verify.{one.finding}") if one.finding else self._t("report.told.findings.open"),
                self._t(f"cause.{one.cause}") if one.cause else NONE,
                one.fires,
            )
            for one in self._report.findings
        )
        return self._told("findings", Table(self._columns(("finding", "cause", "fires")), rows, numeric=(2,)))

    def _told(self, key: str, table: Table) -> Section:
        notes = (self._t(f"report.told.{key}.how") if table.rows else self._t("report.nothing"),)
        return Section(key, self._t(f"report.told.{key}"), notes, table if table.rows else None)

    # --- the centre

    def _centre(self) -> Section:
        t, one = self._t, self._report.centre
        heading, lacking = t("report.centre"), t("report.centre.seats")
        if one is None:
            because = self._because("centre") if "centre" in self._report.withheld else t("report.centre.not_yours")
            return Section("centre", heading, (because,))

        def slowest(time: timedelta | None) -> str:
            return NONE if time is None else self._lasting(time)

        rows: tuple[tuple[Cell, ...], ...] = (
            (t("report.centre.fires"), one.fires),
            (t("report.centre.touched"), one.touched),
            (t("report.centre.touched_within"), one.touched_within),
            (t("report.centre.slowest_touch"), slowest(one.slowest_touch)),
            (t("report.centre.acted"), one.acted),
            (t("report.centre.acted_within"), one.acted_within),
            (t("report.centre.slowest_act"), slowest(one.slowest_act)),
            (t("report.centre.cases"), one.cases),
            (t("report.centre.hours"), one.hours),
            (t("report.centre.busiest"), one.busiest),
            (t("report.centre.flooded", n=FLOOD), one.flooded),
            (t("report.centre.per_seat"), t("report.unmeasured")),
        )
        return Section("centre", heading, (lacking,), Table(self._columns(("what", "value")), rows, numeric=(1,)))

    def _columns(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._t(f"report.column.{name}") for name in names)


def _fraction(text: str) -> Fraction:
    return Fraction(Decimal(text))
