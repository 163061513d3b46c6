"""The strict YAML of the wire, refused in the registry's words."""

from schemas import strict_yaml
from schemas.strict_yaml import Places
from services.registry.domain.errors import FileRefused, RowError, shortened
from services.registry.domain.words import Said


def read_yaml(text: str) -> tuple[object, Places]:
    """Return the value in the one document of `text`, and where its parts stand.

    Raises:  FileRefused with line and column of what is wrong.
    """
    try:
        return strict_yaml.read_with_places(text)
    except strict_yaml.TooLong as error:
        limit = strict_yaml.MAX_CHARS
        expected = Said(f"a pack of at most {limit} characters", f"不超过 {limit} 个字符的政策包")
        raise _refusal(error, expected, Said("a larger one", "文件更大")) from error
    except strict_yaml.NotYaml as error:
        raise _refusal(error, Said("YAML", "YAML"), shortened(error.problem)) from error
    except strict_yaml.Impossible as error:
        expected = Said(
            "YAML without deep nesting or impossible dates and numbers", "不含过深嵌套或无效日期、数字的 YAML"
        )
        raise _refusal(error, expected, shortened(error.problem)) from error


def _refusal(error: strict_yaml.WrongYaml, expected: Said, found: str) -> FileRefused:
    return FileRefused([RowError(error.line, "", expected, found, error.column)])
