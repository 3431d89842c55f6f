"""What a VEX says: of which vulnerability, in which product or part of it, that it is affected, not affected, fixed or looked into.

OpenVEX, CSAF and CycloneDX become the same statements. A later statement about the same thing takes the place of an earlier one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from release_dossier.evidence.readers.given import mapping, moment, objects, word, wrong_shape

STATUSES = ("affected", "under_investigation", "fixed", "not_affected")  # worst first
_CSAF = {
    "known_affected": "affected",
    "first_affected": "affected",
    "last_affected": "affected",
    "under_investigation": "under_investigation",
    "fixed": "fixed",
    "first_fixed": "fixed",
    "known_not_affected": "not_affected",
}
_CYCLONEDX = {
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
    "exploitable": "affected",
    "in_triage": "under_investigation",
    "false_positive": "not_affected",
    "not_affected": "not_affected",
}


class Said(msgspec.Struct, frozen=True):
    """One statement. `products` it is about; `parts` of them where it names parts. `why` is the author's reason."""

    ids: frozenset[str]
    status: str
    products: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    why: str = ""
    at: str = ""


def statements(document: Any) -> list[Said]:
    """What a document says, whichever of the three it is, earliest first.

    Raises:
        Refused: `evidence.shape`.
    """
    d = mapping(document, "vex")
    if "openvex" in word(d.get("@context")).lower():
        found = openvex(d)
    elif word(mapping(d.get("document"), "vex.document").get("csaf_version")):
        found = csaf(d)
    elif d.get("bomFormat") == "CycloneDX":
        found = cyclonedx(d)
    else:
        wrong_shape("vex", ", ".join(list(d)[:5]), "OpenVEX, CSAF or CycloneDX")
    return sorted(found, key=lambda s: s.at)


def openvex(d: dict[str, Any]) -> list[Said]:
    """Statements of OpenVEX 0.2."""
    out = []
    for i, s in enumerate(objects(d.get("statements"), "statements")):
        about = s.get("vulnerability")
        ids = {about} if isinstance(about, str) else {word(about.get("name")), word(about.get("@id"))} if isinstance(about, dict) else set()
        aliases = about.get("aliases") if isinstance(about, dict) else None
        ids |= {word(a) for a in aliases} if isinstance(aliases, list) else set()
        status = word(s.get("status"))
        if status not in STATUSES or not ids - {""}:
            wrong_shape(
                f"statements[{i}]", f"status {status!r} of {', '.join(sorted(ids))!r}", f"a vulnerability and one of {', '.join(STATUSES)}"
            )
        why = word(s.get("justification")) or word(s.get("impact_statement"))
        if status == "not_affected" and not why:
            wrong_shape(f"statements[{i}].justification", None, "why it is not affected")
        products: list[str] = []
        parts: list[str] = []
        listed = s.get("products")
        for p in listed if isinstance(listed, list) else []:
            products += _names(p)
            inner = p.get("subcomponents") if isinstance(p, dict) else None
            for sub in inner if isinstance(inner, list) else []:
                parts += _names(sub)
        at = moment(s.get("timestamp")) or moment(s.get("last_updated")) or moment(d.get("timestamp")) or ""
        out.append(Said(frozenset(ids - {""}), status, tuple(products), tuple(parts), why, at))
    return out


def _names(p: Any) -> list[str]:
    if isinstance(p, str):
        return [p]
    if not isinstance(p, dict):
        return []
    more = p.get("identifiers")
    return [x for x in (word(p.get("@id")), *(word(v) for v in (more.values() if isinstance(more, dict) else ()))) if x]


def csaf(d: dict[str, Any]) -> list[Said]:
    """Statuses of products in a CSAF 2.0 document of profile VEX."""
    tree = mapping(d.get("product_tree"), "product_tree")
    names: dict[str, list[str]] = {}
    _products(tree, names)
    parts: dict[str, list[str]] = {}
    for r in objects(tree.get("relationships"), "product_tree.relationships"):
        whole = word(mapping(r.get("full_product_name"), "relationships.full_product_name").get("product_id"))
        names[whole] = names.get(word(r.get("relates_to_product_reference")), [])
        parts[whole] = names.get(word(r.get("product_reference")), [])
    tracking = mapping(mapping(d.get("document"), "document").get("tracking"), "document.tracking")
    at = moment(tracking.get("current_release_date")) or ""
    out = []
    for i, v in enumerate(objects(d.get("vulnerabilities"), f"vulnerabilities")):  # noqa: F541
        ids = {word(v.get("cve"))} | {word(x.get("text")) for x in objects(v.get("ids"), f"vulnerabilities[{i}].ids")}
        flags = objects(v.get("flags"), f"vulnerabilities[{i}].flags")
        threats = objects(v.get("threats"), f"vulnerabilities[{i}].threats")
        for key, listed in mapping(v.get("product_status"), f"vulnerabilities[{i}].product_status").items():
            status = _CSAF.get(key)
            if status is None:
                continue
            for product in [p for p in listed if isinstance(p, str)] if isinstance(listed, list) else []:
                why = next(
                    (word(f.get("label")) for f in flags if isinstance(f.get("product_ids"), list) and product in f["product_ids"]), ""
                )
                why = why or next((word(t.get("details")) for t in threats if t.get("category") == "impact"), "")
                if status == "not_affected" and not why:
                    wrong_shape(f"vulnerabilities[{i}].flags", None, f"why {product} is not affected")
                out.append(
                    Said(frozenset(ids - {""}), status, tuple(names.get(product, [product])), tuple(parts.get(product, ())), why, at)
                )
    return out


def _products(node: dict[str, Any], names: dict[str, list[str]], depth: int = 0) -> None:
    if depth > 32:
        wrong_shape("product_tree", "more than 32 levels", "at most 32")
    found = [*objects(node.get("full_product_names"), "full_product_names"), mapping(node.get("product"), "product")]
    for p in found:
        if word(p.get("product_id")):
            helper = mapping(p.get("product_identification_helper"), "product_identification_helper")
            purl = word(helper.get("purl"))
            names[p["product_id"]] = [purl] if purl else [word(p.get("name"))]
    for b in objects(node.get("branches"), "branches"):
        _products(b, names, depth + 1)


def cyclonedx(d: dict[str, Any]) -> list[Said]:
    """Analyses of a CycloneDX VEX. One without an analysis says that it is affected."""
    out = []
    about = mapping(mapping(d.get("metadata"), "metadata").get("component"), "metadata.component")
    own = {word(c.get("bom-ref")): word(c.get("purl")) for c in (about, *objects(d.get("components"), "components"))}
    at = moment(mapping(d.get("metadata"), "metadata").get("timestamp")) or ""
    for v in objects(d.get("vulnerabilities"), "vulnerabilities"):
        ids = {word(v.get("id"))} | {word(r.get("id")) for r in objects(v.get("references"), "references")}
        analysis = mapping(v.get("analysis"), "analysis")
        status = _CYCLONEDX.get(word(analysis.get("state")), "affected" if not analysis else "under_investigation")
        refs = [word(a.get("ref")) for a in objects(v.get("affects"), "affects")]
        why = word(analysis.get("justification")) or word(analysis.get("detail"))
        products = tuple(own.get(r) or r for r in refs)
        out.append(Said(frozenset(ids - {""}), status, products, (), why, moment(analysis.get("lastUpdated")) or at))
    return out


def applies(said: Said, ids: frozenset[str], names: tuple[str, ...], product: str) -> bool:
    """Whether a statement is about this vulnerability in this package: it names one of its ids, and the package itself, or the package as a
    part of `product`, or all of `product`. A version in it must be the package's."""
    if not said.ids & ids:
        return False
    ours = bool(product) and any(same(p, product) or same(product, p) for p in said.products)
    if said.parts:
        return (ours or not product) and any(same(p, n) for p in said.parts for n in names)
    return ours or any(same(p, n) for p in said.products for n in names)


def same(wanted: str, name: str) -> bool:
    """Whether a product identifier is that of `name`: equal, or equal but for what `wanted` leaves open (version, qualifiers)."""
    if not wanted or not name:
        return False
    plain_wanted, plain_name = (x.split("?")[0].split("#")[0] for x in (wanted, name))
    if plain_wanted == plain_name:
        return True
    return (
        plain_wanted.startswith("pkg:")
        and "@" not in plain_wanted[plain_wanted.rfind("/") :]
        and plain_name.rpartition("@")[0] == plain_wanted
    )
