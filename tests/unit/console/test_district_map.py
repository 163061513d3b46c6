"""The map: a mark each, or one per community where there are many; the worst first; nobody's units but one's own."""

import pytest

from services.console.adapters.web.district_map import policy_with
from services.console.domain.district_map import MAX_MARKS, MapQuery, MapUnit, map_of, shape_of
from services.console.domain.errors import DataUnavailable
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.settings import ConsoleSettings
from services.console.worker.district_map import KEPT_S, POSITIONS_S, MapService
from tests.fakes.clock import ManualClock
from tests.fakes.console import T0, FakeReadModel
from tests.unit.console import builders

CENTRE = Viewer(Username("centre"), Role.CENTRE, None, "centre")
HEALTH = Viewer(Username("health"), Role.DEPARTMENT, BodyCode("health"), "health")


def unit(number: int, connection: str = "online", health: str = "normal", **more: object) -> MapUnit:
    values = {"town": f"T{number % 3}", "community": f"C{number % 9}", "partly_connected": False} | more
    return MapUnit(f"U{number:05d}", f"n{number}", "", connection=connection, health=health, **values)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("connection", "health", "partly", "shape"),
    [
        ("online", "normal", False, "online"), ("online", "unknown", False, "online"),
        ("online", "fault", False, "fault"),
        ("offline", "fire", False, "fire"), ("offline", "fault", False, "offline"), ("online", "fault", True, "partly"),
        ("unknown", "normal", False, "unknown"), ("exempt", "normal", False, "exempt"),
        ("exempt", "isolated", False, "isolated"),
    ],
)  # fmt: skip
def test_a_mark_shows_what_matters_most(connection: str, health: str, partly: bool, shape: str) -> None:
    assert shape_of(unit(1, connection, health, partly_connected=partly)) == shape


def test_few_units_have_a_mark_each_the_worst_first() -> None:
    found = map_of([unit(1), unit(2, "offline"), unit(3, health="fire")], {"U00002": (118.1, 26.6)}, MapQuery())
    assert [(mark.unit_id, mark.worst, mark.at) for mark in found.marks] == [
        ("U00003", "fire", None),
        ("U00002", "offline", (118.1, 26.6)),
        ("U00001", "online", None),
    ]
    assert (found.units, found.placed, found.left_out) == (3, 1, 0)


@pytest.mark.thorough
def test_of_many_units_each_community_has_one_mark_and_no_unit_is_lost() -> None:
    units = [unit(number, "offline" if number == 4 else "online") for number in range(20_000)]
    found = map_of(units, {"U00004": (118.0, 26.0), "U00013": (118.2, 26.4)}, MapQuery())
    assert len(found.marks) == 9
    first = found.marks[0]
    assert (first.unit_id, first.town, first.community, first.worst) == (None, "T1", "C4", "offline")
    assert first.shapes["offline"] == 1
    assert first.at == pytest.approx((118.1, 26.2))
    assert sum(sum(mark.shapes.values()) for mark in found.marks) == found.units == 20_000


def test_a_community_that_is_asked_for_shows_its_units_and_says_how_many_have_no_mark() -> None:
    units = [unit(number, "offline" if number == 2999 else "online", town="T", community="C") for number in range(3000)]
    found = map_of(units, {}, MapQuery("T", "C"))
    assert found.marks[0].unit_id == "U02999"
    assert len(found.marks) + found.left_out == 3000 > MAX_MARKS


async def test_a_department_has_its_own_units_on_the_map_and_equal_questions_are_read_once() -> None:
    read = FakeReadModel(
        [builders.unit("U1", lead_department="health"), builders.unit("U2", lead_department="education")]
    )
    read.known_positions = {"U1": (118.0, 26.0), "U2": (118.1, 26.0)}
    clock = ManualClock(T0)
    maps = MapService(read, clock)
    assert [mark.unit_id for mark in (await maps.now(HEALTH, MapQuery())).marks] == ["U1"]
    assert len((await maps.now(CENTRE, MapQuery())).marks) == 2
    await maps.now(CENTRE, MapQuery())
    assert (read.reads["map_units"], read.reads["positions"]) == (2, 1)
    clock.forward(KEPT_S)
    await maps.now(CENTRE, MapQuery())
    assert (read.reads["map_units"], read.reads["positions"]) == (3, 1)
    clock.forward(POSITIONS_S)
    await maps.now(CENTRE, MapQuery())
    assert read.reads["positions"] == 2
    read.away = True
    clock.forward(KEPT_S)
    with pytest.raises(DataUnavailable):
        await maps.now(CENTRE, MapQuery())


def test_only_the_host_of_the_tiles_is_added_to_the_policy() -> None:
    plain, wider = policy_with(None), policy_with("https://tiles.example:8443/{z}/{x}/{y}.png")
    assert "img-src 'self';" in plain
    assert wider == plain.replace("img-src 'self'", "img-src 'self' https://tiles.example:8443")


@pytest.mark.parametrize(
    "tiles",
    [
        "https://a.example/{z}/{x}.png", "https://a.example/{z}/{x}/{y}/{y}.png", "javascript:alert(1)//{z}/{x}/{y}",
        "https://a.example; script-src */{z}/{x}/{y}", "https://u:p@a.example/{z}/{x}/{y}", "//a.example/{z}/{x}/{y}",
        "https://a.example/{z}/{x}/{y}/{s}",
    ],
)  # fmt: skip
def test_an_address_of_tiles_that_is_none_stops_the_start(tiles: str) -> None:
    with pytest.raises(ValueError, match="map_tiles"):
        ConsoleSettings.model_validate({"database_dsn": "postgresql://x", "map_tiles": tiles})
