"""`dossier`: finds the command, runs it, turns every failure into the four things a refusal says and the exit code of the contract.

Commands are a table, not a discovery: `COMMANDS` names the module that holds each, imported only when it is asked for.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

import click

from release_dossier.cli import edge
from release_dossier.errors import EXIT_UNAVAILABLE, DossierError, Unavailable, meant

EXIT_STOPPED = 130  # what shells say of a command that Ctrl-C ended
NO_THREAD = "can't start new thread"  # Python's only word for it

# command → (module under release_dossier.cli, attribute, one line for --help), in the order of the process
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("project", "init", "propose dossier.toml from what the repository shows"),
    "doctor": ("project", "doctor", "what is here, reachable, missing, and what to do about it"),
    "key": ("trust", "key", "keys of people and producers: new, list"),
    "trust": ("trust", "trust", "people, roles, keys, revocations: show, propose"),
    "open": ("change", "open_", "open a change from a scoped issue, freeze its criteria"),
    "collect": ("collect", "collect", "run or import the planned evidence and sign it"),
    "assemble": ("decide", "assemble", "close the set: one canonical dossier"),
    "gate": ("decide", "gate", "decide: ALLOW or DENY, and what to do next"),
    "approve": ("people", "approve", "sign a dossier in a role"),
    "reject": ("people", "reject", "say no to a dossier, with a reason"),
    "withdraw": ("people", "withdraw", "take back an approval, a waiver, evidence or a release"),
    "erase": ("people", "erase", "remove an artifact for good, signed, with a reason"),
    "waive": ("people", "waive", "a scoped, reasoned, expiring exception"),
    "release": ("release", "release", "on ALLOW: the signed tag, the record, the log entry, once"),
    "deployed": ("release", "deployed", "record what runs where"),
    "posture": ("release", "posture", "what stands where, what watches it, until when"),
    "run": ("decide", "run", "open to gate in one go for the current branch"),
    "list": ("look", "list_", "changes, dossiers, decisions and releases of this project"),
    "show": ("look", "show", "one document, whole"),
    "compare": ("look", "compare", "two dossiers or releases side by side"),
    "export": ("bundle", "export", "one file another reviewer checks offline"),
    "verify": ("bundle", "verify", "check such a file, or a stored dossier"),
    "payload": ("send", "payload", "what leaves the house for an audience, and what is withheld"),
    "send": ("send", "send", "that, to a destination; what is to be sent and what came of it"),
    "replay": ("decide", "replay", "recompute a stored decision, bit for bit"),
    "rules": ("rules", "rules", "rules as data: lint, test, simulate, explain, show"),
    "evidence": ("evidence", "evidence", "what a file says: kinds, read, record, try"),
    "ledger": ("ledger", "ledger", "money checks: verify, settle, compare, rulesets, generate"),
    "attestation": ("attestation", "attestation", "check what another tool signed, offline"),
    "log": ("log", "log", "the transparency log: checkpoint, audit, prove, publish, witness"),
    "serve": ("serve", "serve", "pages and API over this project, on this machine"),
    "token": ("token", "token", "tokens for machines at the server: new, list, revoke"),
    "demo": ("demo", "demo", "the whole process on real captured data"),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run; `--help` lists them without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(f"release_dossier.cli.{entry[0]}"), entry[1])
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as e:
            raise click.UsageError(f"{e.message} {meant(args[0], COMMANDS, 1).capitalize()}".strip(), ctx) from e

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, _, words) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-C", "directory", metavar="DIR", default=None, help="work as if started in DIR")
@click.version_option(package_name="release-dossier", prog_name="dossier")
@click.pass_context
def dossier(ctx: click.Context, directory: str | None) -> None:
    """Make a release one object that people and machines can inspect, argue with, sign and check again later."""
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError as e:
            raise Unavailable("edge.directory", at=directory, found=e.strerror or "an error", expected="a folder") from e


def _no_empty_value(argv: list[str]) -> None:
    """`--owner "$OWNER"` with OWNER unset is a mistake of a script, never an option that was not given."""
    for before, word in zip(["", *argv], argv, strict=False):
        if word == "" or (word.startswith("--") and word.endswith("=")):
            raise click.UsageError(f"an empty value after {before or 'dossier'}" if word == "" else f"an empty value in {word}")


def run(argv: list[str]) -> int:
    """Run one command; every failure becomes the four things a refusal says. Returns the exit code of the contract."""
    _somewhere_to_write()
    code = _answered(argv)
    try:
        sys.stdout.flush()
    except OSError:  # said already
        _stdout_to_nowhere()
    return code


def _answered(argv: list[str]) -> int:
    try:
        return _run(argv, "--json" in argv)
    except BrokenPipeError:
        _stdout_to_nowhere()
        return EXIT_UNAVAILABLE
    except OSError as e:  # not even a refusal can be written where the answer should go
        _stdout_to_nowhere()
        return edge.show_refusal(edge.os_refusal(e), as_json=False)


def _somewhere_to_write() -> None:
    """No file opened later takes the number of a stream that was closed before we began. Words to stderr are lost, an answer to stdout
    fails as on a full disk: nobody has read it."""
    for name, how in (("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, how), "w"))


def _stdout_to_nowhere() -> None:
    """What is still to be flushed raises no second time, at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: list[str], as_json: bool) -> int:
    try:
        _no_empty_value(argv)
        code = dossier.main(args=argv, prog_name="dossier", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as e:
        return e.exit_code
    except click.ClickException as e:
        return edge.show_usage(e, as_json)
    except click.Abort:
        edge.note("stopped; what was recorded before stands")
        return EXIT_STOPPED
    except DossierError as e:
        return edge.show_refusal(e, as_json)
    except BrokenPipeError:
        raise
    except OSError as e:
        return edge.show_refusal(edge.os_refusal(e), as_json)
    except RuntimeError as e:
        if str(e) != NO_THREAD:
            raise
        return edge.show_refusal(edge.no_room(str(e)), as_json)


def main() -> None:
    """Entry point of the `dossier` command; never returns. Told to end (a CI job cancelled, a terminal closed), it stops as at Ctrl-C, and
    the planned command it was running with it; then that signal ends it."""
    told: list[int] = []

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # told twice, it ends at once
        told.append(number)
        at_ctrl_c = signal.getsignal(signal.SIGINT)  # a server's own, while it serves
        (at_ctrl_c if callable(at_ctrl_c) else signal.default_int_handler)(signal.SIGINT, None)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # under nohup it is ignored, and stays so
            signal.signal(number, stop)
    code = run(sys.argv[1:])
    if told:
        os.kill(os.getpid(), told[0])
    sys.exit(code)
