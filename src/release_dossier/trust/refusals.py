"""Why signatures, notes and the log refuse, and what to do about it. docs/refusals.md is made from this."""

from __future__ import annotations

CODES = {
    "log.proof": (
        "A proof is not in the form of C2SP tlog-proof.",
        "Ask the log's operator for it again, or make it: dossier log prove ID.",
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
}
