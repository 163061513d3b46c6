"""The bundle from real images to loaded ones, without a network in between."""

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import docker
import pytest

from deploy.bundle.__main__ import ROOT

pytestmark = [pytest.mark.container, pytest.mark.slow]

IMAGE = "firenet/mosquitto:local"


def test_what_is_packed_here_is_installed_where_there_is_no_network(
    docker_engine: docker.DockerClient, tmp_path: Path
) -> None:
    """One image stands for all of them: five take a minute, in the same few lines."""
    if not docker_engine.images.list(IMAGE):
        pytest.skip(f"no image {IMAGE}: run `make images` once")
    command = [sys.executable, "-m", "deploy.bundle", "--to", str(tmp_path), "--image", "mosquitto"]
    packed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert packed.returncode == 0, packed.stderr
    (bundle,) = tmp_path.iterdir()
    with tarfile.open(bundle) as tar:
        tar.extractall(tmp_path / "there", filter="data")
    (folder,) = (tmp_path / "there").iterdir()
    components = json.loads((folder / "sbom.cdx.json").read_text(encoding="utf-8"))["components"]
    assert any(one["purl"].startswith("pkg:deb/debian/mosquitto@2.") for one in components)

    was = docker_engine.images.get(IMAGE)
    unshare = shutil.which("unshare")
    assert unshare
    install = [unshare, "--net", str(folder / "install.sh"), str(tmp_path / "firenet")]
    installed = subprocess.run(install, capture_output=True, text=True, check=False, timeout=300)
    assert installed.returncode == 0, installed.stderr
    assert docker_engine.images.get(IMAGE).id == was.id
    assert (tmp_path / "firenet" / "deploy" / "compose.yaml").is_file()
    assert (tmp_path / "firenet" / "Makefile").is_file()
