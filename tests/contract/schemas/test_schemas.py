"""The wire as others see it: examples, exported schemas, AsyncAPI, topic files."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import schemas.export as export
from schemas import codec
from schemas.inputs import read_packs
from schemas.topics import all_topics
from services.kernel.words import REFUSAL_REASONS_IN_USE

EXAMPLES = Path(export.__file__).parent / "examples"
MODELS = {model.__name__: model for model in export.MODELS}
VALID = sorted((EXAMPLES / "valid").glob("*/*.json"))


@cache
def exported(name: str) -> jsonschema.Draft202012Validator:
    """Return what checks values by the exported schema of a model."""
    schema = json.loads((export.FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", VALID, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_example_fits_its_model_and_the_exported_schema(path: Path) -> None:
    model = MODELS[path.parent.name]
    parsed = model.model_validate_json(path.read_bytes())
    assert model.model_validate_json(parsed.model_dump_json()) == parsed
    exported(path.parent.name).validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize("path", VALID, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_example_with_one_unknown_field_is_refused(path: Path) -> None:
    body: dict[str, Any] = json.loads(path.read_bytes())
    body["surprise"] = 1
    with pytest.raises(ValueError, match="surprise"):
        MODELS[path.parent.name].model_validate(body)


@cache
def decoders() -> dict[str, codec.Codec[Any]]:
    """Return by the name of each model of a topic the codec that reads it there."""
    return {name: getattr(codec, topic) for topic, one in all_topics().items() for name in one.event}


MAPS = {"said", "difference", "slice", "detail"}
"""Members that hold values by name: whatever stands in them is known."""


def with_more(node: Any) -> Any:
    """Return what the next version may say: a member more in every object."""
    if isinstance(node, dict):
        found = {name: value if name in MAPS else with_more(value) for name, value in node.items()}
        return {**found, "of_the_next_version": {"a": [1]}}
    return [with_more(one) for one in node] if isinstance(node, list) else node


@pytest.mark.parametrize(
    "path",
    [path for path in VALID if path.parent.name in decoders()],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_what_the_next_version_says_more_is_passed_over(path: Path) -> None:
    """While services are replaced one by one, the version before reads what this one writes."""
    one, raw = decoders()[path.parent.name], path.read_bytes()
    assert one.decode(json.dumps(with_more(json.loads(raw))).encode()) == one.decode(raw)


def test_an_unknown_flag_does_not_cost_a_fire() -> None:
    path = next(path for path in VALID if path.parent.name == "Signal" and b'"fire"' in path.read_bytes())
    event = json.loads(path.read_bytes())
    known = codec.alarms.decode(json.dumps(event).encode())
    event["data"]["flags"] = ["odd", *event["data"].get("flags", ()), "of_the_next_version"]
    assert codec.alarms.decode(json.dumps(event).encode()) == known
    event["data"]["kind"] = "of_the_next_version"
    with pytest.raises(codec.BadRecord, match="kind"):
        codec.alarms.decode(json.dumps(event).encode())


def pack_record(pack: dict[str, Any]) -> bytes:
    """Return the event of the register that brings a pack."""
    event = json.loads((EXAMPLES / "valid" / "RegistryEvent" / "unit.json").read_bytes())
    version = {"valid_from": "2026-01-01", "recorded_at": "2026-01-01T00:00:00Z", "pack": pack}
    event["data"]["record"] = {"kind": "pack", "id": "p", "versions": [version]}
    return json.dumps(event).encode()


def test_an_unknown_word_in_a_list_does_not_cost_a_record_of_the_register() -> None:
    """Of `versions`, which must not be empty, one with an unknown word in it is not counted: that is no other fault."""
    path = Path(export.__file__).parents[1] / "deploy" / "packs" / "sample-2026.yaml"
    pack = json.loads(read_packs([path])[0].model_dump_json())
    known = codec.registry.decode(pack_record(pack))
    steps = [step for ladder in pack["ladders"].values() for step in ladder["steps"]]
    lists = [step[words] for step in steps for words in ("exit", "tells")]
    lists += [pack["common_cause"]["by"], pack["common_cause"]["tells"], pack["dimensions"]]
    for words in lists:
        words[:] = ["of_the_next_version", *words, "of_the_version_after"]
    assert codec.registry.decode(pack_record(pack)) == known


def test_a_list_that_is_empty_without_its_unknown_word_is_refused_where_it_must_not_be() -> None:
    path = Path(export.__file__).parents[1] / "deploy" / "packs" / "sample-2026.yaml"
    pack = json.loads(read_packs([path])[0].model_dump_json())
    next(iter(pack["ladders"].values()))["steps"][0]["exit"] = ["of_the_next_version"]
    with pytest.raises(codec.BadRecord, match="exit"):
        codec.registry.decode(pack_record(pack))


def test_an_unknown_fact_in_a_scope_is_refused_for_without_it_other_units_are_in_scope() -> None:
    path = Path(export.__file__).parents[1] / "deploy" / "packs" / "sample-2026.yaml"
    pack = json.loads(read_packs([path])[0].model_dump_json())
    next(iter(pack["scopes"].values()))["all"].append("of_the_next_version")
    with pytest.raises(codec.BadRecord, match="scopes"):
        codec.registry.decode(pack_record(pack))


def test_every_event_model_has_an_example() -> None:
    assert {path.parent.name for path in VALID} == set(MODELS) - {"Pack"}


def test_every_refusal_reason_but_those_of_our_own_has_an_example() -> None:
    named = {path.stem for path in (EXAMPLES / "refused").glob("*.yaml")}
    assert named == {reason.value for reason in REFUSAL_REASONS_IN_USE} - {"unexpected", "unknown_profile"}


@pytest.mark.thorough
def test_exported_files_are_what_the_models_say() -> None:
    assert export.drift() == []


@pytest.mark.thorough
def test_drift_is_noticed(tmp_path: Path) -> None:
    for name, content in export.rendered().items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "Signal.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "Gone.schema.json").write_text("{}", encoding="utf-8")
    assert export.drift(tmp_path) == ["Gone.schema.json", "Signal.schema.json"]


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def test_asyncapi_names_every_topic_and_every_reference_leads_somewhere() -> None:
    document = yaml.safe_load((export.FOLDER / "asyncapi.yaml").read_text(encoding="utf-8"))
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert {topic.name for topic in all_topics().values()} <= addresses
    for reference in references(document):
        if reference.startswith("./"):
            assert (export.FOLDER / reference).is_file(), reference
            continue
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_topic_files_name_models_and_services_that_exist() -> None:
    services = {path.name for path in (EXAMPLES.parents[1] / "services").iterdir() if path.is_dir()}
    for topic in all_topics().values():
        assert set(topic.event) <= set(MODELS), topic.name
        assert {topic.owner, *topic.producers, *topic.consumers} <= services, topic.name
        assert (topic.cleanup == "compact") == (topic.retention_days is None), topic.name


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff", b"[" * 5000, b'{"type":"cn.firenet.other.v1"}'])
def test_bytes_that_are_no_event_raise_bad_record(raw: bytes) -> None:
    every = (value for value in vars(codec).values() if isinstance(value, codec.Codec))
    for one in every:
        with pytest.raises(codec.BadRecord):
            one.decode(raw)


def test_what_is_wrong_with_a_record_as_a_whole_is_said_without_an_empty_place() -> None:
    with pytest.raises(codec.BadRecord, match=r"^Invalid JSON"):
        codec.alarms.decode(b"{")
    with pytest.raises(codec.BadRecord, match=r"^\S.*: Input should be"):
        codec.registry.decode(b'{"type":"cn.firenet.registry.v1","id":1}')
