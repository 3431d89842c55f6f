"""Known vulnerabilities in what a release is made of."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="vulnerabilities",
    unit="packages",
    age_max=DAY,
    about_data=False,
    proves="these packages were looked up in this database, and these known vulnerabilities are in them",
    does_not_prove="that nothing unknown is in them; tomorrow's database knows more",
    facts=(
        ("packages", "packages", "there are"),
        ("vulnerabilities", "findings", "in all"),
        ("vulnerabilities_open", "findings", "that stand"),
        ("vulnerabilities_withdrawn", "findings", "a VEX says is not affected or fixed"),
        ("vulnerabilities_unreached", "findings", "in code that is there and not called, as the scanner showed"),
        ("fixable", "findings", "open, for which a fixed version is known"),
        ("unknown", "findings", "open, of a severity nobody says"),
        ("critical", "findings", "open, critical"),
        ("high", "findings", "open, high"),
        ("medium", "findings", "open, medium"),
        ("low", "findings", "open, low"),
        ("database_age", "days", "between the database and the scan"),
        ("statements_affected", "statements", "of a VEX alone"),
        ("statements_under_investigation", "statements", "of a VEX alone"),
        ("statements_fixed", "statements", "of a VEX alone"),
        ("statements_not_affected", "statements", "of a VEX alone"),
    ),
    formats=("csaf", "cyclonedx-vex", "govulncheck", "grype", "npm-audit", "openvex", "osv-scanner", "pip-audit", "trivy"),
)
