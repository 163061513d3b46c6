"""The bill of materials of the images, as CycloneDX 1.6: what is in them, asked of themselves."""

import json
from collections.abc import Callable, Iterable

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

DEBIAN = ("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\\n")
PYTHON = (
    "/opt/venv/bin/python",
    "-c",
    "import importlib.metadata as m; [print(one.name, one.version) for one in m.distributions()]",
)
JARS = ("sh", "-c", "find / -xdev -name '*.jar' -path '*kafka*' -printf '%f\\n'")

Ask = Callable[[str, tuple[str, ...]], Iterable[str]]
"""(image, command) -> the lines that this command prints in a container of the image; none where it cannot run."""


def bill_of_materials(images: Iterable[str], version: str, ask: Ask) -> str:
    """Return the bill as JSON: each package once, with the images it is in, in the order of their names."""
    found: dict[str, tuple[Component, set[str]]] = {}
    for image in images:
        for component in (
            *(_debian(line) for line in ask(image, DEBIAN)),
            *(_python(line) for line in ask(image, PYTHON)),
            *(_jar(line) for line in ask(image, JARS)),
        ):
            found.setdefault(str(component.bom_ref), (component, set()))[1].add(image)
    bom = Bom()
    ours = Component(name="firenet", version=version, type=ComponentType.APPLICATION, bom_ref="firenet")
    bom.metadata.component = ours
    for _, (component, where) in sorted(found.items()):
        component.description = f"in {', '.join(sorted(where))}"
        bom.components.add(component)
        bom.register_dependency(ours, [component])
    return json.dumps(json.loads(JsonV1Dot6(bom).output_as_string()), indent=1, ensure_ascii=False) + "\n"


def _debian(line: str) -> Component:
    name, version, architecture = line.split()
    return _component(PackageURL("deb", "debian", name, version, {"arch": architecture}))


def _python(line: str) -> Component:
    name, version = line.split()
    return _component(PackageURL("pypi", None, name.lower().replace("_", "-"), version))


def _jar(line: str) -> Component:
    stem = line.strip().removesuffix(".jar")
    name, _, version = stem.rpartition("-")
    # without its group, which the file's name does not say: a generic package, not a guess
    return _component(PackageURL("generic", None, name or stem, version if name else None))


def _component(purl: PackageURL) -> Component:
    return Component(
        name=purl.name, version=purl.version, type=ComponentType.LIBRARY, purl=purl, bom_ref=purl.to_string()
    )
