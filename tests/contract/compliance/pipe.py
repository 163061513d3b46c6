"""The pipe of two commands in one process."""

import io
from pathlib import Path

from services.compliance.cli import figures
from services.rules.command import facts


def answer(
    example: Path,
    work: Path,
    *,
    pack: bytes | None = None,
    registry: bytes | None = None,
    log: bytes | None = None,
    ask: bytes | None = None,
    second_pack: bytes | None = None,
    command: str = "figures",
) -> tuple[int, bytes]:
    """Return exit code and stdout of the pipe for an example, with what is given in place of its files."""
    given = {"PACK.yaml": pack, "REGISTRY.jsonl": registry, "LOG.jsonl": log, "ASK.json": ask}
    paths = {}
    for name, content in given.items():
        paths[name] = example / name
        if content is not None:
            paths[name] = work / name
            paths[name].write_bytes(content)
    common = ["--pack", str(paths["PACK.yaml"]), "--registry", str(paths["REGISTRY.jsonl"])]
    if second_pack is not None:
        (work / "SECOND.yaml").write_bytes(second_pack)
        common += ["--pack", str(work / "SECOND.yaml")]
    told, out = io.BytesIO(), io.BytesIO()
    failed = facts.run([*common, "--log", str(paths["LOG.jsonl"])], told)
    told.seek(0)
    code = figures.run([command, *common, "--facts", "-", "--ask", str(paths["ASK.json"])], told, out)
    return code or failed, out.getvalue()
