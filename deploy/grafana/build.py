"""Writes the dashboards: `python -m deploy.grafana.build`; with `--check` exits 1 when a committed file differs."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import district, pipeline

FOLDER = Path(__file__).parent / "dashboards"
BOARDS: Mapping[str, Callable[[], Dashboard]] = {district.UID: district.build, pipeline.UID: pipeline.build}


def render() -> dict[str, str]:
    """Return every dashboard's file name and content; the same content each time."""
    return {f"{uid}.json": _text(build()) for uid, build in BOARDS.items()}


def _text(board: Dashboard) -> str:
    built = board.build()
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number  # Grafana would number them anew at each load, and links to a panel would break
    return json.dumps(built, cls=JSONEncoder, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def differing(folder: Path = FOLDER) -> list[str]:
    """Return the names of files that are missing, different, or nobody's."""
    wanted = render()
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m deploy.grafana.build [--check]", file=sys.stderr)
        return 2
    if arguments:
        drift = differing(folder)
        if drift:
            print(f"dashboards differ from their source: {', '.join(drift)}; run `make schemas`", file=sys.stderr)
        return 1 if drift else 0
    folder.mkdir(parents=True, exist_ok=True)
    wanted = render()
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
