"""CycloneDX 1.2 to 1.7 in JSON, held against the schema of its version: what breaks it is refused with its place.

One that lists vulnerabilities and no components is a VEX, which `cyclonedx-vex` reads.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import IO, Any, NoReturn

from release_dossier.errors import Refused, shown
from release_dossier.evidence.readers import bill
from release_dossier.evidence.readers.given import Given, mapping, moment, objects, whole_json, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "cyclonedx"
VERSIONS = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
_AROUND = ("spdx", "jsf-0.82", "cryptography-defs")  # what the schemas refer to


def recognises(head: bytes) -> bool:
    """Its name at the top, and components rather than vulnerabilities alone."""
    top = outline(head)
    return _is_bom(top) and not ("vulnerabilities" in top and "components" not in top)


def recognises_vex(head: bytes) -> bool:
    """Vulnerabilities, and no components before them."""
    top = outline(head)
    return _is_bom(top) and "vulnerabilities" in top and "components" not in top


def _is_bom(top: dict[str, str]) -> bool:
    """Its name; or components as only it has them, where the name comes after them (cyclonedx-py's order)."""
    if "components[].bom-ref" in top:
        return True
    return top.get("") == "{" and ("bomFormat" in top or ("specVersion" in top and "cyclonedx" in top.get("$schema", "").lower()))


def read(stream: IO[bytes], given: Given) -> Reading:
    """The components it lists.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `json.*`.
    """
    return bill.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> bill.Bill:
    """The bill, valid."""
    document = valid(stream)
    out = bill.Bill()
    about = mapping(document.get("metadata"), "metadata")
    out.observed_at = moment(about.get("timestamp"))
    out.tool, out.tool_version = tools(about.get("tools"))
    out.dependencies = sum(len(d.get("dependsOn") or ()) for d in objects(document.get("dependencies"), "dependencies"))
    for c in objects(document.get("components"), "components"):
        out.components.append(_component(c))
        out.nested += _inside(c)
    for c in objects(document.get("compositions"), "compositions"):
        if word(c.get("aggregate")) not in ("complete", "not_specified"):
            out.limits.append(f"it says itself that a part of it is {word(c.get('aggregate'))}")
    return out


def valid(stream: IO[bytes]) -> dict[str, Any]:
    """The document, after its version's schema had its say.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `json.*`.
    """
    document = mapping(whole_json(stream), "file")
    version = document.get("specVersion")
    if version not in VERSIONS:
        wrong_version("specVersion", version, f"CycloneDX {VERSIONS[0]} to {VERSIONS[-1]}")
    fault = next((e for e in _schema(version).iter_errors(document) if not _odd_address(e)), None)
    if fault is not None:
        wrong_shape(_place(fault.instance_path), shown(fault.message), f"what the schema of CycloneDX {version} says")
    return document


def _odd_address(fault: Any) -> bool:
    """Whether it is only the spelling of a link to somewhere: npm copies `git@github.com:…` as packages have it."""
    path = list(fault.instance_path)
    return path[-1:] == ["url"] and "externalReferences" in path and isinstance(fault.instance, str) and bool(fault.instance)


def _place(path: list[str | int]) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".") or "file"


@lru_cache(maxsize=len(VERSIONS))
def _schema(version: str) -> Any:
    import jsonschema_rs

    folder = resources.files("cyclonedx.schema") / "_res"
    around = [(_id(n), json.loads((folder / f"{n}.SNAPSHOT.schema.json").read_text("utf-8"))) for n in _AROUND]
    whole = json.loads((folder / f"bom-{version}.SNAPSHOT.schema.json").read_text("utf-8"))
    registry = jsonschema_rs.Registry(around, retriever=_nothing)
    return jsonschema_rs.validator_for(whole, registry=registry, retriever=_nothing, validate_formats=True)


def _id(name: str) -> str:
    return f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json"


def _nothing(uri: str) -> NoReturn:
    """Nothing is ever fetched."""
    raise Refused("evidence.shape", at="schema", found=uri, expected="a schema that is here")


def _component(c: dict[str, Any]) -> bill.Component:
    group, name = word(c.get("group")), word(c.get("name"))
    return bill.Component(
        name=f"{group}/{name}" if group else name,
        version=word(c.get("version")),
        purl=word(c.get("purl")),
        licences=bill.named([_licence(x) for x in c.get("licenses") or ()]),
        known_by=any(c.get(k) for k in ("purl", "cpe", "hashes", "swid", "omniborId", "swhid")),
    )


def _licence(choice: dict[str, Any]) -> str:
    inner = choice.get("license")
    if isinstance(inner, dict):
        return word(inner.get("id")) or word(inner.get("name"))
    return word(choice.get("expression"))


def _inside(c: dict[str, Any]) -> int:
    inner = c.get("components") or ()
    return len(inner) + sum(_inside(x) for x in inner)


def tools(found: Any) -> tuple[str, str]:
    """Name and version of what wrote it: a list of tools (to 1.4), or their components (from 1.5). The last is the one that wrote."""
    listed = found.get("components", []) if isinstance(found, dict) else found
    if not isinstance(listed, list) or not listed or not isinstance(listed[-1], dict):
        return "", ""
    return word(listed[-1].get("name")), word(listed[-1].get("version"))
