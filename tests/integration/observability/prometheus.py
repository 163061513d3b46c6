"""A real Prometheus on a free port, with the committed rules and the same job names, at one scrape in two seconds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.stack.part import ChildPart
from deploy.stack.ports import HOST
from deploy.stack.process import Launch, require_tool
from tests.unit.deploy.files import rule_files


class Prometheus(ChildPart):
    name = "Prometheus"

    def __init__(self, folder: Path, *, port: int, targets: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.port = port
        self._targets = {**targets, "prometheus": f"{HOST}:{port}"}

    @property
    def addresses(self) -> Mapping[str, str]:
        return {"http": f"{HOST}:{self.port}"}

    def ready(self) -> bool:
        try:
            return httpx.get(f"http://{HOST}:{self.port}/-/ready", timeout=10, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def _prepare(self) -> Launch:
        program = require_tool("prometheus", "install Prometheus")
        config = self.folder / "prometheus.yml"
        settings = {
            "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rule_files()],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [address]}]} for job, address in self._targets.items()
            ],
        }
        config.write_text(yaml.safe_dump(settings))
        arguments = [
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
        ]
        return Launch([program, *arguments], cwd=self.folder)

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer. Raises AssertionError with Prometheus' own words."""
        answer = httpx.get(f"http://{HOST}:{self.port}/api/v1/{path}", params=parameters, timeout=60, trust_env=False)
        body = answer.json()
        assert body["status"] == "success", body.get("error")
        return body["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        result = self.ask("query", query=expr)["result"]
        assert isinstance(result, list)
        return result

    def has(self, selector: str) -> bool:
        """Tell whether any series of that name and these labels was ever there."""
        return bool(self.ask("series", **{"match[]": selector}))
