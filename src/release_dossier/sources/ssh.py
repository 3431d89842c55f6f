"""People's signatures, made by `ssh-keygen` with a key file or the agent, so that the private key never enters this process.

A file named `.pub` asks the agent. A private key under a passphrase also goes to the agent: nothing here asks for one.
Where there is no `ssh-keygen`, a key without passphrase in OpenSSH's own format is used here, and git can be told to do the same
(`gpg.ssh.program`, see `git_signs_here`). Agents and all other keys need `ssh-keygen`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from shlex import join, quote

from release_dossier.errors import Refused, Unavailable
from release_dossier.trust.keys import PRIVATE_BYTES_MAX, is_locked, key_of_public, parse_private, public_of_private
from release_dossier.trust.sshsig import NAMESPACE, armor_signature

SIGN_SECONDS_MAX = 60  # seconds; an agent may ask its user to confirm


def sign_with_ssh(key_file: Path, message: bytes, environ: Mapping[str, str], namespace: str = NAMESPACE) -> str:
    """`message` signed by `key_file`, as SSHSIG armor. `environ` is what ssh-keygen sees; PATH, HOME and SSH_AUTH_SOCK are used.

    Raises:
        Refused: `key.missing`, `key.locked` (passphrase, and no agent that holds the key), `key.unsupported`, `key.refused`.
        Unavailable: `key.no-ssh-keygen`, `key.agent` when there was no answer in time.
    """
    raw = _read(key_file)
    private = _is_private(raw)
    if not private:
        return _through_agent(raw.decode("utf-8", "replace"), key_file, message, environ, namespace)
    if is_openssh(raw) and is_locked(raw, str(key_file)):
        return _through_agent(public_of_private(raw, str(key_file)).line, key_file, message, environ, namespace)
    if is_openssh(raw) and not has_ssh_keygen(environ):
        return armor_signature(parse_private(raw, str(key_file)), message, namespace)
    return _sign(key_file, key_file, message, environ, namespace)


def public_of(key_file: Path, environ: Mapping[str, str]) -> str:
    """The public line of a key file, private or `.pub`, without comment.

    Raises:
        Refused: `key.missing`, `key.public-syntax`, `key.private-syntax`, `key.unsupported`, `key.locked`.
        Unavailable: `key.no-ssh-keygen`, for private keys in formats older than OpenSSH's own.
    """
    raw = _read(key_file)
    if is_openssh(raw):
        return public_of_private(raw, str(key_file)).line
    if not _is_private(raw):
        return key_of_public(raw.decode("utf-8", "replace"), str(key_file)).public
    done = _run(["-y", "-P", "", "-f", str(key_file)], b"", environ)
    if done.returncode:
        raise Refused(
            "key.locked",
            at=str(key_file),
            found=_words(done),
            expected="a key without passphrase",
            help=f"ssh-add {quote(str(key_file))}",
        )
    return key_of_public(done.stdout.decode("utf-8", "replace"), str(key_file)).public


def is_openssh(raw: bytes) -> bool:
    """Whether these are the bytes of a private key in OpenSSH's own format."""
    return raw.lstrip().startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")


def _is_private(raw: bytes) -> bool:
    return b"PRIVATE KEY-----" in raw[:200]


def _read(key_file: Path) -> bytes:
    try:
        with key_file.open("rb") as f:
            return f.read(PRIVATE_BYTES_MAX)
    except FileNotFoundError as e:
        raise Refused("key.missing", at=str(key_file), found="no such file", expected="an SSH key", help="ssh-keygen -t ed25519") from e
    except OSError as e:
        raise Refused("key.unreadable", at=str(key_file), found=e.strerror or "an error", expected="a readable SSH key") from e


def _through_agent(line: str, key_file: Path, message: bytes, environ: Mapping[str, str], namespace: str) -> str:
    public = key_of_public(line, str(key_file)).public
    if not environ.get("SSH_AUTH_SOCK"):
        found = "a key that only an agent can use, and no SSH_AUTH_SOCK"
        raise Refused("key.locked", at=str(key_file), found=found, expected="the agent holding it", help=f"ssh-add {quote(str(key_file))}")
    with tempfile.TemporaryDirectory(prefix="dossier-key-") as folder:
        # A copy elsewhere: beside its private file ssh-keygen would ask for the passphrase instead of the agent.
        copy = Path(folder) / "key.pub"
        copy.write_text(public + "\n", encoding="ascii")
        return _sign(copy, key_file, message, environ, namespace)


def _sign(use: Path, named: Path, message: bytes, environ: Mapping[str, str], namespace: str) -> str:
    done = _run(["-Y", "sign", "-n", namespace, "-f", str(use)], message, environ)
    armored = done.stdout.decode("utf-8", "replace")
    if done.returncode == 0 and armored.startswith("-----BEGIN SSH SIGNATURE-----"):
        return armored
    words = _words(done)
    if use != named or "passphrase" in words:
        raise Refused("key.locked", at=str(named), found=words, expected="the agent holding it", help=f"ssh-add {quote(str(named))}")
    raise Refused("key.refused", at=str(named), found=words, expected="a signature by ssh-keygen", help=f"chmod 600 {quote(str(named))}")


def has_ssh_keygen(environ: Mapping[str, str]) -> bool:
    """Whether `ssh-keygen` is on the PATH."""
    return shutil.which("ssh-keygen", path=environ.get("PATH")) is not None


def git_signs_here(folder: Path) -> str:
    """A program in `folder` for git's `gpg.ssh.program`, for machines without `ssh-keygen`: it signs with this interpreter."""
    program = folder / "ssh-sign"
    program.write_text(f'#!/bin/sh\nexec {quote(sys.executable)} -m {__name__} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    return str(program)


def _as_git_asks(arguments: list[str]) -> int:
    """`-Y sign -n NAMESPACE -f KEY FILE` writes FILE.sig, as git asks `ssh-keygen` to; anything else is not for here."""
    match arguments:
        case ["-Y", "sign", "-n", namespace, "-f", key, file]:
            signature = armor_signature(parse_private(_read(Path(key)), key), Path(file).read_bytes(), namespace)
            Path(file + ".sig").write_text(signature, encoding="ascii")
            return 0
    print(f"only -Y sign -n NAMESPACE -f KEY FILE is known here, not {join(arguments)}", file=sys.stderr)
    return 2


def _run(arguments: list[str], stdin: bytes, environ: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen", path=environ.get("PATH"))
    if program is None:
        help = "apt install openssh-client"
        raise Unavailable("key.no-ssh-keygen", at="PATH", found="no ssh-keygen", expected="OpenSSH 8.2 or newer", help=help)
    seen = {k: environ[k] for k in ("PATH", "HOME", "SSH_AUTH_SOCK", "TMPDIR") if k in environ}
    # Its own session has no terminal, and without an askpass program a passphrase cannot be asked for: it fails at once.
    seen["SSH_ASKPASS_REQUIRE"] = "never"
    try:
        return subprocess.run(
            [program, *arguments], input=stdin, env=seen, capture_output=True, timeout=SIGN_SECONDS_MAX, start_new_session=True, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise Unavailable("key.agent", at="ssh-keygen", found=f"no answer in {SIGN_SECONDS_MAX} s", expected="a signature") from e


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return " ".join(x.strip() for x in lines if not x.startswith(("@", "Signing data"))) or f"exit {done.returncode}"


if __name__ == "__main__":
    sys.exit(_as_git_asks(sys.argv[1:]))
