"""Topics are files: owner, key, partitions, retention. They are created from these files and from nothing else."""

from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import Field

from schemas.base import Wire


class Topic(Wire):
    """One Kafka topic. `event` names the model of its records in `schemas`.

    `compression`: what the broker does to the batches that it stores (decision 96); `producer`: nothing.
    """

    name: str = Field(pattern=r"^firenet\.[a-z]+\.v[0-9]+$")
    description: str
    owner: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    event: tuple[str, ...]
    key: str
    partitions: int = Field(ge=1, le=1000)
    cleanup: Literal["delete", "compact"]
    retention_days: int | None = Field(ge=1)
    max_message_bytes: int = Field(ge=1024)
    compression: Literal["producer", "gzip"] = "producer"
    compatibility: Literal["BACKWARD_TRANSITIVE"]


@cache
def all_topics() -> dict[str, Topic]:
    """Return the topics by their short name (`signals`, `alarms`, ...)."""
    folder = files(__name__)
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name)
    return {
        entry.name.removesuffix(".yaml"): Topic.model_validate(yaml.safe_load(entry.read_text(encoding="utf-8")))
        for entry in found
    }


SIGNALS = "firenet.signals.v1"
ALARMS = "firenet.alarms.v1"
REFUSALS = "firenet.refusals.v1"
REGISTRY = "firenet.registry.v1"
FINDINGS = "firenet.findings.v1"
NOTICES = "firenet.notices.v1"
COMMANDS = "firenet.commands.v1"
EXCHANGES = "firenet.exchanges.v1"
LISTINGS = "firenet.listings.v1"
LOGGED = (SIGNALS, EXCHANGES, REGISTRY, LISTINGS)
"""What figures and scores are computed from: compliance keeps all of it."""
REQUESTS = "firenet.requests.v1"
DOCUMENTS = "firenet.documents.v1"
FIGURES = "firenet.figures.v1"
