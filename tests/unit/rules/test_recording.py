"""What seeded stories said when they were recorded is what they say: a change of shape must change none of it.

`python -m tests.unit.rules.test_recording` records anew, after a change of behaviour that is meant; the commit says
which words changed and why.
"""

import json
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from services.rules.domain.words import Aspect
from tests.unit.rules.stories import fresh, play, random_steps, tell

RECORDED = Path(__file__).with_name("recorded_stories.json")
STORIES = 150


def said(seed: int) -> dict[str, list[str]]:
    """Return everything that the engine says in the story of `seed`, one text for each effect."""
    effects = play(fresh(), tell(random_steps(Random(seed))).inputs)
    told = {f"transitions of {aspect}": [one for one in effects.transitions if one.aspect == aspect]
            for aspect in Aspect}  # fmt: skip
    told |= {name: getattr(effects, name) for name in ("components", "findings", "signals", "hours", "samples")}
    return {name: [repr(tuple(map(str, one))) for one in values] for name, values in told.items()}


def digests() -> dict[str, dict[str, str]]:
    """Return for each seed the count and digest of each kind of effect."""
    return {
        str(seed): {
            name: f"{len(values)} {sha256(chr(10).join(values).encode()).hexdigest()[:16]}"
            for name, values in said(seed).items()
        }
        for seed in range(STORIES)
    }


@pytest.mark.thorough
def test_recorded_stories_are_told_as_they_were() -> None:
    assert digests() == json.loads(RECORDED.read_text())


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(digests(), indent=1) + "\n")
