"""Packs what a machine without internet needs: `python -m deploy.bundle [--to DIR] [--image NAME ...]`.

In it: the images, the chart, the wheels of the services, the source with its documents, a bill of materials, checksums,
and `install.sh`, which checks and installs it.
"""

import argparse
import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from deploy.bundle.sbom import bill_of_materials

ROOT = Path(__file__).parents[2]
IMAGES = ("mosquitto", "kafka", "timescaledb", "prometheus", "app")
WHEELS = ROOT / "build" / "images" / "app-wheels"


class CannotPack(Exception):
    """What is missing, in a sentence for the person who packs."""


def pack(to: Path, images: Sequence[str], version: str) -> Path:
    """Write `to`/firenet-VERSION-bundle.tar and return its path. Raises CannotPack; then nothing is left behind."""
    folder = to / f"firenet-{version}"
    to.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    try:
        names = [f"firenet/{image}:local" for image in images]
        say(f"packing {', '.join(names)}")
        save_images(names, folder / "images.tar.gz")
        say("asking the images what is in them")
        (folder / "sbom.cdx.json").write_text(bill_of_materials(names, version, lines_of), encoding="utf-8")
        pack_chart(folder / f"firenet-chart-{version}.tgz")
        pack_source(folder / "source.tar.gz")
        if "app" in images:
            pack_wheels(folder / "wheels")
        shutil.copy2(Path(__file__).with_name("install.sh"), folder / "install.sh")
        (folder / "SHA256SUMS").write_text("".join(checksums(folder)), encoding="utf-8")
        bundle = to / f"firenet-{version}-bundle.tar"
        with tarfile.open(bundle.with_suffix(".new"), "w") as tar:
            tar.add(folder, arcname=folder.name, filter=nobodys)
        return bundle.with_suffix(".new").rename(bundle)
    finally:
        shutil.rmtree(folder)


def save_images(names: Sequence[str], path: Path) -> None:
    """Write all images into one archive: what they share is in it once."""
    there = subprocess.run(["docker", "image", "inspect", *names], capture_output=True, text=True, check=False)
    if there.returncode:
        raise CannotPack(f"{there.stderr.strip().splitlines()[-1]}: run `make images` first")
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as packed:
            shutil.copyfileobj(saving.stdout, packed, 1 << 20)
    if saving.returncode:
        raise CannotPack("docker could not save the images; the lines above say why")


def lines_of(image: str, command: tuple[str, ...]) -> list[str]:
    """Return what `command` prints in a container of `image` that has no network; nothing where it is not there."""
    run = ["docker", "run", "--rm", "--network", "none", "--user", "0", "--entrypoint", command[0], image, *command[1:]]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def pack_chart(path: Path) -> None:
    """Write the chart as Helm packs it: links to files of other folders become those files."""
    with tarfile.open(path, "w:gz", dereference=True) as tar:
        tar.add(ROOT / "deploy" / "helm" / "firenet", arcname="firenet", filter=nobodys)


def pack_source(path: Path) -> None:
    """Write what is committed, with compose file, runbook and documents."""
    archive = ["git", "-C", str(ROOT), "archive", "--format=tar.gz", "--prefix=firenet/", "-o", str(path), "HEAD"]
    done = subprocess.run(archive, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotPack(f"the source is taken from git: {done.stderr.strip()}")


def pack_wheels(folder: Path) -> None:
    """Copy the wheels that the image of the services was built from."""
    wheels = sorted(WHEELS.glob("*.whl"))
    if not wheels:
        raise CannotPack("there are no wheels under build/images: run `FORCE=1 make images` first")
    folder.mkdir()
    for wheel in wheels:
        shutil.copy2(wheel, folder)
    shutil.copy2(ROOT / "requirements" / "runtime.txt", folder)


def checksums(folder: Path) -> Iterator[str]:
    """Yield a line for `sha256sum --check` for each file."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        with path.open("rb") as file:
            yield f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.relative_to(folder)}\n"


def nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Take owner and name of this machine's user away; leave bytecode out."""
    if "__pycache__" in entry.name:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def version_of_project() -> str:
    """Return the version in pyproject.toml."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def say(line: str) -> None:
    print(f"bundle: {line}", flush=True)


def main(arguments: Iterable[str] | None = None) -> None:
    """Pack what a machine without internet needs into one file."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bundle", description=main.__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "build", metavar="DIR", help="folder of the bundle; build/")
    parser.add_argument("--image", choices=IMAGES, action="append", help="only this image; may be said again")
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    try:
        bundle = pack(chosen.to, chosen.image or IMAGES, version_of_project())
    except (CannotPack, OSError) as error:
        sys.exit(f"bundle: {error}")
    say(f"{bundle} is ready, {bundle.stat().st_size // 1_000_000} MB")
    say("on the other machine: unpack it with tar -xf, then ./install.sh in its folder")


if __name__ == "__main__":
    main()
