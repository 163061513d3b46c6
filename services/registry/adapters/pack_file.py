"""Policy packs as YAML files: everything wrong with one at once, each at its line and column."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.pack import Pack
from schemas.strict_yaml import Places
from services.registry.adapters.strict_yaml import read_yaml
from services.registry.domain.errors import FileRefused, RowError, shortened
from services.registry.domain.pack_faults import broken_references, contradictions
from services.registry.domain.pack_tree import Path
from services.registry.domain.words import NOTHING, Said

WHOLE = "(whole pack)"
_FACT, _ANY_OF = "str-enum[UnitFact]", "AnyOf"
"""What pydantic puts into a path where a fact or a choice of facts may stand; it tells the errors of both."""
_EXPECTED: Mapping[str, tuple[str, str]] = {
    "missing": ("a value", "填写内容"),
    "extra_forbidden": ("a key that the schema has", "模式中有的键名"),
    "greater_than": ("a number above {gt}", "大于 {gt} 的数"),
    "greater_than_equal": ("a number of at least {ge}", "不小于 {ge} 的数"),
    "less_than": ("a number below {lt}", "小于 {lt} 的数"),
    "less_than_equal": ("a number of at most {le}", "不大于 {le} 的数"),
    "string_type": ("text", "文字"),
    "string_too_short": ("at least {min_length} characters", "至少 {min_length} 个字符"),
    "string_too_long": ("at most {max_length} characters", "最多 {max_length} 个字符"),
    "string_pattern_mismatch": ("text of the form {pattern}", "符合 {pattern} 的文字"),
    "too_short": ("at least {min_length} items", "至少 {min_length} 项"),
    "enum": ("one of: {expected}", "以下之一：{expected}"),
    "literal_error": ("one of: {expected}", "以下之一：{expected}"),
    "bool_type": ("true or false", "true 或 false"),
    "bool_parsing": ("true or false", "true 或 false"),
    "int_type": ("a whole number", "整数"),
    "int_parsing": ("a whole number", "整数"),
    "int_from_float": ("a whole number", "整数"),
    "float_type": ("a number", "数字"),
    "float_parsing": ("a number", "数字"),
    "finite_number": ("a finite number", "有限的数"),
    "date_type": ("a date such as 2026-01-31", "日期，例如 2026-01-31"),
    "date_parsing": ("a date such as 2026-01-31", "日期，例如 2026-01-31"),
    "date_from_datetime_parsing": ("a date such as 2026-01-31", "日期，例如 2026-01-31"),
    "tuple_type": ("a list", "列表"),
    "dict_type": ("a mapping", "键值表"),
    "model_type": ("a mapping", "键值表"),
}

PlaceOf = Callable[[Sequence[str | int]], tuple[int, int]]


def read_pack_text(text: str) -> tuple[Pack, PlaceOf]:
    """Return the pack in a YAML text, and a function from a path in it to line and column.

    Raises:  FileRefused with every error, in the order of the text.
    """
    tree, places = read_yaml(text)
    errors = [_at(places, fault.path, fault.expected, fault.found) for fault in contradictions(tree)]
    pack: Pack | None = None
    try:
        pack = Pack.model_validate(tree)
    except ValidationError as error:
        located = [_at(places, fault.path, fault.expected, fault.found) for fault in broken_references(tree)]
        shape = list(_of_shape(error, places, located=bool(located)))
        placed = {each.column for each in shape}
        errors += [*shape, *(each for each in located if each.column not in placed)]
    if errors or pack is None:
        raise FileRefused(sorted(dict.fromkeys(errors), key=lambda each: (each.row, each.char)))
    return pack, places.of


def _of_shape(error: ValidationError, places: Places, *, located: bool) -> Iterator[RowError]:
    """Yield what does not have the shape of the schema.

    What a model as a whole refuses is left out when it was `located`: where it lies is said better.
    """
    for each in error.errors(include_url=False):
        if not (located and each["type"] == "value_error") and not _beside_the_point(each):
            path = tuple(part for part in each["loc"] if part not in (_FACT, _ANY_OF))
            yield _at(places, path, _expected(each), _found(each))


def _beside_the_point(error: ErrorDetails) -> bool:
    """Tell whether an error only follows from another: of the shape that was not meant, or of a list cut by it."""
    value = error["input"]
    if _FACT in error["loc"]:
        return isinstance(value, Mapping)
    if error["type"] == "too_short":
        return isinstance(value, Sequence) and len(value) >= error.get("ctx", {})["min_length"]
    return _ANY_OF in error["loc"] and error["type"] == "model_type"


def _expected(error: ErrorDetails) -> Said:
    known = _EXPECTED.get(error["type"])
    if known is None:
        said = error["msg"].removeprefix("Value error, ")
        return Said(said, said)
    context: Mapping[str, Any] = error.get("ctx", {})
    return Said(known[0].format_map(context), known[1].format_map(context))


def _found(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return NOTHING
    if error["type"] == "extra_forbidden":
        return shortened(str(error["loc"][-1]))
    return shortened(repr(error["input"])[:200])


def _at(places: Places, path: Path, expected: Said, found: str) -> RowError:
    line, char = places.of(path)
    return RowError(line, ".".join(map(str, path)) or WHOLE, expected, found, char)
