"""What documents point at exists: links, anchors, files that they name, and sections that code cites."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOPS = ("services", "schemas", "deploy", "tests", "docs", "requirements", ".ci", ".github")
# These speak of files of other projects, under names that ours could have as well.
ABOUT_OTHERS = {"docs/design/style.md", "docs/design/pipeline.md", "docs/design/alerting_ui.md"}
# Named by the architecture and not built yet. Whoever builds one strikes it out, here and in docs/architecture.md.
PLANNED: tuple[str, ...] = ()
MADE = {"deploy/.env"}  # by commands

FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
PATH = re.compile(rf"({'|'.join(map(re.escape, TOPS))})/[\w./*-]*")
CITED = re.compile(r"\b([a-z_0-9]+\.md)\b`?,?\s+(?:section\s+)?(\d+(?:\.\d+)*)\b")


def files(*suffixes: str) -> Iterator[Path]:
    """Yield our files with these suffixes; never those of the virtual environment."""
    for top in sorted(ROOT.iterdir()):
        if top.is_file() and top.suffix in suffixes:
            yield top
        elif top.name in TOPS:
            yield from sorted(path for path in top.rglob("*") if path.suffix in suffixes)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def prose(path: Path) -> str:
    """Return a document without its fenced code."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors that a heading gets on GitHub."""
    found: dict[str, int] = {}
    names = set()
    for heading in HEADING.findall(prose(path)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        again = found.get(slug, 0)
        found[slug] = again + 1
        names.add(f"{slug}-{again}" if again else slug)
    return frozenset(names)


def broken_links(path: Path) -> list[str]:
    bad = []
    for target in LINK.findall(CODE.sub("", prose(path))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        misses_anchor = anchor and (there.suffix != ".md" or anchor not in anchors(there))
        if not there.exists() or not there.is_relative_to(ROOT) or misses_anchor:
            bad.append(target)
    return bad


def missing_paths(path: Path) -> list[str]:
    """Return the paths of our folders that stand in inline code and are not there."""
    bad = []
    for said in CODE.findall(prose(path)):
        found = PATH.fullmatch(said.partition(":")[0])
        if found is None or found[0].startswith(PLANNED) or found[0] in MADE:
            continue
        there = any(ROOT.glob(found[0])) if "*" in found[0] else (ROOT / found[0]).exists()
        if not there:
            bad.append(said)
    return bad


DOCUMENTS = list(files(".md"))


def test_links_and_anchors_resolve() -> None:
    assert {name_of(path): bad for path in DOCUMENTS if (bad := broken_links(path))} == {}


def test_files_that_a_document_names_exist() -> None:
    ours = [path for path in DOCUMENTS if name_of(path) not in ABOUT_OTHERS]
    assert {name_of(path): bad for path in ours if (bad := missing_paths(path))} == {}


def test_what_is_planned_is_not_there_yet() -> None:
    assert [name for name in PLANNED if (ROOT / name).exists()] == [], "it is built: strike it out of PLANNED"


@pytest.mark.thorough
def test_sections_that_are_cited_by_number_exist() -> None:
    homes: dict[str, list[Path]] = {}
    for path in (ROOT / "docs").rglob("*.md"):
        homes.setdefault(path.name, []).append(path)
    cited = {
        (name_of(path), document, section)
        for path in files(".py", ".md", ".yaml", ".sql", ".toml")
        for document, section in CITED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(cited) >= 5
    bad = [
        one
        for one in sorted(cited)
        if len(homes.get(one[1], [])) != 1
        or not re.search(rf"^#+ {re.escape(one[2])}\.? ", prose(homes[one[1]][0]), re.MULTILINE)
    ]
    assert bad == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".md":
            continue
        seen.add(path)
        for target in LINK.findall(CODE.sub("", prose(path))):
            if not re.match(r"[a-z]+:", target):
                waiting.append((path.parent / target.partition("#")[0]).resolve())
    assert [name_of(path) for path in (ROOT / "docs").rglob("*.md") if path not in seen] == []


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("[a](here.md) [b](#one-two) [c](https://example.org/x.md)", []),
        ("[a](gone.md)", ["gone.md"]),
        ("[a](here.md#no-such)", ["here.md#no-such"]),
        ("[a](../outside.md)", ["../outside.md"]),
        ("`[a](gone.md)`", []),
        ("```\n[a](gone.md)\n```\n", []),
    ],
)
def test_the_check_itself(text: str, bad: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "here.md").write_text("# Here\n")
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n## One, `two`\n\n{text}\n")
    assert broken_links(page) == bad


def test_a_named_file_that_is_gone_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`services/rules/app.py`, `services/*/app.py`, `services/rules/gone.py:12`, `tests/no/*.py`, `x/y.py`"
    )
    assert missing_paths(page) == ["services/rules/gone.py:12", "tests/no/*.py"]


def test_both_readmes_have_the_same_chapters_commands_and_tables() -> None:
    """Their sentences cannot be compared; what a reader types can."""
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))

    def typed(text: str) -> list[str]:
        blocks = [block.split("\n", 1)[1] for block in text.split("```")[1::2]]
        return [re.sub(r"\s+#.*", "", block) for block in blocks[1:]]  # the first is the picture

    def rows(text: str) -> list[str]:
        return re.findall(r"^\| (`[^`]+`)", text, re.MULTILINE)

    assert len(re.findall("^## ", english, re.MULTILINE)) == len(re.findall("^## ", chinese, re.MULTILINE))
    assert typed(english) == typed(chinese)
    assert rows(english) == rows(chinese)
