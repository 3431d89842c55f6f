"""Published cases: CloudEvents 1.0.2 in JSON, and the vectors of Standard Webhooks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from release_dossier.errors import Refused
from release_dossier.events import Event, parse_batch, parse_event, structured
from release_dossier.trust.webhook import sign_webhook, verify_webhook

EVENTS = Path(__file__).parents[3] / "shared/conformance/09-events"
GOOD: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def published(name: str) -> Any:
    if not EVENTS.exists():
        pytest.skip("needs ../shared: published cases of CloudEvents and Standard Webhooks")
    return json.loads((EVENTS / name).read_text())


def accepted(case: dict[str, Any]) -> bool:
    try:
        parse_batch(case["batch"]) if "batch" in case else parse_event(case["event"])
    except Refused:
        return False
    return True


@pytest.mark.conformance
@pytest.mark.parametrize("name", ["valid-events", "valid-batches"])
def test_cloudevents_that_are_valid_are_read(name: str) -> None:
    """Every case of the CloudEvents project, without exception."""
    cases = published(f"cloudevents__conformance/format/json/{name}.json")["tests"]
    assert [c["id"] for c in cases if not accepted(c)] == []
    assert cases


@pytest.mark.conformance
def test_standard_webhooks_vectors() -> None:
    """Verdict of every vector, at the moment it names."""
    cases = published("derived/standard_webhooks_vectors.json")["cases"]
    wrong = []
    for c in cases:
        at = datetime.fromtimestamp(c["now"], UTC)
        words = (c["secret"], c["webhook-id"], str(c["webhook-timestamp"]), c["webhook-signature"], c["payload"].encode(), at)
        try:
            verdict = verify_webhook(*words)
        except Refused:
            verdict = False
        if verdict != c["valid"]:
            wrong.append(c["name"])
    assert wrong == []
    assert len(cases) > 10


@pytest.mark.parametrize(
    ("change", "code", "at"),
    [
        ({"id": None}, "event.missing", "event.id"),
        ({"id": ""}, "event.value", "event.id"),
        ({"source": None}, "event.missing", "event.source"),
        ({"source": ""}, "event.value", "event.source"),
        ({"source": "a b"}, "event.value", "event.source"),
        ({"source": "%zz"}, "event.value", "event.source"),
        ({"type": 7}, "event.value", "event.type"),
        ({"specversion": "0.3"}, "event.specversion", "event.specversion"),
        ({"specversion": 1.0}, "event.value", "event.specversion"),
        ({"Extension": "x"}, "event.name", "event.Extension"),
        ({"with-dash": "x"}, "event.name", "event.with-dash"),
        ({"ext": {}}, "event.value", "event.ext"),
        ({"ext": []}, "event.value", "event.ext"),
        ({"ext": 1.5}, "event.value", "event.ext"),
        ({"ext": 2**31}, "event.value", "event.ext"),
        ({"ext": "bell\x07"}, "event.value", "event.ext"),
        ({"ext": "\ufffe"}, "event.value", "event.ext"),
        ({"time": "yesterday"}, "event.value", "event.time"),
        ({"time": "2018-04-05"}, "event.value", "event.time"),
        ({"time": "2018-13-05T17:31:00Z"}, "event.value", "event.time"),
        ({"time": "2018-04-05T17:31:00"}, "event.value", "event.time"),
        ({"dataschema": "relative"}, "event.value", "event.dataschema"),
        ({"dataschema": ""}, "event.value", "event.dataschema"),
        ({"datacontenttype": "nothing"}, "event.value", "event.datacontenttype"),
        ({"subject": ""}, "event.value", "event.subject"),
        ({"data": 1, "data_base64": "AA=="}, "event.data", "event"),
        ({"data_base64": "%%"}, "event.data", "event.data_base64"),
        ({"data_base64": 7}, "event.data", "event.data_base64"),
    ],
)
def test_cloudevents_that_are_not_valid_are_refused(change: dict[str, Any], code: str, at: str) -> None:
    """Each breaks one sentence of the specification, and the attribute is named."""
    event = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    with pytest.raises(Refused) as e:
        parse_event(event)
    assert (e.value.code, e.value.at) == (code, at)


@pytest.mark.parametrize(
    "value", [{"ext": True}, {"ext": -(2**31)}, {"time": "2016-12-31T23:59:60.5Z"}, {"data": None}, {"data_base64": ""}]
)
def test_cloudevents_at_the_edge_are_read(value: dict[str, Any]) -> None:
    """The last values the specification allows."""
    parse_event({**GOOD, **value})


def test_what_is_written_is_what_is_read() -> None:
    """An event survives its JSON, bytes as base64."""
    for data in ({"a": [1]}, b"\x00\xff"):
        event = Event(id="1", source="urn:x:y", type="t", subject="s", extensions={"n": 1, "b": False}, data=data)
        assert parse_event(json.loads(json.dumps(structured(event)))) == event
    with pytest.raises(Refused, match=r"batch\[1\]"):
        parse_batch([GOOD, {**GOOD, "id": ""}])
    for none in (7, "x", None):
        with pytest.raises(Refused, match=r"event\.shape"):
            parse_batch(none)


def test_our_signature_is_the_reference_librarys() -> None:
    """Made here, the same there; one byte more and it is none."""
    at, secret = datetime(2026, 11, 24, 9, 0, 0, 700_000, tzinfo=UTC), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    ours = sign_webhook(secret, "msg_1", at, b'{"a":1}')
    assert ours == standardwebhooks.Webhook(secret).sign("msg_1", at, '{"a":1}')
    stamp = str(int(at.timestamp()))
    assert verify_webhook(secret, "msg_1", stamp, f"v1,AAAA {ours}", b'{"a":1}', at)
    assert not verify_webhook(secret, "msg_1", stamp, ours, b'{"a":2}', at)
    assert not verify_webhook(secret, "msg_2", stamp, ours, b'{"a":1}', at)
    assert not verify_webhook(secret, "msg_1", "٣", ours, b'{"a":1}', at)
