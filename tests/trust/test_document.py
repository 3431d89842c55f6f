"""The trust chain: thresholds in people, pins, revocations."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from release_dossier.digest import canonical
from release_dossier.errors import Corrupt, Refused
from release_dossier.trust.document import Key, Revocation, Trust, append_version, first_version, next_version, parse_chain
from release_dossier.trust.dsse import parse_envelope
from release_dossier.trust.statement import Subject, state


def chain(*envelopes: bytes) -> bytes:
    return canonical({"versions": [parse_envelope(e, "x").as_json() for e in envelopes]}) + b"\n"


def founded(town: Any, *signers: str) -> tuple[bytes, Trust]:
    raw = chain(town.envelope(town.founding(), *(signers or ("ann", "bob"))))
    return raw, parse_chain(raw, "x")


def test_version_1_is_the_identity(town: Any) -> None:
    """The project is the digest of its first trust statement, which names itself `self`; another pin is an integrity failure."""
    raw, trust = founded(town)
    assert trust.project == trust.digest == town.founding().digest
    assert town.founding().project == "self"
    assert parse_chain(raw, "x", trust.project) == trust
    with pytest.raises(Corrupt) as e:
        parse_chain(raw, "x", "sha256:" + "0" * 64)
    assert e.value.code == "trust.other-project"


@pytest.mark.parametrize("signers", [("ann",), ("ann", "ann2"), ("ann", "cy"), ("ann", "stranger"), ()])
def test_the_threshold_counts_people_who_hold_the_role(town: Any, signers: tuple[str, ...]) -> None:
    """Two of two: not one, not one person with two keys, not somebody without the role, not a stranger, not the machine."""
    with pytest.raises(Corrupt) as e:
        parse_chain(chain(town.envelope(town.founding(), *signers)), "x")
    assert e.value.code == "trust.threshold"


def test_a_change_needs_the_old_threshold_and_its_own(town: Any) -> None:
    """Cy takes Ann's place: Ann and Bob must agree, and so must Bob and Cy."""
    raw, trust = founded(town)
    people = (town.person("bob"), town.person("cy"))
    change = next_version(trust, people=people, created_at="2026-02-01T00:00:00Z")
    for signers in (("ann", "bob"), ("bob", "cy"), ("ann", "cy")):
        with pytest.raises(Corrupt) as e:
            append_version(raw, town.envelope(change, *signers))
        assert e.value.code == "trust.threshold"
    longer = append_version(raw, town.envelope(change, "ann", "bob", "cy"))
    newest = parse_chain(longer, "x", trust.project)
    assert (newest.document.version, newest.project, newest.digest) == (2, trust.project, change.digest)
    assert parse_chain(longer, "x", trust.project, trust.digest) == trust
    with pytest.raises(Corrupt) as e:
        parse_chain(longer, "x", digest="sha256:" + "0" * 64)
    assert e.value.code == "trust.unknown-version"


def test_the_chain_has_no_gap_and_no_fork(town: Any) -> None:
    """A version that names another predecessor, number or project does not follow."""
    raw, trust = founded(town)
    second = next_version(trust, created_at="2026-02-01T00:00:00Z")
    longer = append_version(raw, town.envelope(second, "ann", "bob"))
    again = next_version(trust, created_at="2026-03-01T00:00:00Z")
    skipped = next_version(
        msgspec.structs.replace(trust, document=msgspec.structs.replace(trust.document, version=2)), created_at="2026-02-01T00:00:00Z"
    )
    stranger = next_version(msgspec.structs.replace(trust, project="sha256:" + "1" * 64), created_at="2026-02-01T00:00:00Z")
    for base, bad in ((longer, again), (raw, skipped), (raw, stranger), (raw, town.founding())):
        with pytest.raises(Corrupt) as e:
            append_version(base, town.envelope(bad, "ann", "bob"))
        assert e.value.code == "trust.chain"


def test_a_revoked_key_signs_no_change_and_stays_revoked(town: Any) -> None:
    """Neither the version that revokes it nor a later one counts it, and no later version may forget."""
    raw, trust = founded(town)
    gone = Revocation(town.key("bob").id, "2026-02-01T00:00:00Z", "stolen")
    with pytest.raises(Refused) as r:
        next_version(trust, revocations=(gone,), created_at="2026-02-01T00:00:00Z")
    assert r.value.code == "trust.threshold-reach"
    second = next_version(trust, revocations=(gone,), threshold=1, created_at="2026-02-01T00:00:00Z")
    with pytest.raises(Corrupt) as e:  # two of two were asked for, and Bob's key no longer counts
        append_version(raw, town.envelope(second, "ann", "bob"))
    assert e.value.code == "trust.threshold"
    lower = next_version(trust, threshold=1, created_at="2026-01-15T00:00:00Z")
    raw = append_version(raw, town.envelope(lower, "ann", "bob"))
    second = next_version(parse_chain(raw, "x"), revocations=(gone,), created_at="2026-02-01T00:00:00Z")
    raw = append_version(raw, town.envelope(second, "ann"))
    trust = parse_chain(raw, "x")
    third = next_version(trust, created_at="2026-03-01T00:00:00Z")
    with pytest.raises(Corrupt) as e:
        append_version(raw, town.envelope(third, "bob"))
    assert e.value.code == "trust.threshold"
    forgetful = msgspec.structs.replace(trust, document=msgspec.structs.replace(trust.document, revocations=()))
    with pytest.raises(Corrupt) as e:
        append_version(raw, town.envelope(next_version(forgetful, created_at="2026-03-01T00:00:00Z"), "ann"))
    assert e.value.code == "trust.revocation-dropped"


def test_what_a_revoked_key_signed_before_counts_only_when_logged_before(town: Any) -> None:
    """A date in a signature is the signer's word; the log's is not."""
    _, trust = founded(town)
    key = town.key("bob").id
    assert trust.counts(key, "2026-02-02T00:00:00Z", False)
    revoked = msgspec.structs.replace(
        trust, document=msgspec.structs.replace(trust.document, revocations=(Revocation(key, "2026-02-01T00:00:00Z", "stolen"),))
    )
    assert revoked.counts(key, "2026-01-31T23:59:59.999Z", True)
    assert not revoked.counts(key, "2026-01-31T23:59:59Z", False)
    assert not revoked.counts(key, "2026-02-01T00:00:00Z", True)
    assert not revoked.counts(key, "2026-02-01T01:30:00+01:00", True)
    assert revoked.counts(key, "2026-02-01T00:30:00+01:00", True)
    assert not revoked.counts(town.key("stranger").id, "2026-01-01T00:00:00Z", True)
    assert revoked.revoked_at(key) == "2026-02-01T00:00:00Z"
    assert revoked.revoked_at(town.key("ann").id) is None


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"threshold": 0}, "trust.threshold-reach"),
        ({"threshold": 3}, "trust.threshold-reach"),
        ({"created_at": "2026-01-01T00:00:00"}, "trust.time"),
        ({"created_at": "yesterday"}, "trust.time"),
    ],
)
def test_a_document_that_cannot_hold_is_not_made(town: Any, fault: dict[str, Any], code: str) -> None:
    """Refused before anybody signs."""
    good: dict[str, Any] = {
        "project_name": "shop",
        "threshold": 1,
        "people": town.people(),
        "producers": (town.runner(),),
        "created_at": "2026-01-01T00:00:00Z",
    }
    first_version(**good)
    with pytest.raises(Refused) as e:
        first_version(**(good | fault))
    assert e.value.code == code


@pytest.mark.parametrize(
    "at",
    ["2026-02-01 00:00:00+00:00", "20260201T000000Z", "2026-W05-7T00:00:00Z", "2026-02-01T00:00Z", "2026-02-01T00:00:00+00",
     "2026-02-01T00:00:00+00:00:30", "2026-02-01X00:00:00Z", "2026-02-01T00:00:00,5Z", "2026-02-01T00:00:00", "0000-01-01T00:00:00Z",
     "0001-01-01T00:00:00+00:01"],
)  # fmt: skip
def test_a_moment_is_rfc_3339_and_nothing_looser(town: Any, at: str) -> None:
    """What only Python's parser takes for a moment is none, in a document that is made and in one that is read."""
    raw, trust = founded(town)
    with pytest.raises(Refused) as refused:
        next_version(trust, created_at=at)
    good = next_version(trust, created_at="2026-02-01T00:00:00Z")
    revoked = {**good.predicate, "revocations": [{"key": "SHA256:x", "at": at, "reason": "lost"}]}
    with pytest.raises(Corrupt) as found:
        append_version(raw, town.envelope(state("trust", good.project, list(good.subject), revoked), "ann", "bob"))
    assert refused.value.code == found.value.code == "trust.time"


def test_people_are_distinct_plain_and_own_their_keys(town: Any) -> None:
    """A shared key, a name twice, a wildcard for a name and a fingerprint of another key are refused."""
    ann = town.person("ann")
    wrong = msgspec.structs.replace(ann, keys=(Key(town.key("bob").id, town.key("ann").public),))
    commented = msgspec.structs.replace(ann, keys=(Key(town.key("ann").id, town.key("ann").public + " comment"),))
    cases = [
        ((ann, town.person("bob", "ann")), "trust.key-shared"),
        ((town.person("ann", "ann", "ann"),), "trust.key-shared"),
        ((ann, town.person("ann", "bob")), "trust.twice"),
        ((ann, town.person("runner", "bob")), "trust.twice"),
        ((msgspec.structs.replace(ann, id="*"),), "trust.name"),
        ((msgspec.structs.replace(ann, id="ann\nbob"),), "trust.name"),
        ((town.person("ann", "runner"),), "trust.key-shared"),
        ((wrong,), "trust.key-name"),
        ((commented,), "trust.key-name"),
    ]
    for people, code in cases:
        with pytest.raises(Refused) as e:
            first_version(project_name="s", threshold=1, people=people, producers=(town.runner(),), created_at="2026-01-01T00:00:00Z")
        assert e.value.code == code
    for machine, code in (
        (msgspec.structs.replace(town.runner(), id="*"), "trust.name"),
        (msgspec.structs.replace(town.runner(), keys=wrong.keys), "trust.key-name"),
    ):
        with pytest.raises(Refused) as e:
            first_version(project_name="s", threshold=1, people=(ann,), producers=(machine,), created_at="2026-01-01T00:00:00Z")
        assert e.value.code == code


def test_a_key_is_a_persons_or_a_machines(town: Any) -> None:
    """Never both, and a stranger's is nobody's: what a machine's key records no person said."""
    _, trust = founded(town)
    keys = {name: town.key(name).id for name in ("ann", "ann2", "bob", "cy", "runner", "stranger")}
    people = {name: p.id for name, k in keys.items() if (p := trust.person_of_key(k)) is not None}
    assert people == {"ann": "ann", "ann2": "ann", "bob": "bob", "cy": "cy"}
    assert {name for name, k in keys.items() if trust.producer_of_key(k) is not None} == {"runner"}
    assert trust.machine_keys() == {keys["runner"]: town.key("runner").public}
    assert trust.public_keys() == {keys[name]: town.key(name).public for name in (*people, "runner")}
    assert (trust.person("ann"), trust.person("runner")) == (trust.person_of_key(keys["ann2"]), None)


def test_a_key_given_up_twice_is_gone_from_the_earlier_moment_on(town: Any) -> None:
    """By the moment, not by its spelling or its place in the list: a later revocation gives nothing back."""
    _, trust = founded(town)
    key = town.key("bob").id
    early, late = "2026-02-01T00:30:00+01:00", "2026-02-01T00:00:00Z"
    for order in ((early, late), (late, early)):
        given_up = tuple(Revocation(key, at, "stolen") for at in order)
        revoked = msgspec.structs.replace(trust, document=msgspec.structs.replace(trust.document, revocations=given_up))
        assert revoked.revoked_at(key) == early
        assert not revoked.counts(key, "2026-01-31T23:45:00Z", True)


def test_a_chain_has_as_many_versions_as_it_may(town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one it may have is read, one more is no chain."""
    raw, trust = founded(town)
    second = town.envelope(next_version(trust, created_at="2026-02-01T00:00:00Z"), "ann", "bob")
    monkeypatch.setattr("release_dossier.trust.document.VERSIONS_MAX", 2)
    longer = append_version(raw, second)
    monkeypatch.setattr("release_dossier.trust.document.VERSIONS_MAX", 1)
    assert parse_chain(raw, "x") == trust
    with pytest.raises(Refused, match=r"^trust\.shape: at x: found no list of versions"):
        parse_chain(longer, "x")


def test_a_chain_is_a_file_of_trust_statements(town: Any) -> None:
    """Other files, other statements and an empty list are refused."""
    for raw in (b"{}", b"[]", b'{"versions":[]}', b'{"versions":[{}]}', b'{"versions":{}}'):
        with pytest.raises(Refused):
            parse_chain(raw, "x")
    other = state("evidence", "self", [Subject("a", {"sha256": "0" * 64})], {"a": 1})
    with pytest.raises(Corrupt) as e:
        parse_chain(chain(town.envelope(other, "ann", "bob")), "x")
    assert e.value.code == "trust.chain"
    bare = state("trust", "self", [Subject("a", {"sha256": "0" * 64})], {"version": "1"})
    with pytest.raises(Refused) as r:
        parse_chain(chain(town.envelope(bare, "ann", "bob")), "x")
    assert r.value.code == "trust.shape"
