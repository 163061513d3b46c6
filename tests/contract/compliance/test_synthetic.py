"""A synthetic alarm in the log changes no figure."""

import json
import shutil
from pathlib import Path

from services.kernel.synthetic import SYNTHETIC
from tests.contract.compliance.pipe import answer

STEADY = Path(__file__).parent / "examples" / "steady"


def test_every_figure_is_the_same_with_synthetic_alarms_in_the_log(tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(STEADY, case)
    lines = [json.loads(line) for line in (case / "LOG.jsonl").read_text().splitlines()]
    with_alarms, shift = [], 0
    for number, line in enumerate(lines):
        line["offset"] += shift
        with_alarms.append(line)
        event = line["event"]
        if event["type"] == "cn.firenet.signal.v1" and number % 10 == 1:
            shift += 1
            data = {
                **event["data"], "gateway_id": SYNTHETIC, "unit_id": SYNTHETIC, "kind": "fire", "lane": "alarm",
                "point": {"address": "mark"},
            }  # fmt: skip
            data.pop("seq", None)
            alarm = {
                **event, "id": f"{SYNTHETIC}-{number}", "source": f"/gateways/{SYNTHETIC}", "subject": SYNTHETIC,
                "data": data,
            }  # fmt: skip
            with_alarms.append({**line, "offset": line["offset"] + 1, "event": alarm})
    assert shift > 3
    (case / "LOG.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in with_alarms))
    status, said = answer(case, tmp_path)
    assert status == 0
    assert json.loads(said) == json.loads((STEADY / "ANSWER.json").read_bytes())
