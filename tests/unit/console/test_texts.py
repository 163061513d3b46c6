"""The catalogue: every text in both languages, every key that is used exists, nothing lies there unused."""

import json
import re
from graphlib import TopologicalSorter
from pathlib import Path

from services.alerts.adapters import verification_words
from services.console.adapters import report_mail, report_sheet
from services.console.adapters.web import texts
from services.console.domain import errors
from services.console.domain.errors import ConsoleError
from services.console.domain.freshness import Freshness
from services.console.domain.viewer import Role
from services.kernel.ratio import Verdict
from services.kernel.words import CAUSES_OF, AlarmCause, Connection, Health, Verification

CATALOGUE = texts.load()
SOURCES = "\n".join(
    path.read_text(encoding="utf-8") for path in [*texts.STATIC.glob("*.js"), *texts.TEMPLATES.rglob("*.html")]
)
NAMED = set(re.findall(r"""(?:\bt\(|data-t(?:-label|-placeholder)?=)["']([a-z_]+(?:\.[a-z_]+)+)["']""", SOURCES))
# t(again ? "case.ack.again" : "case.ack") and the like
CHOSEN = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_]+)+)["']""", SOURCES)) & set(CATALOGUE)
# t(`kind.${row.kind}`) in the modules, t('error.' + code) in the templates
FAMILIES = set(re.findall(r"\b(?:t|has)\([`']([a-z_.]+)\.(?:\$\{|' \+)", SOURCES)) | {"connection", "health"}
FAMILIES |= set(re.findall(r"""(?:keysOf|sentences)\("([a-z_]+)"[,)]""", SOURCES))


# Words of a report are put together by the server, for the page and its files alike.
REPORT = "".join(Path(str(each.__file__)).read_text(encoding="utf-8") for each in (report_sheet, report_mail))
CHOSEN |= set(re.findall(r"""["']([a-z_]+(?:\.[a-z_]+)+)["']""", REPORT)) & set(CATALOGUE)
NAMED |= set(re.findall(r"""\b_?t\(\s*["']([a-z_]+(?:\.[a-z_]+)+)["']""", REPORT))
FAMILIES |= set(re.findall(r"""\b_?t\(f["']([a-z_]+(?:\.[a-z_]+)*)\.\{""", REPORT))
FAMILIES |= {f"report.{family}" for family in re.findall(r"""_word\(["'](\w+)["'],""", REPORT)}


def test_no_text_lacks_a_language() -> None:
    lacking = [key for key, text in CATALOGUE.items() if set(text) != set(texts.LANGUAGES) or not all(text.values())]
    assert lacking == []


def test_both_languages_have_the_same_places_to_fill() -> None:
    def places(text: str) -> list[str]:
        return sorted(re.findall(r"\{(\w+)\}", text))

    assert [key for key, text in CATALOGUE.items() if places(text["zh"]) != places(text["en"])] == []


def test_chinese_texts_are_chinese() -> None:
    spoken = {key: re.sub(r"\{\w+\}", "", text["zh"]) for key, text in CATALOGUE.items()}
    foreign = [
        key for key, text in spoken.items() if re.search(r"\w", text) and not re.search(r"[\u4e00-\u9fff]", text)
    ]
    assert foreign == ["bar.language"], "only the switch to the other language speaks that language"


def test_every_key_in_use_exists() -> None:
    assert NAMED - set(CATALOGUE) == set()


def test_no_key_lies_unused() -> None:
    in_family = {key for key in CATALOGUE if any(key.startswith(f"{family}.") for family in FAMILIES)}
    assert set(CATALOGUE) - NAMED - CHOSEN - in_family == set()


def test_every_state_verdict_and_error_has_its_words() -> None:
    def kinds(root: type[ConsoleError]) -> list[type[ConsoleError]]:
        return [root, *(found for child in root.__subclasses__() for found in kinds(child))]

    wanted = {f"connection.{state.value}" for state in Connection} | {f"health.{state.value}" for state in Health}
    wanted |= {f"verdict.{verdict.value}" for verdict in Verdict} | {f"fresh.{state.value}" for state in Freshness}
    wanted |= {f"stale.{state.value}" for state in Freshness if state is not Freshness.LIVE}
    wanted |= {f"role.{role.value}" for role in Role} | {f"error.{kind.code}" for kind in kinds(errors.ConsoleError)}
    assert wanted - set(CATALOGUE) == set()


def test_causes_of_an_alarm_are_offered_and_called_alike_on_the_page_and_in_the_bundle() -> None:
    source = (texts.STATIC / "case_work.js").read_text(encoding="utf-8")
    for finding, causes in CAUSES_OF.items():
        (offered,) = re.findall(rf"  {finding}: (\[.*\]),\n", source)
        assert json.loads(offered) == list(causes)
    page = {cause: (CATALOGUE[f"cause.{cause}"]["zh"], CATALOGUE[f"cause.{cause}"]["en"]) for cause in AlarmCause}
    assert page == verification_words.CAUSES
    found = {one: (CATALOGUE[f"verify.{one}"]["zh"], CATALOGUE[f"verify.{one}"]["en"]) for one in Verification}
    assert found == verification_words.FINDINGS


def test_the_page_asks_for_nothing_beyond_this_server() -> None:
    foreign = re.findall(r"""(?:src|href|url|from)\s*[=(:]?\s*["']?((?:https?:)?//[^"')\s]+)""", SOURCES)
    assert [address for address in foreign if "www.w3.org" not in address] == []
    assert "style=" not in SOURCES
    assert re.search(r"\son[a-z]+=[\"']", SOURCES) is None
    assert "innerHTML" not in SOURCES


def test_modules_have_the_names_that_they_use_of_others() -> None:
    """A browser runs nothing of a page that imports a name which is not there, or calls one that it did not import."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in texts.STATIC.glob("*.js")}
    there = {
        module: set(re.findall(r"export (?:async )?(?:function|const|let|class) (\w+)", source))
        for module, source in sources.items()
    }
    helpers = set[str]().union(*(there[module] for module in ("api.js", "dom.js", "text.js", "words.js")))
    lacking = []
    for module, source in sources.items():
        imported: set[str] = set()
        for names, other in re.findall(r'import \{([^}]*)\} from "\./([\w.]+)"', source):
            asked = {name.split(" as ")[0].strip() for name in names.split(",")} - {""}
            lacking += [f"{module}: {other} has no {name}" for name in asked - there[other]]
            imported |= {name.split(" as ")[-1].strip() for name in names.split(",")}
        code = re.sub(r"^\s*//.*", "", source, flags=re.MULTILINE)
        own = {
            name
            for declared in (r"(?:function|const|let|class|import \* as) (\w+)", r"\b(\w+)(?: =|[,)}\]])")
            for name in re.findall(declared, code)
        }
        called = set(re.findall(r"(?<![.\w#])(\w+)\(", code)) & helpers
        lacking += [f"{module}: {name} is not imported" for name in called - imported - own]
    assert lacking == []


def test_the_modules_of_the_page_import_each_other_in_no_circle() -> None:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for path in texts.STATIC.glob("*.js"):
        sorter.add(path.name, *re.findall(r'from "\./([\w.]+)"', path.read_text(encoding="utf-8")))
    sorter.prepare()  # raises CycleError
