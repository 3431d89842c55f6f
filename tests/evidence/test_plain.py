"""Packed, marked and hostile files: what a reader gets is plain UTF-8, bounded, or a refusal."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from pathlib import Path

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.readers import read
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.readers.sniff import outline, root
from release_dossier.sources import files

TEXT = ('{"a": "' + "é𝄞x" * 1000 + '"}\n').encode()


def whole(raw: bytes, most: int = 10**6) -> bytes:
    return plain(io.BytesIO(raw), most).read()


def refused(raw: bytes, most: int = 10**6) -> str:
    with pytest.raises(Refused) as e:
        whole(raw, most)
    return e.value.code


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_unpacked_and_again_from_the_beginning(pack: type[bytes]) -> None:
    """Every packing gives the same bytes, twice, and streams put one after the other too."""
    assert whole(pack(TEXT)) == TEXT
    stream = plain(io.BytesIO(pack(TEXT) + (pack(b"more") if pack is not bytes else b"")))
    begun = stream.read(10)
    stream.seek(0)
    again = stream.read()
    assert (begun, again.removesuffix(b"more")) == (TEXT[:10], TEXT)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_cut_damaged_twice_or_too_large(pack: type[bytes]) -> None:
    """A packed file that ends too early or was changed is refused, a bomb costs no more than the bound, and one packing is enough."""
    raw = pack(TEXT)
    assert {refused(raw[:n]) for n in range(20, len(raw) - 1, 7)} == {"evidence.packed"}
    middle = len(raw) // 2
    assert refused(raw[:middle] + bytes([raw[middle] ^ 0x55]) + raw[middle + 1 :]) == "evidence.packed"
    assert refused(pack(raw)) == "evidence.packed"
    assert refused(pack(b"0" * 10**7)) == "evidence.too-large"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_marks_of_an_encoding(encoding: str) -> None:
    """A byte order mark says the encoding, and is no part of the text."""
    assert whole(TEXT.decode().encode(encoding)) == TEXT
    assert whole(gzip.compress(TEXT.decode().encode(encoding))) == TEXT
    event = json.dumps({"Action": "start", "Package": "p"}) + "\n" + json.dumps({"Action": "fail", "Package": "p"}) + "\n"
    assert read(io.BytesIO(event.encode(encoding))).verdict == "fail"


def test_half_a_character() -> None:
    """UTF-16 that ends within a character is not in the encoding its mark says; XML is left to its own declaration."""
    assert refused("ab".encode("utf-16") + b"c") == "evidence.encoding"
    xml = '<?xml version="1.0" encoding="utf-16"?><testsuite><testcase name="é"/></testsuite>'.encode("utf-16")
    assert whole(xml) == xml
    assert read(io.BytesIO(xml)).verdict == "pass"


def test_outline() -> None:
    """Paths of the first value, of a list its first element, cut or not, and nothing of what comes after."""
    raw = b'{"v": "2.1", "runs": [{"tool": {"name": "x", "deep": {"a": {"b": 1}}}}, {"other": 1}], "n": 3, "s": "a:{\\"b"}{"more": 1}'
    found = outline(raw)
    assert found == {
        "": "{",
        "v": "2.1",
        "runs": "[",
        "runs[]": "{",
        "runs[].tool": "{",
        "runs[].tool.name": "x",
        "runs[].tool.deep": "{",
        "n": "3",
        "s": 'a:{\\"b',
    }
    assert outline(raw[:60]).items() <= found.items()
    assert outline(b'[{"a": 1}, {"b": 2}]') == {"": "[", "[]": "{", "[].a": "1"}
    assert outline(b"plain") == {}
    assert outline(b'{"a":"' + b'\\"' * 32_000) is not None  # a text without an end: linear


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'<?xml version="1.0"?><!-- a --><x:bom xmlns:x="urn:b" v="1"/>', "bom"),
        (b'<!DOCTYPE t [<!ENTITY a "b">]>\n<t/>', "t"),
        (b'<!DOCTYPE coverage SYSTEM "a.dtd">\n<coverage>', "coverage"),
        (b"<report", "report"),
        (b"nothing", ""),
        (b"<!-- never ends", ""),
    ],
)
def test_root(raw: bytes, name: str) -> None:
    """The root behind what may stand before it."""
    assert root(raw)[0] == name


def test_a_file_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading ends when its time is over, with the bound in the refusal."""
    file = tmp_path / "f"
    file.write_bytes(b"x" * 10)
    monkeypatch.setattr(files, "EVIDENCE_SECONDS_MAX", -1)
    with pytest.raises(Refused) as e, files.open_evidence(file) as stream:
        stream.read()
    assert e.value.code == "evidence.too-slow"
