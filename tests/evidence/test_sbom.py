"""Bills of materials: what is counted, which licences are let through, what changed, and what is refused."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.readers import bill, cyclonedx, read
from release_dossier.evidence.reading import Reading
from tests.evidence.samples import FOLDER


def says(raw: Any, **more: Any) -> Reading:
    text = raw if isinstance(raw, str) else json.dumps(raw)
    return read(io.BytesIO(text.encode()), **more)


def part(name: str, licence: str = "", **more: Any) -> dict[str, Any]:
    licences = {"licenses": [{"expression": licence}]} if licence else {}
    return {"type": "library", "name": name, "version": "1", "purl": f"pkg:npm/{name}@1", **licences, **more}


def cdx(*components: dict[str, Any], version: str = "1.6", **more: Any) -> dict[str, Any]:
    return {"bomFormat": "CycloneDX", "specVersion": version, "version": 1, "components": list(components), **more}


@pytest.mark.parametrize(
    ("bom", "more", "want"),
    [
        (cdx(part("a"), part("b")), {}, ("pass", 2, 2)),
        (cdx(), {}, ("missing", 0, 0)),
        (cdx({"type": "library", "name": "a"}), {}, ("missing", 0, 1)),
        (cdx(part("a"), {"type": "library", "name": "b"}), {}, ("pass", 1, 2)),
        (cdx(part("a", "MIT")), {"licences_allowed": "MIT"}, ("pass", 1, 1)),
        (cdx(part("a", "MIT"), part("b")), {"licences_allowed": "MIT"}, ("inconclusive", 2, 2)),
        (cdx(part("a", "MIT OR GPL-3.0-only")), {"licences_denied": "GPL-3.0-only"}, ("pass", 1, 1)),
        (cdx(part("a", "MIT AND GPL-3.0-only")), {"licences_denied": "GPL-3.0-only"}, ("fail", 1, 1)),
    ],
)
def test_what_a_bill_says(bom: dict[str, Any], more: dict[str, str], want: tuple[Any, ...]) -> None:
    """Nothing listed is missing, a bare name is not looked at, a licence that was ruled out fails, an unknown one leaves it open."""
    r = says(bom, expectations=more)
    assert (r.verdict, r.looked_at, r.of) == want
    assert r.counterexamples_total == (want[0] == "fail")


@pytest.mark.parametrize("version", cyclonedx.VERSIONS)
def test_every_version(version: str) -> None:
    """1.2 to 1.7 are held against their own schema; another is named and refused."""
    assert says(cdx(part("a"), version=version)).verdict == "pass"
    with pytest.raises(Refused) as e:
        says(cdx({"name": "a"}, version=version))
    assert (e.value.code, e.value.at) == ("evidence.shape", "components[0]")
    with pytest.raises(Refused) as e:
        says(cdx(part("a"), version="2.0"))
    assert e.value.code == "evidence.version"


@pytest.mark.parametrize(
    ("expression", "fine"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND Apache-2.0", True),
        ("MIT AND (GPL-3.0-only OR GPL-3.0-only)", False),
        ("GPL-3.0-only OR MIT AND Apache-2.0", True),
        ("MIT AND Apache-2.0 OR GPL-3.0-only", True),
        ("GPL-3.0-only WITH Classpath-exception-2.0", False),
        ("The Unlicense (or so)", True),
        ("MIT OR", True),
        (")", True),
    ],
)
def test_expressions(expression: str, fine: bool) -> None:
    """One side of an OR is enough, AND needs both and binds closer, an exception changes nothing, nonsense is a name."""
    assert bill.satisfiable(expression, lambda x: x != "GPL-3.0-only") is fine


def test_what_changed() -> None:
    """Beside the last release's inventory each component is added, removed, changed or the same, by its identity."""
    before = bill.inventory(cyclonedx.parse(io.BytesIO(json.dumps(cdx(part("a"), part("b"), part("c"))).encode())))
    now = cdx(part("a"), part("b", version="2", purl="pkg:npm/b@2"), part("d"))
    r = says(now, asked={"base": {"components": before}})
    assert {n: r.facts[n].value for n in ("components_added", "components_removed", "components_changed")} == {
        "components_added": 1,
        "components_removed": 1,
        "components_changed": 1,
    }
    assert (r.facts["added"].value, r.facts["removed"].value) == ("pkg:npm/d 1".removeprefix("pkg:"), "npm/c")
    assert r.facts["changed"].value == "npm/b 1 → 2"
    assert "added" not in says(now).facts


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        ("CC0-1.0", "CC-BY", "dataLicense"),
        ("SPDX-2.3", "SPDX-2.9", "spdxVersion"),
        ("2026-11-23T01:20:26Z", "yesterday", "creationInfo.created"),
    ],
)
@pytest.mark.parametrize("file", ["spdx.json", "spdx-tag-value.spdx"])
def test_spdx_that_is_none(file: str, old: str, new: str, at: str) -> None:
    """A document that does not say what the specification demands is refused with the place."""
    raw = (FOLDER / file).read_text()
    assert old in raw
    with pytest.raises(Refused) as e:
        says(raw.replace(old, new, 1))
    assert e.value.at == at


def test_spdx_relations() -> None:
    """A relation with something that is not in the document leaves it open what else is not."""
    d = json.loads((FOLDER / "spdx.json").read_text())
    d["relationships"] = [{"spdxElementId": "SPDXRef-DOCUMENT", "relatedSpdxElement": "SPDXRef-gone", "relationshipType": "DESCRIBES"}]
    r = says(d)
    assert (r.verdict, r.cause.endswith("relationships[0]: 'SPDXRef-gone' is not in it")) == ("inconclusive", True)
