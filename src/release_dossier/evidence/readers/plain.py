"""A file as its reader wants it: unpacked, in UTF-8, without a byte order mark, and never more of it than is allowed.

1. gzip, xz and bzip2 are unpacked as they are read, once: a packed file inside a packed file is refused.
2. Text that begins with a mark of UTF-16 or UTF-32 becomes UTF-8, except XML, which declares its encoding itself. XML that declares UTF-8
   behind such a mark got it on its way: PowerShell's `>` writes so.
3. What comes out is bounded, whatever goes in: a bomb costs a refusal.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.limits import EVIDENCE_BYTES_MAX

_XZ_MEMORY_BYTES = 128 * 1024 * 1024  # what xz may ask for; its strongest preset needs 65 MiB
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARES_UTF8 = re.compile(r"<\?xml\s[^>]*\bencoding=[\"']utf-8[\"']", re.IGNORECASE)
_BLOCK_BYTES = 256 * 1024


def plain(stream: IO[bytes], bytes_max: int = EVIDENCE_BYTES_MAX) -> IO[bytes]:
    """`stream`, from its beginning, as the module says. Seeking to 0 begins again.

    Raises:
        Refused: now or while reading `evidence.packed`, `evidence.encoding`, `evidence.too-large`.
    """
    stream.seek(0)
    unpacked = _unpacked(stream)
    if unpacked is not stream:
        unpacked = io.BufferedReader(_Bounded(unpacked, bytes_max), _BLOCK_BYTES)
        if _unpacked(unpacked) is not unpacked:
            raise Refused("evidence.packed", at="file", found="a packed file inside a packed file", expected="one that is packed once")
    start = unpacked.read(4096)
    unpacked.seek(0)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    text = start.decode(encoding, "ignore").lstrip("\ufeff \t\r\n") if encoding else ""
    if encoding and (not text.startswith("<") or _DECLARES_UTF8.match(text)):
        return io.BufferedReader(_Decoded(unpacked, encoding), _BLOCK_BYTES)
    if start.startswith(codecs.BOM_UTF8):
        return io.BufferedReader(_Decoded(unpacked, ""), _BLOCK_BYTES)
    return unpacked


def _unpacked(stream: IO[bytes]) -> IO[bytes]:
    magic = stream.read(6)
    stream.seek(0)
    inner: Any = stream
    if magic.startswith(b"\x1f\x8b\x08"):
        inner = gzip.GzipFile(fileobj=stream)
    elif magic == b"\xfd7zXZ\x00":
        inner = _Xz(stream)
    elif magic.startswith(b"BZh") and magic[3:4].isdigit():
        inner = bz2.BZ2File(stream)
    return inner  # type: ignore[no-any-return]


class _Reading(io.RawIOBase):
    """A source whose only movement is back to its beginning."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, to: int, whence: int = 0) -> int:
        if (to, whence) != (0, 0):
            raise io.UnsupportedOperation("only back to the beginning")
        self.again()
        return 0

    def readinto(self, into: Any) -> int:
        data = self.block(len(into))
        into[: len(data)] = data
        return len(data)

    def again(self) -> None:
        raise NotImplementedError

    def block(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        raise NotImplementedError


class _Xz(_Reading):
    def __init__(self, inner: IO[bytes]) -> None:
        self.inner = inner
        self.again()

    def again(self) -> None:
        self.inner.seek(0)
        self.engine: lzma.LZMADecompressor | None = None

    def block(self, size: int) -> bytes:
        while True:
            if self.engine is None or self.engine.eof:
                rest = (self.engine.unused_data if self.engine else b"") or self.inner.read(_BLOCK_BYTES)
                if not rest.strip(b"\0"):
                    return b""
                self.engine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)
            elif self.engine.needs_input:
                rest = self.inner.read(_BLOCK_BYTES)
                if not rest:
                    raise EOFError("the compressed data ends too early")
            else:
                rest = b""
            if data := self.engine.decompress(rest, size):
                return data


class _Bounded(_Reading):
    def __init__(self, inner: Any, bytes_max: int) -> None:
        self.inner, self.bytes_max, self.seen = inner, bytes_max, 0

    def again(self) -> None:
        self.inner.seek(0)
        self.seen = 0

    def block(self, size: int) -> bytes:
        try:
            data: bytes = self.inner.read(size)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as e:
            raise Refused("evidence.packed", at=f"byte {self.seen} of what it unpacks to", found=str(e), expected="a whole one") from e
        self.seen += len(data)
        if self.seen > self.bytes_max:
            raise Refused(
                "evidence.too-large", at="file", found="more than that, unpacked", expected=f"at most {self.bytes_max} bytes unpacked"
            )
        return data


class _Decoded(_Reading):
    """Text as UTF-8 without its mark. An empty encoding: it is UTF-8, and only the mark goes."""

    def __init__(self, inner: IO[bytes], encoding: str) -> None:
        self.inner, self.encoding = inner, encoding
        self.again()

    def again(self) -> None:
        self.inner.seek(0)
        self.left = b""
        self.decoder = codecs.getincrementaldecoder(self.encoding)() if self.encoding else None
        if not self.encoding:
            self.inner.read(len(codecs.BOM_UTF8))

    def block(self, size: int) -> bytes:
        while self.decoder and not self.left:
            raw = self.inner.read(_BLOCK_BYTES)
            try:
                self.left = self.decoder.decode(raw, final=not raw).encode()
            except UnicodeError as e:
                raise Refused("evidence.encoding", at="file", found=str(e), expected=f"{self.encoding}, as its mark says") from e
            if not raw:
                break
        if not self.decoder:
            return self.inner.read(size)
        data, self.left = self.left[:size], self.left[size:]
        return data
