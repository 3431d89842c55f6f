"""SSH wire format (RFC 4251 §5): the strings and integers public keys and SSH signatures are made of."""

from __future__ import annotations

from release_dossier.errors import Refused


def text(data: bytes) -> bytes:
    """`string`: four bytes of length, then the bytes."""
    return len(data).to_bytes(4, "big") + data


def integer(n: int) -> bytes:
    """`mpint` of a number that is not negative: shortest form, a zero byte in front when the top bit is set."""
    assert n >= 0
    return text(n.to_bytes(n.bit_length() // 8 + 1, "big") if n else b"")


class Reader:
    """Takes `data` apart from the front. Every read is bounded by what is there."""

    def __init__(self, data: bytes, code: str, at: str) -> None:
        self.data, self.pos, self.code, self.at = data, 0, code, at

    def text(self) -> bytes:
        """The next `string`.

        Raises:
            Refused: the caller's code, when fewer bytes are left than the length says.
        """
        length = int.from_bytes(self.take(4), "big")
        return self.take(length)

    def integer(self) -> int:
        """The next `mpint`, in its shortest form and not negative: one number has one spelling."""
        raw = self.text()
        if raw and (raw[0] & 0x80 or (raw[0] == 0 and (len(raw) == 1 or not raw[1] & 0x80))):
            raise Refused(self.code, at=self.at, found=f"the number 0x{raw[:8].hex()}…", expected="a positive number in its shortest form")
        return int.from_bytes(raw, "big")

    def take(self, n: int) -> bytes:
        """The next `n` bytes."""
        if n > len(self.data) - self.pos:
            raise Refused(self.code, at=self.at, found=f"{len(self.data) - self.pos} bytes left", expected=f"{n} bytes more")
        out = self.data[self.pos : self.pos + n]
        self.pos += n
        return out

    def end(self) -> None:
        """Nothing may be left."""
        if self.pos != len(self.data):
            raise Refused(self.code, at=self.at, found=f"{len(self.data) - self.pos} bytes more", expected="the end")
