"""CycloneDX 1.2 to 1.7 in XML, component by component, so that memory stays bounded."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import bill
from release_dossier.evidence.readers.cyclonedx import VERSIONS
from release_dossier.evidence.readers.given import Given, local, moment, wrong_shape, wrong_version, xml_events
from release_dossier.evidence.readers.sniff import root
from release_dossier.evidence.reading import Reading

NAME = "cyclonedx-xml"
_NAMESPACE = "http://cyclonedx.org/schema/bom/"
_SOFTWARE = ("application", "framework", "library", "container", "platform", "operating-system", "firmware", "file")
_TYPES = frozenset((*_SOFTWARE, "device", "device-driver", "machine-learning-model", "data", "cryptographic-asset"))
_SCOPES = frozenset(("", "required", "optional", "excluded"))


def recognises(head: bytes) -> bool:
    """Its root and namespace."""
    name, attributes = root(head)
    return name == "bom" and "cyclonedx" in attributes


def read(stream: IO[bytes], given: Given) -> Reading:
    """The components it lists.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `xml.*`.
    """
    return bill.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> bill.Bill:
    """The bill."""
    out = bill.Bill()
    path: list[str] = []
    for event, element in xml_events(stream):
        name = local(element.tag)
        if event == "start":
            if not path:
                _version(element)
            path.append(name)
            continue
        path.pop()
        if name == "component" and path[:2] == ["bom", "components"]:
            part = _component(element, f"component {len(out.components) + 1}")
            if path == ["bom", "components"]:
                out.components.append(part)
            else:
                out.nested += path.count("components") > 1 and path[-1] == "components"
            element.clear()
        elif name == "dependency" and path[-1:] == ["dependency"]:
            out.dependencies += 1
        elif path == ["bom", "metadata"] and name == "timestamp":
            out.observed_at = moment((element.text or "").strip())
        elif path == ["bom", "metadata"] and name == "tools":
            out.tool, out.tool_version = _tool(element)
    return out


def _version(element: Any) -> None:
    namespace = element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""
    version = namespace.removeprefix(_NAMESPACE)
    if local(element.tag) != "bom" or version not in VERSIONS:
        wrong_version("xmlns", namespace or None, f"{_NAMESPACE}{VERSIONS[0]} to {VERSIONS[-1]}")


def _component(element: Any, at: str) -> bill.Component:
    said = {local(c.tag): c for c in element}
    text = {k: (c.text or "").strip() for k, c in said.items()}
    if not text.get("name"):
        wrong_shape(f"{at}.name", None, "a name")
    if element.get("type") not in _TYPES:
        wrong_shape(f"{at} {text['name']} type", element.get("type"), ", ".join(sorted(_TYPES)))
    if text.get("scope", "") not in _SCOPES:
        wrong_shape(f"{at} {text['name']} scope", text["scope"], "required, optional or excluded")
    licences = [_licence(x) for x in said["licenses"]] if "licenses" in said else []
    group = text.get("group", "")
    return bill.Component(
        name=f"{group}/{text['name']}" if group else text["name"],
        version=text.get("version", ""),
        purl=text.get("purl", ""),
        licences=bill.named(licences),
        known_by=any(k in said for k in ("purl", "cpe", "hashes", "swid")),
    )


def _licence(element: Any) -> str:
    if local(element.tag) == "expression":
        return (element.text or "").strip()
    said = {local(c.tag): (c.text or "").strip() for c in element}
    return said.get("id") or said.get("name", "")


def _tool(element: Any) -> tuple[str, str]:
    last = ("", "")
    for tool in element.iter():
        if local(tool.tag) in ("tool", "component"):
            said = {local(c.tag): (c.text or "").strip() for c in tool}
            last = (said.get("name", ""), said.get("version", ""))
    return last
