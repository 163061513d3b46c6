"""Why a JSON payload cannot be used: the slow, exact look that only bad messages get.

Reasons are tried in one fixed order, so that the same bytes always get the same word.
"""

import json
import math
from typing import Any, overload

from pydantic import BaseModel, ValidationError

from schemas.gateway import GatewayMessage, GatewayStatus, Measurement, Point
from services.ingest.domain.errors import Unusable
from services.kernel.words import RefusalReason

MAX_DEPTH = 16
_LONGEST_INT = 19


class _Facts:
    """What the reader of the text noticed on its way."""

    def __init__(self) -> None:
        self.repeated = False
        self.not_a_number = False

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self.repeated = True
        return found

    def constant(self, _: str) -> float:
        self.not_a_number = True
        return math.nan

    def number(self, text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            self.not_a_number = True
        return value

    def integer(self, text: str) -> float:
        return int(text) if len(text) <= _LONGEST_INT else self.number(text)


@overload
def find_fault(payload: bytes, error: ValidationError, model: type[BaseModel]) -> Unusable: ...
@overload
def find_fault(payload: bytes, error: None, model: type[BaseModel]) -> Unusable | None: ...
def find_fault(payload: bytes, error: ValidationError | None, model: type[BaseModel]) -> Unusable | None:
    """Return why `payload` cannot be used; None only when `error` is None and nothing is wrong with the text.

    `error` is what the model said about it. The sentence never quotes the content.
    """
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return Unusable(RefusalReason.NOT_UTF8, f"not UTF-8 at byte {wrong.start}")
    facts = _Facts()
    try:
        content = json.loads(
            text,
            object_pairs_hook=facts.pairs,
            parse_constant=facts.constant,
            parse_float=facts.number,
            parse_int=facts.integer,
        )
    except json.JSONDecodeError as wrong:
        return Unusable(RefusalReason.NOT_JSON, f"not JSON at line {wrong.lineno}, column {wrong.colno}")
    except RecursionError:
        return Unusable(RefusalReason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
    if _depth(content) > MAX_DEPTH:
        return Unusable(RefusalReason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
    if facts.repeated:
        return Unusable(RefusalReason.DUPLICATE_KEY, "a key stands twice in the same object")
    if facts.not_a_number:
        return Unusable(RefusalReason.NOT_A_NUMBER, "NaN, an infinity or a number without bounds")
    return None if error is None else _misfit(content, error, model)


def _depth(content: Any) -> int:
    """Return the nesting depth, or a number above `MAX_DEPTH` as soon as that is passed."""
    depth = 0
    level = [content]
    while level and depth <= MAX_DEPTH:
        inner: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                inner.extend(part.values())
            elif isinstance(part, list):
                inner.extend(part)
        depth += any(isinstance(part, dict | list) for part in level)
        level = inner
    return depth


def _misfit(content: Any, error: ValidationError, model: type[BaseModel]) -> Unusable:
    if not isinstance(content, dict):
        return Unusable(RefusalReason.WRONG_SHAPE, "the body is not a JSON object")
    version = content.get("v")
    if isinstance(version, int) and not isinstance(version, bool) and version != 1:
        return Unusable(RefusalReason.UNKNOWN_VERSION, "`v` is not 1, the only version there is")
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    of_kind = "kind" in model.model_fields and any(problem["loc"] == ("kind",) for problem in problems)
    if of_kind and isinstance(content.get("kind"), str):
        return Unusable(RefusalReason.UNKNOWN_KIND, "`kind` is none of the kinds that gateways send")
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or str(part) in _NAMES)
    return Unusable(RefusalReason.WRONG_SHAPE, f"{place or 'body'}: {first['type']}"[:200])


_NAMES = frozenset(name for model in (GatewayMessage, GatewayStatus, Point, Measurement) for name in model.model_fields)
"""Only our own field names are repeated in a sentence; an unknown key is content."""
