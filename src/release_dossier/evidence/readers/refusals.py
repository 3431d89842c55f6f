"""Why readers refuse a file, and what to do about it: code → (cause, remedy). Most readers need no code of their own: `evidence.shape`
and `evidence.version` say at which place of which file, and what stood there."""

from __future__ import annotations

CODES = {
    "evidence.encoding": ("The file begins with a mark of UTF-16 or UTF-32 and is not in it.", "Have the tool write UTF-8."),
    "evidence.packed": (
        "The file is compressed, and cut, damaged or packed twice.",
        "Compress it once, as gzip, xz or bzip2, and check that it unpacks.",
    ),
    "evidence.shape": (
        "The file is of a known format and lacks what that format has at the place named, or has another thing there.",
        "Mend what wrote it; if it is another format after all, name it: --format NAME.",
    ),
    "evidence.too-slow": ("Reading took longer than a file may take.", "Have the tool write a summary, or less detail."),
    "evidence.version": (
        "The file is of a known format in a version whose words mean other things, or nobody has looked at.",
        "Have the tool write one of the versions named.",
    ),
    "tap.no-result": ("No line is a result or a plan of the Test Anything Protocol.", "Write it with the tool's TAP reporter."),
    "own.expression": ("An expression of a [[kind]] in dossier.toml is no CEL over doc.", "Mend it; docs/dossier-toml.md shows one."),
    "own.schema": ("The schema of a [[kind]] is no JSON Schema, or refers outside of itself.", "Mend it, and inline what it refers to."),
    "own.twice": ("A [[kind]] names a fact twice.", "Give each a name of its own."),
    "otlp.protobuf": ("The file begins like OpenTelemetry's protobuf and is none, or was cut.", "Export it again, or as JSON."),
    "promql.dialect": ("An expression uses a function that PromQL has not.", "Write it in PromQL, or have its own tool judge it."),
    "promql.syntax": ("An expression is no PromQL.", "Check it with promtool check rules."),
    "xml.encoding": ("The XML says one encoding and is in another.", "Mend what wrote it, or convert the file."),
    "xml.entities": ("The XML declares entities or refers outside itself.", "Write it without a DOCTYPE."),
    "xml.syntax": ("The XML is not well formed, often because it was cut.", "Run the tool again and let it finish."),
    "xml.too-deep": ("Elements nest deeper than in any real report.", "Mend what wrote it."),
    "yaml.key-twice": ("A key is there twice in one mapping: which one counts would depend on the reader.", "Keep one of them."),
    "yaml.syntax": ("The YAML is not well formed, often because of its indentation.", "Mend the line named."),
    "yaml.tag": ("The YAML asks for a type of its own.", "Write it without tags."),
    "yaml.too-deep": ("Values nest deeper than in any real file.", "Mend what wrote it."),
    "yaml.too-large": ("The YAML is larger than any real file, or its aliases stand for more than that.", "Mend what wrote it."),
}
