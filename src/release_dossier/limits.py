"""Every bound on outside data, in one place: name, unit last, and the reason for the number.

A bound exists so that a hostile or broken file costs a refusal, not a machine. Each is far above what real files need.
"""

JSON_DEPTH_MAX = 64  # levels; real documents here stay below 12, CPython's own recursion stops near 1,000
DOCUMENT_BYTES_MAX = 32 * 1024 * 1024  # bytes of one signed document; a dossier of 1,000 evidence items is about 4 MB
ISSUE_BYTES_MAX = 1024 * 1024  # bytes; GitHub cuts an issue's text at 65,536 characters
YAML_NODES_MAX = 2_000_000  # values of one YAML file, aliases counted as what they stand for; a large OpenAPI document has 60,000
CONFIG_BYTES_MAX = 1024 * 1024  # bytes of dossier.toml
XML_DEPTH_MAX = 200  # levels of elements; nested test suites stay below 20
EVIDENCE_BYTES_MAX = 2 * 1024 * 1024 * 1024  # bytes of one evidence file, and of what it unpacks to; readers of large formats stream
EVIDENCE_SECONDS_MAX = 600  # seconds one evidence file may take to read; a gigabyte of test events takes about two minutes
EVIDENCE_LINE_BYTES_MAX = 8 * 1024 * 1024  # bytes of one line of a line-based format
ARTIFACT_BYTES_MAX = 512 * 1024 * 1024  # bytes of one stored artifact
SECRETS_BYTES_MAX = 16 * 1024 * 1024  # bytes of one artifact that are searched for secrets; a third of a second
COUNTEREXAMPLES_MAX = 20  # kept per reading, the first of its reader; the count is always exact
LIMITS_MAX = 20  # sentences a reading may say about itself
TEXT_CHARS_MAX = 2_000  # characters of one text taken from an evidence file into a statement
OUTPUT_BYTES_MAX = 64 * 1024 * 1024  # bytes of captured output of a planned command; beyond it the run is inconclusive
COMMAND_SECONDS_MAX = 3_600  # seconds a planned command may take when its plan does not say less
GIT_SECONDS_MAX = 120  # seconds one git command may take
CLOCK_SKEW_SECONDS_MAX = 300  # seconds evidence may lie in the future before it is an error: NTP keeps machines well within
LEDGER_FILE_BYTES_MAX = 8 * 1024 * 1024 * 1024  # bytes of a ledger in SQLite; a prediction market of 10 million bets is about 1 GB
LEDGER_CONNECT_SECONDS_MAX = 10  # seconds to reach a PostgreSQL; within a data centre it is milliseconds
LEDGER_FLIGHT_MICROSECONDS = 250_000  # what an answer may be older than the moment it was noted: reading, sending, writing it down
LEDGER_GUESS_ORDERS_MAX = 20_000  # orders replayed to guess what went wrong; a dozen replays of them take about ten seconds
LEDGER_GUESSES_MAX = 8  # hypotheses told, those that explain most first
LEDGER_LOCK_SECONDS_MAX = 5  # seconds to wait for a change of the schema; longer would queue everybody's bets behind us
LEDGER_MARKETS_MAX = 1_000  # markets or users listed where each has a line of its own, largest first; the count is always exact
LEDGER_ORDERS_MAX = 120  # orders tried of simultaneous rows of one market: five in one microsecond; real ledgers have two, rarely
LEDGER_OUTCOMES_MAX = 64  # sums tried of what lines with several outcomes come to; beyond it everything between the least and the most
LEDGER_STATEMENT_SECONDS_MAX = 600  # seconds one statement may take unless the call says more; 5 million bets are read in about 10
LOG_ENTRIES_MAX = 10_000_000  # entries of one project's log
BUNDLE_BYTES_MAX = 2 * 1024 * 1024 * 1024  # bytes of a bundle
BUNDLE_DOCUMENTS_BYTES_MAX = (
    192 * 1024 * 1024
)  # bytes of a bundle's documents, kept while it is verified; 1,000 pieces of evidence are 6 MB
BUNDLE_FILES_MAX = 100_000  # members of a bundle
LEDGER_COLUMNS_ORDERS_MIN = 20_000  # orders from which columns pay: starting the compiled kernel costs as much as fewer in plain Python
LEDGER_MEMORY_BYTES_MIN = 512 * 1024 * 1024  # bytes: the libraries and one row group, before anything is kept
LEDGER_MEMORY_BYTES = 4 * 1024 * 1024 * 1024  # bytes judging a ledger keeps to unless told otherwise; what is more goes to disk
PAGE_LEDGER_BYTES_MAX = 8 * 1024 * 1024  # bytes of a stored ledger a page replays; 80,000 bets, about two seconds once
LEDGER_EXAMPLES_MAX = 20  # examples per check, largest difference first: fixed by the contract
JOURNAL_BYTES_MAX = 256 * 1024  # bytes of the store's journal before its files are synced together; read at every opening
REMEMBERED_BYTES_MAX = 64 * 1024 * 1024  # bytes of documents a process keeps; 1,000 pieces of evidence are about 4 MB
ANSWER_BYTES_MAX = 4 * 1024 * 1024  # bytes of one answer from outside; a page of 100 comments of GitHub stays below 1 MB
OUTSIDE_SECONDS_MAX = 20.0  # seconds for one request and its answer, redirects included
BODY_BYTES_MAX = 4 * 1024 * 1024  # bytes of a request that is no upload; an issue has at most one MiB
UPLOAD_BYTES_MAX = 256 * 1024 * 1024  # bytes of one uploaded file; larger evidence is collected where it lies
UPLOAD_IDLE_SECONDS_MAX = 30.0  # seconds an upload may pause
GITHUB_TEXT_CHARS_MAX = 65_535  # characters GitHub takes in a comment or the summary of a check
DIGEST_PREFIX_MIN = 8  # hexadecimal digits: fixed by the contract

assert DOCUMENT_BYTES_MAX <= EVIDENCE_BYTES_MAX <= BUNDLE_BYTES_MAX
assert EVIDENCE_LINE_BYTES_MAX <= EVIDENCE_BYTES_MAX
