"""The four families of failure, split by what the caller can do about them.

`Refused`      the input is not acceptable: show it to its author.
`Unavailable`  something outside did not answer: try again later.
`Corrupt`      what we hold does not fit together: stop and call a person.
`Misuse`       the call itself was wrong.

Each says the same four things (`code`, `at`, `found`, `expected`) and, where there is one, the next thing to do (`help`).
Codes are stable and are listed with cause and remedy in docs/refusals.md, which is made from `CODES`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_DENIED = 10
EXIT_REFUSED = 20
EXIT_UNAVAILABLE = 30
EXIT_CORRUPT = 40
WORDS_CHARS_MAX = 4000  # characters of a refusal's place, expectation and help, which may hold names from outside
NEAR_NAMES_MAX = 50_000  # names that one is looked for among: a second of looking


class DossierError(Exception):
    """What every failure of this program carries.

    Args:
        code: stable dotted name, `stage.what`, a key of a `*_CODES` table.
        at: the place: a file, a field path, a row, a ref.
        found: what was there, shortened to 200 characters. All four words are stripped of control characters and lone surrogates.
        expected: what would have been accepted.
        help: the next thing to do, empty when there is nothing better than fixing `at`.
    """

    exit_code = EXIT_CORRUPT

    def __init__(self, code: str, *, at: str, found: str, expected: str, help: str = "") -> None:
        self.code, self.found = code, shown(found)
        self.at, self.expected, self.help = (shown(x, WORDS_CHARS_MAX) for x in (at, expected, help))
        super().__init__(f"{code}: at {self.at}: found {self.found}, expected {self.expected}")

    def as_json(self) -> dict[str, dict[str, str]]:
        """The object the contract fixes for a refusal."""
        return {"error": {"code": self.code, "at": self.at, "found": self.found, "expected": self.expected, "help": self.help}}


class Refused(DossierError):
    """The input is not acceptable. Nothing was changed."""

    exit_code = EXIT_REFUSED


class Unavailable(DossierError):
    """A service, a file system or a lock did not answer. The same call may succeed later."""

    exit_code = EXIT_UNAVAILABLE


class Corrupt(DossierError):
    """Bytes, signatures or the log do not fit together. Nothing further is trusted."""

    exit_code = EXIT_CORRUPT


class Misuse(DossierError):
    """The command was called with words that do not make sense together."""

    exit_code = EXIT_USAGE


@contextmanager
def naming(place: object) -> Iterator[None]:
    """What the operating system refuses without saying where is said to be at `place`."""
    try:
        yield
    except OSError as e:
        if e.filename is not None:
            raise
        raise OSError(e.errno, e.strerror, str(place)) from e


_BREAK = re.compile(r"[ \t]*[\t\r\n]+[ \t]*")  # where a line ends and the next begins: one space
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")  # colours and cursor movements of a terminal


def counted(n: int, thing: str) -> str:
    """`1 file`, `2 files`: how many of a thing whose plural is an s."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def meant(word: str, known: Iterable[str], most: int = 3) -> str:
    """What of `known` comes nearest to a word that is not there, at most so many, as a question; empty where nothing does."""
    import difflib

    by_small = {k.casefold(): k for k in islice(known, NEAR_NAMES_MAX)}
    near = difflib.get_close_matches(word.casefold(), by_small, most)
    return f"did you mean {' or '.join(by_small[n] for n in near)}?" if near else ""


def shown(text: str, most: int = 200) -> str:
    """`text` fit for a terminal or a page, on one line: colours gone, control characters replaced, at most `most` characters and how many
    more."""
    text = _BREAK.sub(" ", _TERMINAL.sub("", text))
    clean = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return clean if len(clean) <= most else f"{clean[:most]}… ({len(clean) - most} more characters)"
