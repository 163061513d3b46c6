"""Writes docs/reference from the code: `python -m deploy.reference`; with `--check` exits 1 when a file differs.

Settings come from the settings classes, metrics from the metrics classes, log events from the source text, topics from
the topic files. A default of a secret is never printed, and nothing that differs from machine to machine.
"""

import ast
import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic import AliasChoices, AnyHttpUrl, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import NoDecode

from schemas.topics import all_topics
from services.ingest.metrics import MessageCountsCollector
from services.rules.metrics import LiveCollector
from services.runtime.consumer_metrics import ConsumerCollector
from services.runtime.settings import ServiceSettings

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
# Collectors that compute at the scrape take what they read; here there is nothing to read, and the names are enough.
COMPUTED: Mapping[type, Callable[[], Collector]] = {
    MessageCountsCollector: lambda: MessageCountsCollector({}),
    LiveCollector: lambda: LiveCollector(dict, lambda: 0),
}
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
HEAD = "<!-- Written by `make schemas` from {source}; do not edit. -->\n\n"
SETTINGS = """# Settings

Settings are environment variables. Each is checked before the first connection is made; a bad one ends the process with
one sentence and exit code 2. Variables of the stack itself (`FIRENET_PORT_...`, `FIRENET_DATA`) and of compose stand in
[the runbook](../../deploy/RUNBOOK.md).

## Every service

"""
HELM_VALUES = """# Values of the chart

What `helm install firenet deploy/helm/firenet --values mine.yaml` takes; see [the runbook](../../deploy/RUNBOOK.md).

"""
METRICS = """# Metrics

Every service answers `/metrics` on its status port. Beside these each tells of its process (`process_...`,
`python_...`). No unit, gateway, person or address is ever a label. A histogram has `_bucket`, `_sum` and
`_count` as usual.
"""
EVENTS = """# Log events

Logs are JSON lines on standard output: `event`, `level`, `at` (UTC), `service`, and the fields named here; with an
exception its stack in `exception`. Values of fields whose name looks like a secret are hidden. `**name` stands for the
fields of a mapping of that name, `...` for some that are computed. Lines of libraries have a sentence as
`event` and a `logger`.
"""
TOPICS = """# Kafka topics

Their events are described by JSON Schema and AsyncAPI under [schemas/exported](../../schemas/exported/).

"""
SETTING_HEADINGS = ("variable", "value", "default", "bounds", "what it is")


class NotPlain(Exception):
    """The code says something here that cannot be listed."""


@cache
def rendered() -> Mapping[str, str]:
    """Return every file's name and content; the same content each time and everywhere."""
    return {
        "settings.md": HEAD.format(source="services/*/settings.py") + settings_page(),
        "metrics.md": HEAD.format(source="services/*/metrics.py") + metrics_page(),
        "log-events.md": HEAD.format(source="the calls of the logger in services/") + events_page(),
        "topics.md": HEAD.format(source="schemas/topics/*.yaml") + topics_page(),
        "helm-values.md": HEAD.format(source="deploy/helm/firenet/values.yaml") + helm_values_page(),
    }


def modules_named(name: str) -> Iterator[tuple[str, ModuleType]]:
    """Yield service and module of each services/SERVICE/`name`.py, in the order of the services' names."""
    for path in sorted((ROOT / "services").glob(f"*/{name}.py")):
        if path.parent.name != "runtime":
            yield path.parent.name, importlib.import_module(f"services.{path.parent.name}.{name}")


def classes_of(module: ModuleType) -> list[type[Any]]:
    """Return the classes that `module` itself defines, in the order of its text."""
    found = [one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == module.__name__]
    return sorted(found, key=lambda one: inspect.getsourcelines(one)[1])


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; a bar inside a cell is escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def code(text: str) -> str:
    return f"`{text}`"


def settings_page() -> str:
    """Return all settings, first those that every service has."""
    parts = [SETTINGS, table(SETTING_HEADINGS, setting_rows(ServiceSettings, ServiceSettings.model_fields))]
    for service, module in modules_named("settings"):
        for one in classes_of(module):
            if issubclass(one, ServiceSettings):
                inherited = ServiceSettings.model_fields
                own = {name: field for name, field in one.model_fields.items() if name not in inherited}
                parts.append(f"\n## {service}\n\n" + table(SETTING_HEADINGS, setting_rows(one, own)))
    return "".join(parts)


def setting_rows(owner: type[ServiceSettings], fields: Mapping[str, FieldInfo]) -> Iterator[tuple[str, ...]]:
    for name, field in fields.items():
        pairs = NoDecode in field.metadata and get_origin(field.annotation) is dict
        kind = "pairs with commas" if pairs else value_of(field.annotation)
        yield variables(owner, name, field), kind, default_of(field), bounds_of(field), field.description or ""


def variables(owner: type[ServiceSettings], name: str, field: FieldInfo) -> str:
    """Return the environment variable, and in brackets the others that are read as well."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        first, *others = (str(one) for one in alias.choices)
        return code(first) + (f" ({', '.join(map(code, others))})" if others else "")
    return code(alias if isinstance(alias, str) else f"{owner.model_config.get('env_prefix', '')}{name}".upper())


NAMES: Mapping[Any, str] = {
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    str: "text",
    SecretStr: "secret text",
    Path: "path",
    AnyHttpUrl: "URL",
}


def value_of(annotation: Any) -> str:
    """Return in words what the variable may hold."""
    if annotation in NAMES:
        return NAMES[annotation]
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(code(str(one)) for one in get_args(annotation))
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(value_of(one) for one in get_args(annotation) if one is not NoneType))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "path of a JSON file"
    if origin is dict:
        return "JSON object"
    if origin in (tuple, frozenset):
        return "list with commas"
    raise NotPlain(f"no words for the type {annotation!r} of a setting: add them to deploy/reference.py")


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if is_secret(field.annotation):
        return "none" if field.default is None else "not shown"
    if field.default is PydanticUndefined:  # a factory: an empty container, or something of this machine
        return "empty" if field.default_factory in (dict, list, tuple) else "made at the start"
    if field.default is None:
        return "none"
    if field.default in ("", (), frozenset()):
        return "empty"
    if isinstance(field.default, dict):
        return code(",".join(f"{key}={value}" for key, value in field.default.items()))
    return code(str(field.default).lower() if isinstance(field.default, bool) else str(field.default))


def is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in get_args(annotation)


def bounds_of(field: FieldInfo) -> str:
    """Return limits of size, length and form, as far as they are declared and not coded."""
    said = []
    for limit in field.metadata:
        for name, words in (("ge", ">= {}"), ("gt", "> {}"), ("le", "<= {}"), ("lt", "< {}")):
            value = getattr(limit, name, None)
            if value is not None:
                said.append(words.format(value))
        for name, words in (("min_length", "length >= {}"), ("max_length", "length <= {}"), ("pattern", "`{}`")):
            value = getattr(limit, name, None)
            if value is not None:
                said.append(words.format(value))
    return ", ".join(said)


def metrics_page() -> str:
    """Return all metrics of all services, by name."""
    parts = [METRICS, consumer_metrics()]
    for service, module in modules_named("metrics"):
        families = sorted(families_of(module), key=exposed)
        rows = ((code(exposed(one)), one.type, labels_of(one), one.documentation.rstrip(".")) for one in families)
        parts.append(f"\n## {service}\n\n" + table(("metric", "type", "labels", "what it is"), rows))
    return "".join(parts)


def consumer_metrics() -> str:
    """Return what `rules`, `alerts`, `documents` and `console` tell of their consumers alike."""
    families = ConsumerCollector(CollectorRegistry()).collect()
    rows = ((code(exposed(one)), one.type, labels_of(one), one.documentation.rstrip(".")) for one in families)
    heading = "\n## Consumers of Kafka, in rules, alerts, documents and console\n\n"
    return heading + table(("metric", "type", "labels", "what it is"), rows)


def exposed(family: Metric) -> str:
    return family.name + ("_total" if family.type == "counter" else "")


def labels_of(family: Metric) -> str:
    return ", ".join(code(label) for label in getattr(family, "_labelnames", ()))


def families_of(module: ModuleType) -> Iterator[Metric]:
    """Yield what the metrics classes of `module` register and what its collectors compute."""
    for one in classes_of(module):
        if hasattr(one, "collect"):
            if one not in COMPUTED:
                raise NotPlain(f"{module.__name__}.{one.__name__} is not in COMPUTED of deploy/reference.py")
            yield from COMPUTED[one]().collect()
        elif "registry" in inspect.signature(one).parameters:
            kept = _Kept()
            one(kept)
            yield from kept.families()


class _Kept(CollectorRegistry):
    """A registry that remembers what was registered: labels of a metric without samples stand nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self._registered: list[Collector] = []

    def register(self, collector: Collector) -> None:
        super().register(collector)
        self._registered.append(collector)

    def families(self) -> Iterator[Metric]:
        for collector in self._registered:
            for family in collector.collect():
                vars(family)["_labelnames"] = getattr(collector, "_labelnames", ())
                yield family


class Event(NamedTuple):
    """One place that writes one event."""

    name: str
    level: str
    fields: tuple[str, ...]
    module: str


def events_page() -> str:
    """Return all log events of the services, by service and name."""
    parts = [EVENTS]
    for folder in sorted(path for path in (ROOT / "services").iterdir() if path.is_dir()):
        sources = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}
        events = {event for module, source in sources.items() for event in events_of(source, module)}
        level = handed_on(sources.values())
        if level is not None:
            events |= {one for module, source in sources.items() for one in events_by(level, source, module)}
        if events:
            rows = (
                (code(one.name), one.level, ", ".join(map(code, one.fields)), code(one.module))
                for one in sorted(events)
            )
            parts.append(f"\n## {folder.name}\n\n" + table(("event", "level", "fields", "written in"), rows))
    return "".join(parts)


def events_of(source: str, module: str) -> Iterator[Event]:
    """Yield the events that calls like `get_logger().info("name", field=...)` write.

    Raises:  NotPlain when the event's name is no literal: then it could not be searched for either.
    """
    if "get_logger" not in source:  # parsing all files takes a second
        return
    tree = ast.parse(source)
    loggers = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _makes_logger(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            on = node.func.value
            if _makes_logger(on) or (isinstance(on, ast.Name) and on.id in loggers):
                yield from _events(node, "error" if node.func.attr == "exception" else node.func.attr, module)


def handed_on(sources: Iterable[str]) -> str | None:
    """Return the level of `SomePart(log=logger.LEVEL)`: a worker that may not choose where it writes is given that."""
    for source in sources:
        for node in ast.walk(ast.parse(source)) if "log=" in source else ():
            if isinstance(node, ast.keyword) and node.arg == "log" and isinstance(node.value, ast.Attribute):
                return node.value.attr if node.value.attr in LEVELS else None
    return None


def events_by(level: str, source: str, module: str) -> Iterator[Event]:
    """Yield the events of calls like `self.log("name", field=...)`."""
    for node in ast.walk(ast.parse(source)) if ".log(" in source else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "log":
            yield from _events(node, level, module)


def _events(call: ast.Call, level: str, module: str) -> Iterator[Event]:
    fields = tuple(_field(word) for word in call.keywords if word.arg != "exc_info")
    for name in _names(call, module):
        yield Event(name, level, fields, module)


def _makes_logger(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_logger"


def _field(word: ast.keyword) -> str:
    return word.arg or (f"**{word.value.id}" if isinstance(word.value, ast.Name) else "...")


def _names(call: ast.Call, module: str) -> list[str]:
    first = call.args[0] if call.args else None
    choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
    names = [one.value for one in choices if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    if len(names) != len(choices) or not all(re.fullmatch("[a-z0-9_]+", name) for name in names):
        raise NotPlain(f"{module}:{call.lineno}: the name of a log event is a literal in snake case")
    return names


def topics_page() -> str:
    """Return Kafka's topics with their key, what they hold and who writes and reads them."""
    rows = []
    for topic in all_topics().values():
        kept = "compacted" if topic.cleanup == "compact" else f"{topic.retention_days} days"
        if topic.cleanup == "delete" and topic.retention_days is None:
            kept = "for ever"
        events = ", ".join(map(code, topic.event))
        joint = f"{', '.join(topic.producers)} → {', '.join(topic.consumers) or 'nobody of us'}"
        rows.append((code(topic.name), topic.description, events, topic.key, str(topic.partitions), kept, joint))
    headings = ("topic", "what", "events", "key", "partitions", "kept", "from → to")
    return TOPICS + table(headings, rows)


def helm_values_page() -> str:
    """Return every value of the chart: its path, its default, and what the comment above it says."""
    text = (ROOT / "deploy/helm/firenet/values.yaml").read_text(encoding="utf-8")
    root = yaml.compose(text)
    assert root is not None, "the chart has values"
    return HELM_VALUES + table(("value", "default", "what it is"), list(_values(root, text, "")))


def _values(node: yaml.Node, text: str, above: str) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        path = f"{above}.{key.value}" if above else key.value
        said = _comment_above(text.splitlines(), key.start_mark.line)
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            if said:
                yield code(path), "", said
            yield from _values(value, text, path)
        else:
            default = json.dumps(
                yaml.safe_load(text[value.start_mark.index : value.end_mark.index]), ensure_ascii=False
            )
            yield code(path), code(default), said


def _comment_above(lines: Sequence[str], line: int) -> str:
    """Return the block of comments that ends right above this line."""
    first = line
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return " ".join(one.strip(" #") for one in lines[first:line])


def differing(folder: Path = FOLDER) -> list[str]:
    """Return the names of files that are missing, different, or nobody's."""
    wanted = rendered()
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m deploy.reference [--check]", file=sys.stderr)
        return 2
    if arguments:
        drift = differing(folder)
        if drift:
            print(f"docs/reference differs from the code: {', '.join(drift)}; run `make schemas`", file=sys.stderr)
        return 1 if drift else 0
    folder.mkdir(parents=True, exist_ok=True)
    wanted = rendered()
    for path in folder.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
