"""Why signatures, notes and the log refuse, and what to do about it. docs/refusals.md is made from this."""

from __future__ import annotations

CODES = {
    "attestation.keys": (
        "More signatures are asked for than keys were given.",
        "Give each key with --key, and a threshold no larger than their number.",
    ),
    "attestation.subject": (
        "An attestation is about something else than the artifact.",
        "Compare sha256sum of the artifact with the subjects it names.",
    ),
    "attestation.threshold": (
        "Too few of the keys that were given signed the envelope.",
        "Do not rely on it; check that these are the keys its maker publishes.",
    ),
    "attestation.unreadable": ("A file cannot be read.", "Check its path."),
    "attestation.whom": (
        "It was not said whom to believe, or not what the bundle is about.",
        "--artifact FILE, and --key FILE or --identity WHO --issuer URL.",
    ),
    "log.no-seen": (
        "Another log is followed where no project is, and nothing says where the checkpoint seen last is kept.",
        "--seen FILE, the same at each call.",
    ),
    "log.no-key": ("A log to follow was named without the key it signs with.", "--key NAME+HASH+KEY, which its operator publishes."),
    "log.place": ("--log names neither a folder nor an address.", "Give the folder a log publishes to, or http(s)://ADDRESS."),
    "log.proof": (
        "A proof is not in the form of C2SP tlog-proof.",
        "Ask the log's operator for it again, or make it: dossier log prove ID.",
    ),
    "log.prove-what": ("It was not said, or said twice, what to prove.", "dossier log prove ID, or dossier log prove --since SIZE."),
    "log.size": ("A proof was asked from a size the log never had.", "Use a size of an earlier checkpoint, from 1 to the log's own."),
    "log.unreachable": ("A file of a log, or a witness, cannot be read.", "Check the address and the network, and try again."),
    "log.unwritable": (
        "The folder a log goes to, or the file or git ref its head is kept in, cannot be written.",
        "Choose a folder this user may write. Where a killed git left a .lock file, remove it and run the command again: nothing is lost.",
    ),
    "note.vkey": (
        "A verifier key of a log or a witness is not NAME+HASH+BASE64, or its hash is another key's.",
        "Copy it whole from whoever runs the log or witness.",
    ),
    "sigstore.bundle": (
        "A file is no Sigstore bundle of a version that is read, or has other parts than one has.",
        "Get it again from whoever made it.",
    ),
    "sigstore.not-installed": ("Sigstore bundles with certificates need the extra keyless.", "pip install 'release-dossier[keyless]'"),
    "sigstore.root": ("The trusted root cannot be read.", "Give the trusted_root.json of the Sigstore instance the bundle was made with."),
    "sigstore.verification": (
        "A Sigstore bundle does not hold: signature, certificate, time, log entry or subject.",
        "Do not rely on it; the message says which part failed.",
    ),
    "tile.entries": (
        "A bundle of entries of a log does not take apart into as many entries as it should hold.",
        "Fetch it again; if it stays so, the log is broken.",
    ),
    "tile.entry-too-large": ("An entry is too large for a tile.", "Keep names short; a log entry has room for 65,535 bytes."),
    "tile.hashes": (
        "A tile of a log does not hold as many hashes as its place says.",
        "Fetch it again; if it stays so, the log is broken.",
    ),
    "tile.leaf": ("An entry a log serves is not the one its tree holds.", "Do not rely on the log; tell its operator and its witnesses."),
    "tile.path": ("A path names no tile.", "Paths are those of C2SP tlog-tiles: tile/0/000, tile/entries/000.p/12."),
    "witness.address": ("The witness cannot answer at this address: it is taken, or not this machine's.", "Give another --port or --host."),
    "witness.cosignature": (
        "A witness answered with a signature that does not verify.",
        "Check its key; if it is right, do not rely on this witness.",
    ),
    "witness.locked": (
        "Another process writes down what this witness saw, and does not end: it was stopped, or the disk hangs.",
        "Let it go on or end it; whoever asked asks again.",
    ),
    "witness.refuses": ("A witness does not cosign the checkpoint.", "It must know this log's key: dossier log checkpoint prints it."),
    "witness.request": ("A request to the witness is not in the form of C2SP tlog-witness.", "Send it as dossier log publish does."),
    "witness.syntax": (
        "A witness is named without its address or its key, or with a key that is no witness's, such as the log's own.",
        'witnesses = ["https://ADDRESS NAME+HASH+KEY"], as whoever runs the witness tells it: dossier log witness prints it.',
    ),
    "witness.unwritable": ("The witness cannot keep what it saw, so it cosigns nothing.", "Give it a folder it may write."),
}
