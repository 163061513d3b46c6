"""The bundle's bill of materials, and the script that refuses what is not as it was packed."""

import gzip
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.bundle.__main__ import ROOT, checksums, pack_chart
from deploy.bundle.sbom import DEBIAN, JARS, PYTHON, bill_of_materials

INSTALL = ROOT / "deploy" / "bundle" / "install.sh"
CONTAINERS = {
    ("app", DEBIAN): ["libc6 2.41-12 amd64", "python3 3.13.5-1 amd64"],
    ("app", PYTHON): ["Pydantic_Core 2.41.4", "aiokafka 0.12.0"],
    ("kafka", DEBIAN): ["libc6 2.41-12 amd64"],
    ("kafka", JARS): ["kafka_2.13-4.1.0.jar", "lz4-java-1.8.0.jar", "odd.jar"],
}


def bill() -> str:
    return bill_of_materials(("kafka", "app"), "0.1.0", lambda image, command: CONTAINERS.get((image, command), []))


def test_every_package_of_every_image_is_in_the_bill_once() -> None:
    components = {one["purl"]: one["description"] for one in json.loads(bill())["components"]}
    assert components == {
        "pkg:deb/debian/libc6@2.41-12?arch=amd64": "in app, kafka",
        "pkg:deb/debian/python3@3.13.5-1?arch=amd64": "in app",
        "pkg:pypi/pydantic-core@2.41.4": "in app",
        "pkg:pypi/aiokafka@0.12.0": "in app",
        "pkg:generic/kafka_2.13@4.1.0": "in kafka",
        "pkg:generic/lz4-java@1.8.0": "in kafka",
        "pkg:generic/odd": "in kafka",
    }


def test_the_bill_is_what_its_standard_says() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill()) is None


def test_the_packed_chart_has_files_where_the_repository_has_links(tmp_path: Path) -> None:
    pack_chart(tmp_path / "chart.tgz")
    with tarfile.open(tmp_path / "chart.tgz") as tar:
        entries = {one.name: one for one in tar.getmembers()}
    assert entries["firenet/files/mosquitto/mosquitto.conf"].isfile()
    assert entries["firenet/files/rules/alerts.yaml"].isfile()
    assert not any(one.issym() for one in entries.values())


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A bundle as it lies on the other machine, and a `docker` that writes down what it is told."""
    bundle = tmp_path / "firenet-0.1.0"
    bundle.mkdir()
    (bundle / "images.tar.gz").write_bytes(gzip.compress(b"images"))
    source = tmp_path / "source"
    source.mkdir()
    (source / "Makefile").write_text("up:\n")
    with tarfile.open(bundle / "source.tar.gz", "w:gz") as tar:
        tar.add(source, arcname="firenet")
    (bundle / "install.sh").write_bytes(INSTALL.read_bytes())
    (bundle / "SHA256SUMS").write_text("".join(checksums(bundle)))
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n[ "$1" != load ] || cat > {tmp_path}/loaded\n')
    docker.chmod(0o755)
    return bundle


def install(bundle: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{bundle.parent / 'bin'}:/usr/bin:/bin"}
    command = ["bash", str(bundle / "install.sh"), str(bundle.parent / "there")]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_what_is_whole_is_installed_and_can_be_again(unpacked: Path) -> None:
    for done in (install(unpacked), install(unpacked)):
        assert done.returncode == 0, done.stderr
        assert "make up" in done.stdout
        assert (unpacked.parent / "loaded").read_bytes() == b"images"
        assert (unpacked.parent / "there" / "Makefile").read_text() == "up:\n"


@pytest.mark.parametrize("harm", ["changed", "missing", "added"])
def test_what_is_not_as_it_was_packed_is_refused_before_anything_is_loaded(unpacked: Path, harm: str) -> None:
    if harm == "changed":
        (unpacked / "images.tar.gz").write_bytes(gzip.compress(b"other images"))
    elif harm == "missing":
        (unpacked / "source.tar.gz").unlink()
    else:
        (unpacked / "wheels").mkdir()
        (unpacked / "wheels" / "more.whl").write_bytes(b"")
    done = install(unpacked)
    assert done.returncode == 1
    assert "nothing was installed" in done.stderr
    assert not (unpacked.parent / "loaded").exists()
    assert not (unpacked.parent / "there").exists()
