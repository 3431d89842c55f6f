"""The edge: the only place that reads the clock, writes to the terminal and knows whether anyone is watching.

Everything below it is handed `now` and returns values; everything here turns values into one JSON object or words for people.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from release_dossier.digest import canonical
from release_dossier.errors import EXIT_USAGE, DossierError, Refused, Unavailable

if TYPE_CHECKING:
    from release_dossier.steps.world import World

# state → (sign, colour); a colour never stands without its sign and word
SIGNS: dict[str, tuple[str, str]] = {
    "pass": ("✓", "green"),
    "fail": ("✗", "red"),
    "error": ("‼", "red"),
    "missing": ("○", "magenta"),
    "stale": ("◔", "yellow"),
    "inconclusive": ("?", "yellow"),
    "waived": ("~", "cyan"),
    "warn": ("!", "yellow"),
}


class Group(click.Group):
    """A group of commands; its help shows the first sentence of each whole."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(1_000)) for name, command in sorted(self.commands.items())])


json_option = click.option("--json", "as_json", is_flag=True, help="exactly one JSON object on stdout")


def now() -> datetime:
    """The time in UTC. Only the demo sets another clock, in its own process: its captures are of one day, and it says so."""
    return clock()


def _wall_clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251


clock: Callable[[], datetime] = _wall_clock


def threads() -> int:
    """How many threads this process may use at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_world() -> World:
    """The project of the current directory, with this process's environment and the time of this command."""
    from release_dossier.steps.world import open_world
    from release_dossier.store import crash

    crash.arm(os.environ.get("DOSSIER_KILL_AT", ""))
    world = open_world(Path.cwd(), dict(os.environ), now())
    for words in world.store.recovered:
        note(f"recovered: {words}")
    return world


def moment(text: str | None, option: str) -> datetime | None:
    """A moment given on the command line."""
    from release_dossier.steps.world import instant

    return None if text is None else instant(text, option)


def _nobody(_: dict[str, Any]) -> None:
    return


heard: Callable[[dict[str, Any]], None] = _nobody  # the demo listens to the values of the commands it shows


def emit(value: dict[str, Any], as_json: bool, text: Callable[[], str]) -> None:
    """Print `value` as canonical JSON, or what `text()` says for people."""
    heard(value)
    if as_json:
        sys.stdout.buffer.write(canonical(value) + b"\n")
        sys.stdout.buffer.flush()
    else:
        click.echo(text())


def colour(words: str, name: str, *, bold: bool = False) -> str:
    """`words` in a colour, on a terminal that has not asked for none."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return words
    return click.style(words, fg=name, bold=bold)


def state(word: str) -> str:
    """A state as sign and word, coloured on a terminal."""
    sign, paint = SIGNS[word]
    return colour(f"{sign} {word}", paint)


def note(words: str) -> None:
    """Prose for people while a command works; goes to stderr so that stdout stays one object."""
    click.echo(words, err=True)


def show_refusal(e: DossierError, as_json: bool) -> int:
    """Print a refusal in the shape of the contract, at most four lines as text; returns its exit code."""
    if as_json:
        sys.stdout.buffer.write(canonical(e.as_json()) + b"\n")
        sys.stdout.buffer.flush()
    else:
        lines = [f"dossier: {e.code} at {e.at}", f"  found     {e.found}", f"  expected  {e.expected}"]
        if e.help:
            lines.append(f"  next      {e.help}")
        click.echo("\n".join(lines), err=True)
    return e.exit_code


def show_usage(e: click.ClickException, as_json: bool) -> int:
    """Print what was wrong with the words of the call; returns 2."""
    if as_json:
        error = Refused("usage", at="command line", found=e.format_message(), expected="a command as `dossier --help` shows")
        show_refusal(error, True)
    else:
        e.show(file=sys.stderr)
    return EXIT_USAGE


def _somewhere() -> bool:
    """Whether the current directory is still there."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def no_room(found: str) -> Unavailable:
    """The system starts no further thread or process for this user."""
    help = "ulimit -u, or pids.max of the container"
    return Unavailable("edge.no-process", at="this machine", found=found, expected="room for another thread or process", help=help)


def os_refusal(e: OSError) -> Unavailable:
    """An operating-system failure nobody closer could explain, as a typed one."""
    if isinstance(e, BlockingIOError) and not hasattr(e, "characters_written"):  # else the terminal takes no more
        return no_room(e.strerror or type(e).__name__)
    where = str(e.filename) if e.filename else "the file system" if _somewhere() else "the current directory"
    if e.filename and isinstance(e, (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)):
        expected = "a file or folder that is there, and that this user may use"
        return Unavailable("edge.file-system", at=where, found=e.strerror or type(e).__name__, expected=expected, help="check the path")
    return Unavailable(
        "edge.file-system", at=where, found=e.strerror or type(e).__name__, expected="a working file system", help="dossier doctor"
    )
