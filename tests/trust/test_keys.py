"""Keys and SSH signatures, held against ssh-keygen and an outside library."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from release_dossier.errors import DossierError, Refused, Unavailable
from release_dossier.sources.ssh import public_of, sign_with_ssh
from release_dossier.trust import wire
from release_dossier.trust.keys import ED25519, P256, generate, key_of_public, load_signer, parse_private, parse_public
from release_dossier.trust.sshsig import armor_signature, verify_armored

KINDS = {
    "ed25519": ["-t", "ed25519"],
    "p256": ["-t", "ecdsa", "-b", "256"],
    "p384": ["-t", "ecdsa", "-b", "384"],
    "rsa": ["-t", "rsa", "-b", "2048"],
}


@pytest.fixture(scope="session", params=KINDS)
def key_file(request: pytest.FixtureRequest, ssh_keygen: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / request.param
    subprocess.run([ssh_keygen, "-q", *KINDS[request.param], "-N", "", "-C", "a comment", "-f", str(file)], check=True)
    return file


def allowed(tmp_path: Path, line: str) -> Path:
    file = tmp_path / "allowed"
    file.write_text(f'ann namespaces="release-dossier" {line}\n')
    return file


def test_ids_are_those_ssh_keygen_prints(key_file: Path, ssh_keygen: str) -> None:
    """Key id, public line and both ways to get them agree with OpenSSH."""
    printed = subprocess.run([ssh_keygen, "-l", "-f", str(key_file)], check=True, capture_output=True, text=True).stdout.split()[1]
    line = " ".join(Path(f"{key_file}.pub").read_text().split()[:2])
    signer = load_signer(key_file)
    assert (signer.key_id, signer.public) == (printed, line)
    assert key_of_public(Path(f"{key_file}.pub").read_text()) == key_of_public(line)
    assert public_of(key_file, {}) == public_of(Path(f"{key_file}.pub"), {}) == line
    assert signer.key_id in repr(signer)
    assert "lambda" not in repr(signer)


def test_ssh_keygen_signs_and_we_verify(key_file: Path, environ: dict[str, str]) -> None:
    """What people's own tool signs, counts: for that message, that namespace and that key, and nothing else."""
    armored = sign_with_ssh(key_file, b"message", environ)
    line = public_of(key_file, environ)
    known = {key_of_public(line).id: line}
    assert verify_armored(armored, b"message", "release-dossier", known) == key_of_public(line).id
    assert verify_armored(armored, b"Message", "release-dossier", known) is None
    assert verify_armored(armored, b"message", "git", known) is None
    assert verify_armored(armored, b"message", "release-dossier", {}) is None


def test_we_sign_and_ssh_keygen_verifies(key_file: Path, ssh_keygen: str, tmp_path: Path) -> None:
    """Our armor is OpenSSH's own; it refuses the same message for another namespace."""
    signer = load_signer(key_file)
    for namespace, good in (("release-dossier", True), ("git", False)):
        (tmp_path / "s.sig").write_text(armor_signature(signer, b"message", namespace))
        verify = [
            ssh_keygen,
            "-Y",
            "verify",
            "-f",
            str(allowed(tmp_path, signer.public)),
            "-I",
            "ann",
            "-n",
            "release-dossier",
            "-s",
            str(tmp_path / "s.sig"),
        ]
        assert (subprocess.run(verify, input=b"message", capture_output=True, check=False).returncode == 0) is good


def test_an_outside_library_agrees(town: Any) -> None:
    """The sshsig package verifies ours."""
    import sshsig

    signer = town.signers["ann"]
    armored = armor_signature(signer, b"message")
    assert sshsig.verify(b"message", armored, [sshsig.PublicKey.from_openssh_str(signer.public)], "release-dossier")


def test_both_hashes_and_both_rsa_algorithms(ssh_keygen: str, tmp_path: Path, environ: dict[str, str]) -> None:
    """SHA-256 inside the signature is as good as SHA-512."""
    file = tmp_path / "k"
    subprocess.run([ssh_keygen, "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(file)], check=True)
    line = public_of(file, environ)
    known = {key_of_public(line).id: line}
    for name in ("sha256", "sha512"):
        command = [ssh_keygen, "-Y", "sign", "-O", f"hashalg={name}", "-n", "release-dossier", "-f", str(file)]
        armored = subprocess.run(command, input=b"m", capture_output=True, check=True).stdout.decode()
        assert verify_armored(armored, b"m", "release-dossier", known) == key_of_public(line).id


def test_a_listed_id_does_not_lend_itself_to_another_key(town: Any) -> None:
    """The id in the table must be the id of the line beside it."""
    armored = armor_signature(town.signers["stranger"], b"m")
    known = {town.key("stranger").id: town.key("bob").public}
    assert verify_armored(armored, b"m", "release-dossier", known) is None


def test_passphrase_without_agent_is_refused_and_names_it(ssh_keygen: str, tmp_path: Path, environ: dict[str, str]) -> None:
    """A locked key says that the agent is the way; its public half is still read."""
    file = tmp_path / "locked"
    subprocess.run([ssh_keygen, "-q", "-t", "ed25519", "-N", "secret", "-f", str(file)], check=True)
    for call in (lambda: sign_with_ssh(file, b"m", environ), lambda: load_signer(file)):
        with pytest.raises(Refused) as e:
            call()
        assert (e.value.code, e.value.help.split()[0]) == ("key.locked", "ssh-add")
    assert public_of(file, environ) == " ".join(Path(f"{file}.pub").read_text().split()[:2])
    with pytest.raises(Refused) as e:
        sign_with_ssh(file, b"m", environ | {"SSH_AUTH_SOCK": str(tmp_path / "nobody")})
    assert e.value.code == "key.locked"


def test_the_agent_signs_for_a_public_file_and_for_a_locked_one(ssh_keygen: str, tmp_path: Path, environ: dict[str, str]) -> None:
    """With the key in an agent both files sign, and no passphrase is asked for."""
    file = tmp_path / "k"
    subprocess.run([ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        with_agent = environ | {"SSH_AUTH_SOCK": str(socket)}
        until = time.monotonic() + 60
        while (added := subprocess.run(["ssh-add", "-q", str(file)], env=with_agent, capture_output=True, check=False)).returncode:
            assert time.monotonic() < until, added
            time.sleep(0.05)
        subprocess.run([ssh_keygen, "-q", "-p", "-N", "secret", "-P", "", "-f", str(file)], check=True, capture_output=True)
        line = public_of(file, environ)
        for use in (file, Path(f"{file}.pub")):
            armored = sign_with_ssh(use, b"m", with_agent)
            assert verify_armored(armored, b"m", "release-dossier", {key_of_public(line).id: line})
    finally:
        agent.terminate()
        agent.wait()


def test_missing_key_and_missing_program(tmp_path: Path, ssh_keygen: str) -> None:
    """Each has its own refusal."""
    with pytest.raises(Refused) as e:
        sign_with_ssh(tmp_path / "none", b"m", {})
    assert e.value.code == "key.missing"
    with pytest.raises(Refused) as e:
        load_signer(tmp_path / "none")
    assert e.value.code == "key.missing"
    (tmp_path / "k.pub").write_text(generate()[1])
    with pytest.raises(Unavailable) as u:
        sign_with_ssh(tmp_path / "k.pub", b"m", {"PATH": str(tmp_path), "SSH_AUTH_SOCK": str(tmp_path / "agent")})
    assert u.value.code == "key.no-ssh-keygen"


@pytest.mark.parametrize("kind", [ED25519, P256])
def test_a_plain_key_signs_where_there_is_no_ssh_keygen(kind: str, ssh_keygen: str, tmp_path: Path) -> None:
    """Git, Python and make are enough: a key without passphrase signs here, and ssh-keygen elsewhere accepts it."""
    private, public = generate(kind)
    (tmp_path / "k").touch(0o600)
    (tmp_path / "k").write_bytes(private)
    armored = sign_with_ssh(tmp_path / "k", b"m", {"PATH": str(tmp_path)})
    (tmp_path / "m.sig").write_text(armored)
    (tmp_path / "signers").write_text(f"ann {public}\n")
    command = [ssh_keygen, "-Y", "verify", "-f", "signers", "-I", "ann", "-n", "release-dossier", "-s", "m.sig"]
    assert subprocess.run(command, cwd=tmp_path, input=b"m", capture_output=True, check=False).returncode == 0
    assert subprocess.run(command, cwd=tmp_path, input=b"n", capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("kind", [ED25519, P256])
def test_a_generated_key_is_openssh_s(kind: str, ssh_keygen: str, tmp_path: Path) -> None:
    """ssh-keygen reads what `generate` writes and finds the same public half."""
    private, public = generate(kind)
    (tmp_path / "k").touch(0o600)
    (tmp_path / "k").write_bytes(private)
    read = subprocess.run([ssh_keygen, "-y", "-f", str(tmp_path / "k")], check=True, capture_output=True, text=True).stdout
    assert read.split()[:2] == public.split()
    assert parse_private(private, "x").public == public


def hardware_line() -> str:
    import base64

    blob = wire.text(b"sk-ssh-ed25519@openssh.com") + wire.text(bytes(32)) + wire.text(b"ssh:")
    return "sk-ssh-ed25519@openssh.com " + base64.b64encode(blob).decode()


def rsa_line(bits: int, exponent: int = 65537) -> str:
    import base64

    blob = wire.text(b"ssh-rsa") + wire.integer(exponent) + wire.integer((1 << bits - 1) + 1)
    return "ssh-rsa " + base64.b64encode(blob).decode()


GOOD_LINE = generate()[1]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", "key.public-syntax"),
        ("ssh-ed25519", "key.public-syntax"),
        ("ssh-ed25519 ????", "key.public-syntax"),
        ("ssh-ed25519 AAAA", "key.public-syntax"),
        (GOOD_LINE.replace("ssh-ed25519 ", "ecdsa-sha2-nistp256 "), "key.public-syntax"),
        (GOOD_LINE + "AAAA", "key.public-syntax"),
        ("ssh-dss AAAA", "key.unsupported"),
        (hardware_line(), "key.unsupported"),
        (rsa_line(1024), "key.unsupported"),
        (rsa_line(2048, 3), "key.unsupported"),
        (rsa_line(2048, 1 << 300 | 1), "key.unsupported"),
        (rsa_line(2048, 65538), "key.unsupported"),
        ("x" * 9000 + " y", "key.public-syntax"),
    ],
    ids=range(13),
)
def test_other_public_keys_are_refused(line: str, code: str) -> None:
    """Hardware keys, short RSA, keys under another type's name and noise."""
    with pytest.raises(Refused) as e:
        parse_public(line, "x")
    assert e.value.code == code


def test_a_compressed_point_is_another_spelling_and_refused() -> None:
    """One key has one name."""
    import base64

    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    blob = wire.text(b"ecdsa-sha2-nistp256") + wire.text(b"nistp256") + wire.text(point)
    with pytest.raises(Refused):
        parse_public("ecdsa-sha2-nistp256 " + base64.b64encode(blob).decode(), "x")


def test_every_truncation_of_a_key_and_of_a_signature_is_refused(town: Any) -> None:
    """No prefix of either means anything, and none ends in an untyped error."""
    private = generate()[0]
    armored = armor_signature(town.signers["ann"], b"m")
    known = {town.key("ann").id: town.key("ann").public}
    for i in range(len(private) - 40):
        with pytest.raises(DossierError):
            parse_private(private[:i] + b"\n-----END OPENSSH PRIVATE KEY-----\n", "x")
    for i in range(len(armored) - 30):
        with pytest.raises(Refused):
            verify_armored(armored[:i] + "\n-----END SSH SIGNATURE-----", b"m", "release-dossier", known)


def test_what_an_ssh_signature_reserves_is_empty(town: Any) -> None:
    """The reserved field is not among what is signed as it stands: were anything let stand there, one signature had many spellings."""
    signer = town.signers["ann"]
    known, armored = {signer.key_id: signer.public}, armor_signature(signer, b"m")
    raw = base64.b64decode("".join(armored.splitlines()[1:-1]))
    before = raw[: raw.index(wire.text(b"release-dossier")) + len(wire.text(b"release-dossier"))]
    for reserved, fine in ((b"", True), (b"x", False)):
        text = base64.b64encode(before + wire.text(reserved) + raw[len(before) + 4 :]).decode()
        spelled = "\n".join(["-----BEGIN SSH SIGNATURE-----", text, "-----END SSH SIGNATURE-----"])
        if fine:
            assert verify_armored(spelled, b"m", "release-dossier", known) == signer.key_id
        else:
            with pytest.raises(Refused, match=r"sshsig\.syntax"):
                verify_armored(spelled, b"m", "release-dossier", known)


def test_a_private_key_under_another_s_public_half_is_refused() -> None:
    """A file that shows one key and holds another would sign in a name it cannot answer for."""
    mine, other = generate()[0], parse_public(generate()[1], "other").blob
    lines = mine.decode().split()
    body = base64.b64decode("".join(mine.decode().splitlines()[1:-1]))
    public = parse_public(parse_private(mine, "mine").public, "mine").blob
    assert body.count(public) == 2  # shown in front, and beside the secret
    swapped = base64.b64encode(body.replace(public, other, 1)).decode()
    begin, end = (" ".join(x) for x in (lines[:4], lines[-4:]))
    with pytest.raises(Refused, match=r"key\.private-syntax.*a public half of another key"):
        parse_private(f"{begin}\n{swapped}\n{end}\n".encode(), "swapped")


def test_looking_is_cheap() -> None:
    """Importing what reads envelopes and the log loads no cryptography, and no outside checker is ever needed."""
    code = (
        "import sys, release_dossier.trust.document, release_dossier.trust.log, release_dossier.trust.sshsig\n"
        "bad = [m for m in sys.modules if m.startswith(('cryptography', 'securesystemslib', 'sshsig'))]\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
