"""Finds where counts are divided, and percentages floored or rounded, in each kind of text of the product.

A scanner reads names, not meanings: `connected / units` is found, `a / b` is not. In SQL nothing may be divided or
rounded at all, and in PromQL nothing without an entry in the list of the test, so there names do not matter.
"""

import ast
import re

WORDS = frozenset(
    {
        "numerator",
        "denominator",
        "connected",
        "networked",
        "online",
        "offline",
        "late",
        "unknown",
        "exempt",
        "never",
        "commissioned",
        "commissioning",
        "counted",
        "counts",
        "units",
        "members",
        "population",
        "scope",
        "cured",
        "answered",
        "intact",
        "points",
        "components",
        "faults",
        "outages",
        "share",
        "percent",
        "percentage",
        "tenths",
        "ratio",
    }
)
"""What counts what a rate is made of."""
SHOWN = frozenset({"percent", "percentage", "tenths", "ratio"})
"""What is divided already: with these a constant divisor counts as well."""
QUANTITY = re.compile(
    r"_(s|ms|us|hours|days|bytes|mb|mib|after|every|until|since|file|files|path|folder)$|^(seconds|microseconds)$"
)
"""A duration, a size or a path, whatever else its name says: `offline_s`."""
CALLS = frozenset({"round", "floor", "ceil", "trunc", "divmod", "fmean", "mean", "truediv", "floordiv"})
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
SQL_TEXT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE (OR REPLACE )?(VIEW|TABLE|FUNCTION))\b")
SQL_OPERATOR = re.compile(r"/|(?<![\w.])(?:floor|round|trunc|ceil|ceiling|div|avg|percentile_\w+)\s*\(", re.IGNORECASE)
PROMQL_OPERATOR = re.compile(r"/|\b(?:floor|ceil|round|avg|avg_over_time)\b\s*(?:by|without|\()|\bquantile\b")
SCRIPT_OPERATOR = re.compile(
    r"(?<=[\w)\]]) ?/{1,2}=? ?(?=[\w(])|\bMath\.(?:floor|round|ceil|trunc)\b|\.toFixed\b|\|\s*round\b"
)
NAME = re.compile(r"[A-Za-z_]\w*")


def words_of(name: str) -> set[str]:
    """Return the words of an identifier in snake or camel case; none for a duration or a size."""
    if QUANTITY.search(name):
        return set()
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def in_python(source: str) -> list[str]:
    """Return the expressions of a module that divide counts or round a share, and SQL and PromQL in its texts."""
    tree = ast.parse(source)
    found = [ast.unparse(node) for node in ast.walk(tree) if _divides(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_TEXT.search(node.value):
            found += in_sql(node.value)
    return found


def _divides(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(left=left, op=ast.Div() | ast.FloorDiv(), right=right):
            return _is_share(left, right)
        case ast.AugAssign(target=left, op=ast.Div() | ast.FloorDiv(), value=right):
            return _is_share(left, right)
        case ast.Call(func=ast.Name(id="Fraction") | ast.Attribute(attr="Fraction"), args=[left, right]):
            return _is_share(left, right)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[_, *_] as arguments) if name in CALLS:
            return any(_words(argument) & WORDS for argument in arguments)
        case ast.FormattedValue(format_spec=ast.JoinedStr(values=[ast.Constant(value=str(spec))])):
            return spec.endswith("%")
        case ast.Compare(left=left, ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()], comparators=[right]):
            return bool({"target"} & (_words(left) | _words(right)))
    return False


def _is_share(left: ast.expr, right: ast.expr) -> bool:
    said = _words(left) | _words(right)
    if isinstance(right, ast.Constant):
        return bool(said & SHOWN)
    return bool(said & WORDS) or (_is_a_count(left) and _is_a_count(right)) or _is_per_cent(left)


def _is_per_cent(node: ast.expr) -> bool:
    """Tell whether something is taken a hundred or a thousand times, to be divided next."""
    return any(
        isinstance(inner, ast.BinOp)
        and isinstance(inner.op, ast.Mult)
        and any(isinstance(one, ast.Constant) and one.value in (100, 1000) for one in (inner.left, inner.right))
        for inner in ast.walk(node)
    )


def _is_a_count(node: ast.expr) -> bool:
    return any(
        isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in ("len", "sum")
        for inner in ast.walk(node)
    )


def _words(node: ast.AST) -> set[str]:
    """Return the words of all names in an expression, keys in brackets and of `get` among them."""
    found: set[str] = set()
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found |= words_of(name)
            case ast.Subscript(slice=ast.Constant(value=str(key))) | ast.Call(args=[ast.Constant(value=str(key)), *_]):
                found |= words_of(key)
    return found


def in_sql(text: str) -> list[str]:
    """Return the lines that divide, average or round anything; texts in quotes and comments are passed over."""
    plain = re.sub(r"'(?:[^']|'')*'", "''", COMMENT.sub("", text))
    return _lines(plain, SQL_OPERATOR)


def in_promql(expression: str) -> list[str]:
    """Return the query when it divides, averages or rounds anything."""
    plain = re.sub(r'"(?:\\.|[^"\\])*"', '""', expression)
    return [expression] if PROMQL_OPERATOR.search(plain) else []


def in_words_of_alert(text: str) -> list[str]:
    """Return the text when Prometheus would round a share for it."""
    return [text] if "humanizePercentage" in text else []


def in_script(source: str) -> list[str]:
    """Return the lines of a script that divide or round, and name what a rate is made of."""
    return _in_code(_code_of(source))


def in_markup(source: str) -> list[str]:
    """The same for a page or a letter: only what stands in the braces of its templates is code."""
    return _in_code("\n".join(match[1] for match in re.finditer(r"\{[{%](.*?)[%}]\}", source, re.DOTALL)))


def _in_code(code: str) -> list[str]:
    found = []
    for line in _lines(code, SCRIPT_OPERATOR):
        names = {word for name in NAME.findall(line) for word in words_of(name)}
        if names & WORDS or {"count", "total", "target"} & names:
            found.append(line)
    return found


def _code_of(source: str) -> str:
    """Return a script without comments and plain texts; what stands in `${...}` is code."""
    plain = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    plain = re.sub(r"(?<!:)//[^\n]*", "", plain)
    plain = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', plain)
    return re.sub(r"`[^`]*`", lambda text: " ; ".join(re.findall(r"\$\{([^}]*)\}", text[0])), plain)


def _lines(text: str, operator: re.Pattern[str]) -> list[str]:
    return [line.strip() for line in text.splitlines() if operator.search(line)]
