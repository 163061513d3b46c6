"""The chart at a real API server: what Kubernetes itself says of every object, and that an upgrade is one.

The server is kube-apiserver on etcd, without nodes: nothing runs, everything is checked. RUNBOOK, On Kubernetes, says
how to build both where Go is.
"""

import json
import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.stack.ports import HOST, free_ports
from tests.integration.chart.test_chart import CHART, SERVICES, helm
from tests.system import wait_for

MISSING = [name for name in ("helm", "kube-apiserver", "etcd") if shutil.which(name) is None]
TOKEN = "of-this-test-alone"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no API server can be had here: {', '.join(MISSING)} not installed"),
]
# The operators' kinds are not known to a bare server.
OURS = (
    "--set=kafka.cluster.enabled=false,kafka.bootstrap=kafka:9092",
    "--set=database.cluster.enabled=false,database.host=db,database.passwordSecret=db",
    "--set=monitoring.enabled=false,gb26875.tcpPort=5200,gb26875.udpPort=5200,channelsSecret=channels",
    "--set=ingress.enabled=true,ingress.host=fire.example.cn,ingress.tlsSecret=fire-tls",
)


class ApiServer:
    """Asks over its own TLS, as whoever may do everything."""

    def __init__(self, port: int, ca: Path) -> None:
        self.url, self._ca = f"https://{HOST}:{port}", ca
        self.arguments = (f"--kube-apiserver={self.url}", f"--kube-token={TOKEN}", f"--kube-ca-file={ca}")

    def get(self, path: str) -> Any:
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        context = ssl.create_default_context(cafile=str(self._ca))
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return json.loads(answer.read())

    def create(self, path: str, body: object) -> None:
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        context = ssl.create_default_context(cafile=str(self._ca))
        with urllib.request.urlopen(request, timeout=10, context=context):
            pass

    def is_ready(self) -> bool:
        try:
            self.get("/api/v1/namespaces/default")
        except (OSError, ssl.SSLError):
            return False
        return True


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("api")
    client, peer, secure = free_ports(3)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "sa.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    (folder / "tokens.csv").write_text(f"{TOKEN},admin,1,system:masters\n")
    etcd = [
        "etcd",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://{HOST}:{client}",
        f"--advertise-client-urls=http://{HOST}:{client}",
        f"--listen-peer-urls=http://{HOST}:{peer}",
        f"--initial-advertise-peer-urls=http://{HOST}:{peer}",
        f"--initial-cluster=default=http://{HOST}:{peer}",
        "--unsafe-no-fsync",
    ]
    server = [
        "kube-apiserver",
        f"--etcd-servers=http://{HOST}:{client}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        f"--secure-port={secure}",
        f"--cert-dir={folder / 'certificates'}",
        f"--service-account-key-file={folder / 'sa.key'}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",
    ]
    with (folder / "log").open("wb") as log:
        started = []
        try:
            for command in (etcd, server):
                started.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
            one = ApiServer(secure, folder / "certificates" / "apiserver.crt")
            wait_for("the API server answers", one.is_ready, 120)
            yield one
        finally:
            for process in reversed(started):
                process.kill()
                process.wait()


def test_every_object_is_taken_and_an_upgrade_changes_it_in_place(api: ApiServer) -> None:
    """`restricted` is the strictest standard for pods that Kubernetes has: it warns of each that would break it."""
    strict = {f"pod-security.kubernetes.io/{how}": "restricted" for how in ("enforce", "warn")}
    api.create("/api/v1/namespaces", {"metadata": {"name": "firenet", "labels": strict}})

    installed = helm("install", "firenet", str(CHART), "--namespace=firenet", *api.arguments, *OURS)
    assert installed.returncode == 0, installed.stderr
    assert "would violate" not in installed.stderr
    assert "Warning" not in installed.stderr.replace("walk.go", "")
    assert deployed(api) == SERVICES | {"mqtt"}
    before = uids(api)

    # nothing runs here, so the Job that an upgrade waits for would never end
    more = ("--no-hooks", "--set=services.rules.replicas=4")
    upgraded = helm("upgrade", "firenet", str(CHART), "--namespace=firenet", *api.arguments, *OURS, *more)
    assert upgraded.returncode == 0, upgraded.stderr
    assert uids(api) == before, "changed in place, not made anew"
    rules = api.get("/apis/apps/v1/namespaces/firenet/deployments/firenet-rules")
    assert rules["spec"]["replicas"] == 4
    removed = helm("uninstall", "firenet", "--namespace=firenet", *api.arguments)
    assert removed.returncode == 0, removed.stderr
    assert deployed(api) == set()


def workloads(api: ApiServer) -> list[Any]:
    kinds = ("deployments", "statefulsets")
    return [one for kind in kinds for one in api.get(f"/apis/apps/v1/namespaces/firenet/{kind}")["items"]]


def deployed(api: ApiServer) -> set[str]:
    return {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in workloads(api)}


def uids(api: ApiServer) -> set[str]:
    return {one["metadata"]["uid"] for one in workloads(api)}
