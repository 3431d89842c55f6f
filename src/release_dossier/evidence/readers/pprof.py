"""pprof's profile.proto, gzip or plain: Go, and what else writes it. The value is the profile's default one, else its last.

Read by its fields (github.com/google/pprof/proto/profile.proto); an index that points nowhere is refused with its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers import stacks
from release_dossier.evidence.readers.given import Given, wrong_shape
from release_dossier.evidence.reading import Reading
from release_dossier.limits import DOCUMENT_BYTES_MAX

NAME = "pprof"
_INT64, _UINT64, _BOOL, _STRING, _MESSAGE = 3, 4, 8, 9, 11
# message → (number, name, type, repeated, message type); what is left out is skipped
_FIELDS: dict[str, tuple[tuple[int, str, int, bool, str], ...]] = {
    "ValueType": ((1, "type", _INT64, False, ""), (2, "unit", _INT64, False, "")),
    "Sample": ((1, "location_id", _UINT64, True, ""), (2, "value", _INT64, True, "")),
    "Line": ((1, "function_id", _UINT64, False, ""), (2, "line", _INT64, False, "")),
    "Location": ((1, "id", _UINT64, False, ""), (3, "address", _UINT64, False, ""), (4, "line", _MESSAGE, True, "Line")),
    "Function": ((1, "id", _UINT64, False, ""), (2, "name", _INT64, False, ""), (4, "filename", _INT64, False, "")),
    "Profile": (
        (1, "sample_type", _MESSAGE, True, "ValueType"),
        (2, "sample", _MESSAGE, True, "Sample"),
        (4, "location", _MESSAGE, True, "Location"),
        (5, "function", _MESSAGE, True, "Function"),
        (6, "string_table", _STRING, True, ""),
        (9, "time_nanos", _INT64, False, ""),
        (10, "duration_nanos", _INT64, False, ""),
        (14, "default_sample_type", _INT64, False, ""),
    ),
}

_SAMPLE_TYPE = 10  # field 1 as a message
_MESSAGES = frozenset(n << 3 | 2 for n in (1, 2, 3, 4, 5, 11))
_TAGS = _MESSAGES | {6 << 3 | 2, 13 << 3 | 2} | {n << 3 for n in (7, 8, 9, 10, 12, 13, 14)}
_INSIDE = frozenset(n << 3 | w for n in range(1, 11) for w in (0, 2))


def recognises(head: bytes) -> bool:
    """Binary whose first fields are all a profile's, three at least: of its wire types, with a message in what is one."""
    seen = 0
    for tag, body in _top(head):
        if tag not in _TAGS:
            return False
        if body is not None and tag in _MESSAGES and body and body[0] not in _INSIDE:
            return False
        if tag == _SAMPLE_TYPE and (body is None or len(body) > 40):
            return False
        seen += 1
    return seen >= 3


def _top(raw: bytes) -> Iterator[tuple[int, bytes | None]]:
    """(tag, body of a length-delimited field) of the fields that lie whole in `raw`, the first 50."""
    at = 0
    for _ in range(50):
        tag, at = _varint(raw, at)
        size, at = _varint(raw, at)
        if at > len(raw) or (tag & 7 == 2 and at + size > len(raw)):
            return
        yield tag, raw[at : at + size] if tag & 7 == 2 else None
        at += size if tag & 7 == 2 else 0


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(raw) and shift < 64:
        value |= (raw[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if raw[at - 1] < 128:
            return value, at
    return 0, len(raw) + 1


@lru_cache(maxsize=1)
def _message() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="perftools.profiles", syntax="proto3")
    for name, fields in _FIELDS.items():
        made = file.message_type.add(name=name)
        for number, field, kind, repeated, of in fields:
            f = made.field.add(name=field, number=number, type=kind, label=3 if repeated else 1)
            if of:
                f.type_name = f".perftools.profiles.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("perftools.profiles.Profile"))


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every sample.

    Raises:
        Refused: `evidence.shape`, `json.too-large`.
    """
    raw = stream.read(DOCUMENT_BYTES_MAX + 1)
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise Refused("json.too-large", at="file", found=f"more than {DOCUMENT_BYTES_MAX} bytes", expected=f"at most {DOCUMENT_BYTES_MAX}")
    message = _message()()
    try:
        message.ParseFromString(raw)
    except Exception as e:  # noqa: BLE001 - protobuf's own error differs from build to build
        wrong_shape("file", f"{type(e).__name__}: {e}", "a profile.proto")
    return _reading(message, given)


def _reading(message: Any, given: Given) -> Reading:
    text: list[str] = list(message.string_table)
    if not text or text[0] or not message.sample_type:
        wrong_shape("string_table", f"{len(text)} strings, {len(message.sample_type)} sample types", "strings, the first empty, and types")

    def word(index: int, at: str) -> str:
        if not 0 <= index < len(text):
            wrong_shape(at, str(index), f"the place of one of {len(text)} strings")
        return text[index]

    types = [(word(t.type, f"sample_type[{i}].type"), word(t.unit, f"sample_type[{i}].unit")) for i, t in enumerate(message.sample_type)]
    default = word(message.default_sample_type, "default_sample_type")
    chosen = next((i for i, (name, _) in enumerate(types) if name == default), len(types) - 1)
    p = stacks.Profile("pprof", types[chosen][1], given)
    p.what = types[chosen][0]
    p.seconds = message.duration_nanos / 1e9 if message.duration_nanos > 0 else None
    if 978_307_200 < message.time_nanos // 10**9 < 4_102_444_800:
        at = datetime.fromtimestamp(message.time_nanos // 10**9, UTC)
        p.observed_at = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    functions = {f.id: (word(f.name, f"function {f.id}.name"), word(f.filename, f"function {f.id}.filename")) for f in message.function}
    frames: dict[int, list[stacks.Frame]] = {}
    for place in message.location:
        for line in place.line:
            if line.function_id and line.function_id not in functions:
                wrong_shape(f"location {place.id}.line.function_id", str(line.function_id), "one of its functions")
        found = [functions[line.function_id] for line in place.line if line.function_id]
        frames[place.id] = found or [(f"0x{place.address:x}", "")]
    for i, sample in enumerate(message.sample):
        if len(sample.value) != len(types):
            wrong_shape(f"sample[{i}].value", f"{len(sample.value)} values", f"{len(types)}, one of each type")
        stack: list[stacks.Frame] = []
        for location in sample.location_id:
            if location not in frames:
                wrong_shape(f"sample[{i}].location_id", str(location), "one of its locations")
            stack += frames[location]
        p.add(stack, sample.value[chosen])
    return stacks.reading(NAME, p, given)
