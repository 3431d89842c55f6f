"""Everything about a project's alerts in one tar: rule files, Alertmanager's configuration, and what a fire drill delivered.

Only together do they answer all of it: which failure mode has an alert, who owns it, can it fire, was it seen firing and resolving, and
does it reach anybody. Files in it are read where they lie and never unpacked; links, devices and names mean nothing; what none of these
formats recognises is said.
"""

from __future__ import annotations

import io
from typing import IO, Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence import alerting
from release_dossier.evidence.readers import alertmanager_config, fire_drill, prometheus_rules
from release_dossier.evidence.readers.given import Given
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example
from release_dossier.limits import DOCUMENT_BYTES_MAX

NAME = "alert-set"
MEMBERS_MAX = 200  # files of one set; a large monitoring repository has some dozen
_TAR_BYTES_MAX = DOCUMENT_BYTES_MAX + MEMBERS_MAX * 2048  # its files with their headers
_END = b"\0" * 1024  # two empty blocks (POSIX ustar)
_HEAD_BYTES = 64 * 1024
_MAGIC_AT, _MAGIC = 257, b"ustar"


def recognises(head: bytes) -> bool:
    """A tar that holds files of rules or a drill."""
    return head[_MAGIC_AT : _MAGIC_AT + 5] == _MAGIC and (b"groups:" in head or b"receivedAt" in head or b"receivers:" in head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every file of the set.

    Raises:
        Refused: `evidence.shape` when it is no tar, cut, or too large.
    """
    rules = prometheus_rules.Rules(given.expectations.get("name_validation") == "legacy")
    faults: list[Counterexample] = []
    unread: list[str] = []
    drills: list[fire_drill.Drill] = []
    routed = False
    for name, raw in _members(stream):
        try:
            inner = plain(io.BytesIO(raw), DOCUMENT_BYTES_MAX)
            head = inner.read(_HEAD_BYTES)
            inner.seek(0)
            if prometheus_rules.recognises(head):
                unread += prometheus_rules.collect(rules, inner)
            elif fire_drill.recognises(head):
                drills.append(fire_drill.drill(inner))
            elif alertmanager_config.recognises(head):
                routed = True
                made = alertmanager_config.read(inner, given)
                faults += made.counterexamples
                unread += [made.cause.partition("; ")[2]] if "; " in made.cause else []
            else:
                unread.append(f"{name} is of no format of alerts")
        except Refused as e:
            faults.append(example(f"{name}: {e.found}", f"{name} {e.at}"))
    return _together(rules, faults, unread, drills, routed, given)


def _together(
    rules: prometheus_rules.Rules,
    faults: list[Counterexample],
    unread: list[str],
    drills: list[fire_drill.Drill],
    routed: bool,
    given: Given,
) -> Reading:
    fired = {n for d in drills for n in d.fired}
    stuck = {n for d in drills for n in d.fired - d.resolved}
    alerts = [
        msgspec.structs.replace(a, fired=a.name in fired, resolved=a.name not in stuck if a.name in fired else None) if drills else a
        for a in rules.alerts
    ]
    strangers = sorted(fired - {a.name for a in rules.alerts})
    broken = sum(d.broken for d in drills)
    unread = unread + ([f"{broken} deliveries could not be read"] if broken else [])
    unread += [] if routed else ["no configuration of Alertmanager says whom they reach"]
    unread += [] if drills else ["no drill shows that they fire"]
    last: Any = max((d.last for d in drills if isinstance(d.last, str)), default=None)
    made = alerting.reading(
        NAME,
        alerts,
        given,
        rules=rules.rules,
        recorded=frozenset(rules.recorded),
        faults=[*rules.faults, *faults],
        unread=unread,
        facts={"notifications": Fact(sum(len(d.sent) for d in drills), "notifications")},
        limits=(f"seen firing, and no rule here makes it: {', '.join(strangers)}",) if strangers else (),
        tool="prometheus",
        observed_at=last if isinstance(last, str) and last.endswith("Z") and len(last) in (20, 24) else None,
    )
    d = alerting.declared(given)
    wanted = dict.fromkeys([*d.alerts, *(n for _, each in d.modes for n in each)])
    seen = {a.name for a in alerts if a.fired and a.resolved is not False}
    return msgspec.structs.replace(made, looked_at=sum(n in seen for n in wanted) if wanted else len(seen))


def _members(stream: IO[bytes]) -> Any:
    """(name, bytes) of each regular file, in order.

    Raises:
        Refused: `evidence.shape`.
    """
    import tarfile

    total = seen = 0
    raw = stream.read(_TAR_BYTES_MAX + 1)
    if len(raw) > _TAR_BYTES_MAX or not raw.endswith(_END) or len(raw) % 512:
        expected = f"a tar of at most {_TAR_BYTES_MAX} bytes that ends as one"
        raise Refused("evidence.shape", at="file", found=f"{min(len(raw), _TAR_BYTES_MAX)} bytes, cut", expected=expected)
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:", ignore_zeros=True) as tar:
            for member in tar:
                seen += 1
                total += member.size
                if seen > MEMBERS_MAX or total > DOCUMENT_BYTES_MAX:
                    found = f"{seen} files of {total} bytes"
                    expected = f"at most {MEMBERS_MAX} files of {DOCUMENT_BYTES_MAX} bytes"
                    raise Refused("evidence.shape", at=member.name[:200], found=found, expected=expected)
                file = tar.extractfile(member) if member.isreg() else None
                if file is not None:
                    yield member.name, file.read()
    except (tarfile.TarError, EOFError, OSError, ValueError) as e:
        raise Refused("evidence.shape", at=f"file {seen} of the tar", found=str(e), expected="a whole tar") from e
