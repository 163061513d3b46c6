"""Prometheus beside the stack: the configuration that finds every process of it, where each listens in this run."""

from collections.abc import Sequence

import yaml

from deploy.stack.firenet import FireNet
from deploy.stack.ports import HOST
from deploy.stack.service import ROOT

OWN_PORT = 9090
SAMPLES = ROOT / "var" / "prometheus"
"""Not in the stack's folder, which a backup copies whole."""
RULES = ROOT / "deploy" / "prometheus" / "rules" / "*.yaml"


def configuration(status_pages: Sequence[tuple[str, int]]) -> str:
    """Return a Prometheus configuration as YAML: the jobs of `deploy/prometheus/prometheus.yml`, all processes of each.

    `status_pages` are a service and the port of one of its processes each, in the order in which jobs shall stand.
    """
    ports: dict[str, list[int]] = {}
    for service, port in [*status_pages, ("prometheus", OWN_PORT)]:
        ports.setdefault(service, []).append(port)
    every_s = 5
    content = {
        "global": {"scrape_interval": f"{every_s}s", "scrape_timeout": "4s", "evaluation_interval": f"{every_s}s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": service, "static_configs": [{"targets": [f"{HOST}:{port}" for port in of_service]}]}
            for service, of_service in ports.items()
        ],
    }
    return yaml.safe_dump(content, sort_keys=False)


def write_configuration(firenet: FireNet) -> str:
    """Write `prometheus.yml` into the stack's folder and return the command that starts Prometheus with it.

    Raises:  OSError.
    """
    path = firenet.folder / "prometheus.yml"
    path.write_text(configuration(firenet.status_pages()), encoding="utf-8")
    listen = f"--web.listen-address={HOST}:{OWN_PORT}"
    return f"prometheus --config.file={path} --storage.tsdb.path={SAMPLES} {listen}"
