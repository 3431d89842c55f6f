"""Who built what is released, from which commit, as somebody the project trusts has signed."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="provenance",
    unit="statements",
    age_max=30 * DAY,
    about_data=False,
    proves="a signer this project trusts says that this was built from this commit, by this builder",
    does_not_prove="that the builder was honest, or that what it built is good",
    facts=(
        ("statements", "statements", "in the file"),
        ("statements_verified", "statements", "of them signed by a key or an identity that was given"),
        ("statements_bound", "statements", "of them naming the commit that was asked for"),
        ("signatures", "signatures", "on them"),
        ("subjects", "subjects", "they are about"),
        ("materials", "materials", "that went in"),
        ("products", "products", "that came out"),
        ("builder", "words", "who built, in its own words"),
        ("source", "words", "from where"),
        ("commit", "words", "from which commit"),
        ("signed_by", "words", "names of the keys and identities that signed"),
    ),
    formats=("attestation", "in-toto-link", "in-toto-statement"),
)
