"""The archive on a real Kafka: every offset once, whatever is killed, and what a full or missing disk does."""

import base64
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import EXCHANGES, REGISTRY, SIGNALS
from services.runtime.clock import SystemClock
from tests.full_disk import needs_mount, small_disk
from tests.integration.compliance.harness import TOPICS, Sent, compliance, in_archive, in_kafka, kafka, send

DAY_S = 86_400
START_MS = (int(SystemClock().now().timestamp()) // DAY_S - 5) * DAY_S * 1000
"""A midnight of these days: Kafka deletes, while a test runs, what is older than its topic keeps."""
KILLS = 6


def told(line: dict[str, Any], value: bytes | None) -> bool:
    """Whether a line says this value."""
    if "raw" in line:
        raw = line["raw"]["value"]
        return value == (None if raw is None else base64.b64decode(raw))
    return value == b'{"n":%d,"pad":"%b"}' % (line["event"]["n"], line["event"]["pad"].encode())


class Story:
    """Writes records that are all different; one in fifty is none of ours, one in twenty has a clock that is behind."""

    def __init__(self, bootstrap: str, seed: int) -> None:
        self._bootstrap = bootstrap
        self._random = random.Random(seed)
        self._written = 0

    async def write(self, count: int) -> None:
        await send(self._bootstrap, [self._record() for _ in range(count)])

    def _record(self) -> Sent:
        self._written += 1
        topic = self._random.choices([SIGNALS, EXCHANGES, REGISTRY], [20, 1, 1])[0]
        value = b'{"n":%d,"pad":"%b"}' % (self._written, self._random.randbytes(60).hex().encode())
        if self._random.random() < 0.02:
            value = self._random.randbytes(40)
        at_ms = START_MS + self._written * 40_000 - self._random.choice([0] * 19 + [90_000])
        return topic, self._random.randrange(TOPICS[topic]), value, at_ms


async def check(bootstrap: str, root: Path) -> None:
    """Every offset that Kafka has stands in the archive once, in order, with its bytes; times never fall."""
    wanted, found = await in_kafka(bootstrap), in_archive(root)
    places = [(line["topic"], line["partition"], line["offset"]) for line in found]
    assert places == [(each["topic"], each["partition"], each["offset"]) for each in wanted]
    assert all(told(line, each["value"]) for line, each in zip(found, wanted, strict=True))
    latest: dict[tuple[str, int], str] = {}
    for line in found:
        place = (line["topic"], line["partition"])
        assert line["recorded_at"] >= latest.get(place, "")
        latest[place] = line["recorded_at"]


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_kills_in_the_middle_of_load_lose_and_double_no_offset(tmp_path: Path) -> None:
    moments = random.Random(7)
    async with kafka(tmp_path / "kafka") as bootstrap, compliance(bootstrap, tmp_path) as process:
        story = Story(bootstrap, 7)
        for _ in range(KILLS):
            await story.write(600)
            process.start()
            await process.wait_for("something written", lambda: process.metric("records_total") > 0)
            await story.write(moments.randint(1, 900))
            process.end(signal.SIGKILL)
        process.start()
        wanted = len(await in_kafka(bootstrap))
        await process.wait_for("all of it archived", lambda: len(in_archive(process.root)) == wanted)
        before = process.metric("records_total")
        await story.write(50)
        await process.wait_for("all of these, too", lambda: process.metric("records_total") >= before + 50)
        await process.wait_for("ready", lambda: process.ready()[0] == 200)
        await process.wait_for("nothing behind", lambda: process.metric("behind_records") == 0)
        assert process.end() == 0
        await check(bootstrap, process.root)
        assert process.metric("records_total") == -1
        assert not list(process.root.rglob("*.unfinished"))


@needs_mount
@pytest.mark.slow
async def test_on_a_full_disk_it_waits_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 1):
        filler = disk / "filler"
        filler.write_bytes(b"x" * 900_000)
        async with (
            kafka(tmp_path / "kafka") as bootstrap,
            compliance(bootstrap, tmp_path, COMPLIANCE_ARCHIVE_ROOT=str(disk / "archive")) as process,
        ):
            story = Story(bootstrap, 8)
            await story.write(3000)
            process.start()
            await process.wait_for("waits for room", lambda: process.metric("waiting", reason="full") == 1)
            await process.wait_for("says so", lambda: process.ready()[0] == 503 and "waits, full" in process.ready()[1])
            filler.unlink()
            await process.wait_for("goes on", lambda: process.metric("waiting", reason="full") == 0)
            wanted = len(await in_kafka(bootstrap))
            await process.wait_for("all of it archived", lambda: len(in_archive(process.root)) == wanted)
            assert process.end() == 0
            await check(bootstrap, process.root)


@needs_mount
@pytest.mark.slow
async def test_a_disk_that_is_taken_away_is_missed_and_the_place_it_leaves_gets_nothing(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    async with kafka(tmp_path / "kafka") as bootstrap, compliance(bootstrap, tmp_path) as process:
        story = Story(bootstrap, 9)
        await story.write(300)
        process.start()
        await process.wait_for("archived", lambda: len(in_archive(root)) == 300)
        with small_disk(root, 1):  # an empty disk lies over the archive, as the folder below a mount does
            await story.write(300)
            await process.wait_for("missed", lambda: process.metric("waiting", reason="missing") == 1)
            assert list(root.iterdir()) == []
            process.end()
            process.start()
            await process.wait_for("missed anew", lambda: process.metric("waiting", reason="missing") == 1)
            assert list(root.iterdir()) == []
        await process.wait_for("goes on", lambda: len(in_archive(root)) == 600)
        assert process.end() == 0
        await check(bootstrap, root)
