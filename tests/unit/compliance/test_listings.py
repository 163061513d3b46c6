"""Listings as a criterion of an evaluation: what was due, what was put right in time, what nobody knows yet."""

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from random import Random

import pytest

from schemas.pack import Pack
from services.compliance.adapters.packs import policies
from services.compliance.adapters.score_rows import listed_act_of, listed_act_row, score_json
from services.compliance.domain.listings import ListedAct, due_listings, in_time, within
from services.compliance.domain.policy import Policies
from services.compliance.domain.scores import Score, evaluated
from services.kernel.calendar import micros
from services.kernel.ratio import Ratio
from services.kernel.words import Dimension, ListingAct, ListingOutcome, ScoreGap
from tests import quick_yaml
from tests.unit.compliance.test_scores import LONG, cited, entry, month, only

BY_LISTINGS = LONG.replace("points: 60, rate:", "points: 50, rate:").replace(
    "      patrol:",
    "      listed: {points: 10, listings: {none_at: '0.5', left_out_if_empty: true}, name_zh: 挂牌督办按期整改,\n"
    "               name_en: Listings, clause: x}\n      patrol:",
)
MARCH, APRIL = month(3), month(4)
LIST, HAND_IN, PASS, FAIL = ListingAct.LIST, ListingAct.HAND_IN, ListingAct.PASS_RECHECK, ListingAct.FAIL_RECHECK
CLOSE, REFUSE = ListingAct.APPROVE_CLOSURE, ListingAct.REFUSE_CLOSURE
ASK, GRANT = ListingAct.ASK_EXTENSION, ListingAct.GRANT_EXTENSION


def known(said: str = BY_LISTINGS) -> Policies:
    return policies([Pack.model_validate(quick_yaml.read(said))])


def on(day: str, hour: int = 0) -> int:
    """Return an hour in China, of a day of 2026."""
    return micros(datetime.fromisoformat(f"2026-{day}T{hour:02}:00:00+08:00"))


def listing(
    *acts: tuple[ListingAct, int] | tuple[ListingAct, int, int],
    name: str = "L1",
    due: str = "04-01",
    town: str = "T1",
    department: str = "health",
    district: str = "sample",
) -> list[ListedAct]:
    """Return the acts after the proposal and the listing of 1 February; a third member is the deadline from then on."""
    whose, until, made = (district, town, department), on(due), []
    made.append(ListedAct(name, 1, ListingAct.PROPOSE, on("01-20"), None, "U1", *whose))
    for number, (act, at, *later) in enumerate([(LIST, on("02-01")), *acts], 2):
        until = later[0] if later else until
        made.append(ListedAct(name, number, act, at, until, "U1", *whose))
    return made


def outcome(acts: Sequence[ListedAct]) -> ListingOutcome:
    (found,) = due_listings(acts)
    return found.outcome


@pytest.mark.parametrize(
    ("acts", "said"),
    [
        ((), ListingOutcome.LATE),
        (((HAND_IN, on("03-20")),), ListingOutcome.UNDECIDED),
        (((HAND_IN, on("03-20")), (PASS, on("04-09"))), ListingOutcome.UNDECIDED),
        # how long others take to look and to approve is not held against the body
        (((HAND_IN, on("03-20")), (PASS, on("04-09")), (CLOSE, on("05-01"))), ListingOutcome.IN_TIME),
        (((HAND_IN, on("03-31", 23)), (PASS, on("04-01")), (CLOSE, on("04-01", 1))), ListingOutcome.IN_TIME),
        (((HAND_IN, on("04-01")), (PASS, on("04-01", 1)), (CLOSE, on("04-01", 2))), ListingOutcome.LATE),
        (((HAND_IN, on("03-20")), (FAIL, on("03-25"))), ListingOutcome.LATE),
        (((HAND_IN, on("03-20")), (FAIL, on("04-05")), (HAND_IN, on("04-06")), (PASS, on("04-07")),
          (CLOSE, on("04-08"))), ListingOutcome.LATE),
        (((HAND_IN, on("03-20")), (HAND_IN, on("04-06")), (PASS, on("04-07")), (CLOSE, on("04-08"))),
         ListingOutcome.IN_TIME),
        (((HAND_IN, on("03-20")), (PASS, on("03-21")), (REFUSE, on("03-22"))), ListingOutcome.LATE),
        (((ASK, on("03-30")),), ListingOutcome.UNDECIDED),
        (((ASK, on("04-02")),), ListingOutcome.LATE),
        (((ASK, on("03-30")), (ListingAct.REFUSE_EXTENSION, on("04-02"))), ListingOutcome.LATE),
    ],
)  # fmt: skip
def test_in_time_is_what_came_by_the_deadline_and_was_found_good(
    acts: tuple[tuple[ListingAct, int], ...], said: ListingOutcome
) -> None:
    assert outcome(listing(*acts)) is said


def test_a_deadline_belongs_to_the_day_that_it_ends_and_an_extension_moves_it() -> None:
    march = due_listings(listing())
    assert (within(march, MARCH), within(march, APRIL)) == (march, [])
    later = due_listings(listing((ASK, on("03-30")), (GRANT, on("04-02"), on("05-01"))))
    assert (within(later, MARCH), within(later, APRIL)) == ([], later)


def test_what_was_never_listed_is_due_for_nobody() -> None:
    assert due_listings(listing()[:1]) == []
    declined = [listing()[0], ListedAct("L1", 2, ListingAct.DECLINE, on("02-01"), None, "U1")]
    assert due_listings(declined) == []


def test_neither_order_nor_second_copies_change_anything() -> None:
    acts = [
        *listing((HAND_IN, on("03-20")), (PASS, on("04-09")), (CLOSE, on("05-01"))),
        *listing((HAND_IN, on("03-20")), (FAIL, on("04-09")), name="L2"),
    ]
    shuffled = [*acts, *acts]
    Random(4).shuffle(shuffled)
    assert due_listings(shuffled) == due_listings(acts)
    assert in_time(due_listings(acts)) == Ratio(1, 2)


def test_of_an_act_that_was_lost_and_done_again_the_later_on_the_log_holds() -> None:
    """The database of alerts was put back: what was entered again has the number of what was lost."""
    lost = listing(due="04-01")
    again = [lost[0], lost[1]._replace(at=on("02-02"), due_at=on("05-01"))]
    assert [each.due_at for each in due_listings([*lost, *again])] == [on("05-01")]
    declined = lost[1]._replace(at=on("02-02"), act=ListingAct.DECLINE, due_at=None)
    assert due_listings([*lost, declined]) == []

    closed = listing((HAND_IN, on("03-20")), (PASS, on("03-21")), (CLOSE, on("03-22")))
    failed = closed[3]._replace(at=on("03-23"), act=FAIL)
    assert outcome(closed) is ListingOutcome.IN_TIME
    assert outcome([*closed, failed]) is ListingOutcome.LATE, "and what followed the lost act is gone"
    assert outcome([*closed, *closed[:4]]) is ListingOutcome.IN_TIME, "copies of the same acts take nothing away"


def test_an_act_is_stored_and_read_as_it_is() -> None:
    acts = listing((HAND_IN, on("03-20")))
    assert [listed_act_of(listed_act_row(act)) for act in acts] == acts


def score(acts: Sequence[ListedAct], policies_: Policies | None = None, town: str = "T1") -> Score:
    figures = [cited(Ratio(1, 1), MARCH, town), cited(Ratio(1, 1), MARCH, town, metric="access_rate")]
    return only(evaluated(policies_ or known(), figures, [entry("20", MARCH, town)], acts), MARCH)


def test_the_share_in_time_gives_points_evenly_between_none_and_all() -> None:
    done = [listing((HAND_IN, on("03-20")), (PASS, on("03-21")), (CLOSE, on("03-22")), name=f"L{n}") for n in range(3)]
    found = score([*(act for each in done for act in each), *listing(name="L9")])
    # 50 + 20 + 20, and of 10 the half that 3 of 4 are above one half
    assert found.span == (Fraction("0.95"), Fraction("0.95"))
    assert not found.is_provisional
    (said,) = [each for each in score_json(found)["criteria"] if each["id"] == "listed"]
    assert (said["manual"], said["low"], said["listings"]["low"], said["gap"]) == (False, "5.0", "75.0", None)
    assert [(each["id"], each["outcome"]) for each in said["listings"]["due"]][2:] == [
        ("L2", "in_time"),
        ("L9", "late"),
    ]


def test_what_waits_for_its_recheck_may_be_anything_and_makes_no_list() -> None:
    found = score(listing((HAND_IN, on("03-20"))))
    assert found.span == (Fraction("0.9"), Fraction(1))
    assert found.is_provisional, "both bounds have one grade, and still"
    assert found.gaps == (ScoreGap.NOT_DECIDED,)
    assert found.list is None


def test_without_a_listing_the_others_measure_or_it_is_open() -> None:
    assert score([]).span == (Fraction(1), Fraction(1))
    strict = known(BY_LISTINGS.replace("none_at: '0.5', left_out_if_empty: true", "none_at: '0.5'"))
    assert (score([], strict).gaps, score([], strict).is_open) == ((ScoreGap.NOTHING_COUNTED,), True)


def test_a_listing_counts_for_its_own_town_and_district_alone() -> None:
    for acts in (listing(town="T2"), listing(town=""), listing(due="05-01")):
        assert score(acts).span == (Fraction(1), Fraction(1))
    assert score(listing()).span == (Fraction("0.9"), Fraction("0.9"))
    by_department = known(BY_LISTINGS.replace("dimension: town", "dimension: department"))
    figures = [cited(Ratio(1, 1), MARCH, "health", kind="department")]
    (found, *_) = evaluated(by_department, figures, [entry("20", MARCH, "health")], listing())
    assert found.scheme.dimension is Dimension.DEPARTMENT
    assert [each.listing_id for each in found.marks[2].listings] == ["L1"]


def test_one_pack_judges_listings_of_any_district_as_it_judges_units() -> None:
    for district in ("", "other"):
        assert score(listing(district=district)).span == (Fraction("0.9"), Fraction("0.9"))
    two = [BY_LISTINGS, BY_LISTINGS.replace("pack_id: ", "pack_id: x").replace("district: sample", "district: other")]
    packs = policies([Pack.model_validate(quick_yaml.read(said)) for said in two])
    figures = [cited(Ratio(1, 1), MARCH, "sample/T1"), cited(Ratio(1, 1), MARCH, "other/T1")]
    found = evaluated(packs, figures, [], listing(district="other"))
    counted = {each.body_id: len(each.marks[2].listings) for each in found if each.window == MARCH}
    assert counted == {"sample/T1": 0, "other/T1": 1}


def test_a_body_under_a_name_of_the_packs_has_the_listings_of_its_slice() -> None:
    named = known(
        BY_LISTINGS.replace(
            "    criteria:", "    bodies: {PS1: {name_zh: 所, name_en: Station, slice: T1}}\n    criteria:"
        )
    )
    figures = [cited(Ratio(1, 1), MARCH)]
    (found, *_) = evaluated(named, figures, [], listing())
    assert (found.body_id, len(found.marks[2].listings)) == ("PS1", 1)


def test_what_a_person_entered_is_never_the_whole_score() -> None:
    alone = BY_LISTINGS.replace('none_at: "0.5"}', 'none_at: "0.5", left_out_if_empty: true}')
    figures = [cited(Ratio(0, 0), MARCH), cited(Ratio(0, 0), MARCH, metric="access_rate")]
    (found, *_) = evaluated(known(alone), figures, [entry("20", MARCH)], [])
    assert found.is_open
    (measured, *_) = evaluated(known(alone), figures, [entry("20", MARCH)], listing())
    assert (measured.is_open, measured.span) == (False, (Fraction(2, 3), Fraction(2, 3))), "20 of 30"


def test_a_score_without_such_a_criterion_says_what_it_said() -> None:
    plain = score(listing(), known(LONG))
    assert all("listings" not in each for each in score_json(plain)["criteria"])


def test_deadlines_are_instants() -> None:
    assert datetime.fromtimestamp(on("04-01") / 1_000_000, UTC).isoformat() == "2026-03-31T16:00:00+00:00"
