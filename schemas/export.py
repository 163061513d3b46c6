"""Write JSON Schema and AsyncAPI 3 from the models and topic files: `python -m schemas.export [--check]`.

The files under schemas/exported/ are what other teams build against. `--check` changes nothing and exits 1 when they
are not what the models say.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from schemas.base import Wire
from schemas.body_finding import BodyFinding
from schemas.codec import CONTENT_TYPE
from schemas.command import Command
from schemas.document import DocumentChanged, DocumentIssued, DocumentRequest
from schemas.exchange import Exchange
from schemas.figure import FigurePublished
from schemas.finding import Finding
from schemas.gateway import GatewayMessage, GatewayStatus
from schemas.listing import ListingActed
from schemas.notice import Notice
from schemas.pack import Pack
from schemas.refusal import Refusal, Replayed
from schemas.registry import RegistryEvent
from schemas.signal import Signal, Tick, UnregisteredAlarm
from schemas.topics import Topic, all_topics

FOLDER = Path(__file__).parent / "exported"
MODELS: tuple[type[Wire], ...] = (
    GatewayMessage,
    GatewayStatus,
    Signal,
    Tick,
    UnregisteredAlarm,
    Refusal,
    Replayed,
    Command,
    Exchange,
    Finding,
    Notice,
    ListingActed,
    DocumentRequest,
    DocumentIssued,
    DocumentChanged,
    BodyFinding,
    FigurePublished,
    RegistryEvent,
    Pack,
)
MQTT_CHANNELS: dict[str, tuple[str, str, type[Wire]]] = {
    "gatewayUpJson": ("firenet/v1/{gateway_id}/up/json", "Everything but fire alarms, QoS 1.", GatewayMessage),
    "gatewayAlarmJson": (
        "firenet/v1/{gateway_id}/alarm/json",
        "Fire and its end, the fast lane, QoS 1.",
        GatewayMessage,
    ),
    "gatewayStatus": ("firenet/v1/{gateway_id}/status", "Retained; `offline` is the last will.", GatewayStatus),
}


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) that a consumer may validate with."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(mode="validation")}


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of all MQTT and Kafka channels."""
    topics = all_topics()
    channels = {name: _mqtt_channel(address, text, model) for name, (address, text, model) in MQTT_CHANNELS.items()}
    channels |= {name: _kafka_channel(topic) for name, topic in topics.items()}
    operations: dict[str, Any] = {
        f"receive{name[0].upper()}{name[1:]}": {"action": "receive", "channel": {"$ref": f"#/channels/{name}"}}
        for name in MQTT_CHANNELS
    }
    for name, topic in topics.items():
        for action, services in (("send", topic.producers), ("receive", topic.consumers)):
            for service in services:
                operations[f"{service}_{action}_{name}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{name}"},
                    "tags": [{"name": service}],
                }
    messages = {model.__name__: _message(model) for model in MODELS if model is not Pack}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "FireNet",
            "version": "1.0.0",
            "description": "Remote fire-alarm networking: what gateways publish and what the services tell each other.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _message(model: type[Wire]) -> dict[str, Any]:
    is_event = "specversion" in model.model_fields
    return {
        "name": model.__name__,
        "contentType": CONTENT_TYPE if is_event else "application/json",
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{model.__name__}.schema.json"},
        },
    }


def _messages(models: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in models}


def _mqtt_channel(address: str, text: str, model: type[Wire]) -> dict[str, Any]:
    return {
        "address": address,
        "description": text,
        "parameters": {"gateway_id": {"description": "The gateway's id in the registry; it speaks for one unit."}},
        "messages": _messages((model.__name__,)),
        "bindings": {"mqtt": {"bindingVersion": "0.2.0"}},
    }


def _kafka_channel(topic: Topic) -> dict[str, Any]:
    retention = -1 if topic.retention_days is None else topic.retention_days * 86_400_000
    return {
        "address": topic.name,
        "description": f"{topic.description} Key: {topic.key}.",
        "tags": [{"name": topic.owner}],
        "messages": _messages(topic.event),
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [topic.cleanup],
                    "retention.ms": retention,
                    "max.message.bytes": topic.max_message_bytes,
                    "compression.type": topic.compression,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def rendered() -> dict[str, str]:
    """Return file name -> content of everything under schemas/exported/."""
    files = {
        f"{model.__name__}.schema.json": json.dumps(json_schema(model), indent=2, ensure_ascii=False, sort_keys=True)
        + "\n"
        for model in MODELS
    }
    files["asyncapi.yaml"] = yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=120)
    return files


def drift(folder: Path = FOLDER) -> list[str]:
    """Return the names of exported files that are missing, stale or no longer made."""
    wanted = rendered()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} if folder.is_dir() else {}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def main(arguments: list[str]) -> int:
    stale = drift()
    if arguments == ["--check"]:
        if stale:
            sys.stderr.write(f"schemas/exported is not what the models say: {', '.join(stale)}; run `make schemas`\n")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        content = rendered().get(name)
        if content is None:
            (FOLDER / name).unlink()
        else:
            (FOLDER / name).write_text(content, encoding="utf-8")
    sys.stdout.write(f"schemas/exported: {len(stale)} files written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
