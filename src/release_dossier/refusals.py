"""Why everything but the rules refuses, and what to do about it: code → (cause, remedy). docs/refusals.md is made from this.

A code that is raised and not listed, or listed and not raised, fails `make check`.
"""

from __future__ import annotations

CODES = {
    "artifact.not-a-file": ("An artifact is a folder, a device or a pipe.", "Name a plain file."),
    "artifact.too-large": ("An artifact is larger than one may be.", "Keep the part that carries the proof, and say where the rest lies."),
    "artifact.unreadable": (
        "An artifact cannot be opened, or is a symbolic link.",
        "Check that it is there and that this user may read it.",
    ),
    "bundle.end": (
        "A bundle stops in the middle, or goes on after its end.",
        "Get it again from whoever made it; compare sha256sum with theirs.",
    ),
    "bundle.header": (
        "A file in a bundle has another owner, mode, time or kind than a bundle writes, or a length that does not fit.",
        "Somebody changed or repacked it: get the original.",
    ),
    "bundle.incomplete": ("A file that every bundle holds is not in this one.", "Get the bundle again from whoever made it."),
    "bundle.maker": (
        "The key that would sign the bundle is of nobody the trust document lists.",
        "Export with the project's producer key, or propose this one: dossier trust propose.",
    ),
    "bundle.name": (
        "A name in a bundle leaves its folder or has characters no bundle writes.",
        "Do not unpack it; ask whoever made it for the original.",
    ),
    "bundle.order": ("Files in a bundle are out of order, or one is there twice.", "Somebody repacked it: get the original."),
    "bundle.padding": ("The filling between two files of a bundle is not empty.", "Somebody changed it: get the original."),
    "bundle.statement": (
        "A statement in a bundle is well signed and says something else than statements of its word do.",
        "Get the bundle again from whoever made it; if it stays so, do not rely on the machine that signed it.",
    ),
    "bundle.too-large": (
        "A bundle has more files or bytes than one may have.",
        "Leave large artifacts out of the evidence; a bundle of this size is not read.",
    ),
    "bundle.unreadable": ("The bundle cannot be opened.", "Check its path, or make it: dossier export DIGEST -o FILE."),
    "change.base-not-protected": (
        "--base is not where the branch left the protected one: an author may not choose what is compared.",
        "Leave --base out, or rebase the branch.",
    ),
    "change.detached": ("HEAD is a commit without a branch, so nobody owns the work.", "git switch -c NAME, then open again."),
    "change.empty": ("The branch changes no file.", "Commit the work first."),
    "change.head-not-a-branch": ("--head is not a local branch.", "Name a branch; a commit or a tag has no owner."),
    "change.no-merge-base": (
        "The branch and the protected one have no history in common.",
        "Make the branch from the protected one. In a shallow clone: git fetch --unshallow.",
    ),
    "change.no-owner": ("Neither the issue nor the call says who answers for the change.", "Add the owner to the issue, or --owner NAME."),
    "change.no-protected-branch": (
        "The branch the project protects is not in this clone.",
        "git fetch it, or check the pin in .dossier/project.json.",
    ),
    "change.no-service": (
        "No service ships the files that changed.",
        "Give a service their paths in dossier.toml, or say --service NAME=VERSION.",
    ),
    "change.no-settings": ("dossier.toml is not committed on the branch whose settings would count.", "Commit it to the protected branch."),
    "change.none": ("This branch has no open change.", "dossier open --issue FILE"),
    "change.owner-unknown": (
        "The named owner is nobody of the trust document.",
        "Name one of those listed, or propose them: dossier trust propose.",
    ),
    "change.settings-gone": (
        "The commit whose settings the change froze has none now, or is gone.",
        "Fetch the whole history; if it was rewritten, open the change again.",
    ),
    "change.uncommitted": ("Tracked files differ from the commit that would be judged.", "Commit or stash them."),
    "change.unknown-service": ("--service names no service of dossier.toml.", "Use one of those listed."),
    "collect.no-command": (
        "The plan gives no command for this evidence, so it cannot be run.",
        "Import it: dossier collect NAME --from FILE.",
    ),
    "collect.future": (
        "Evidence is said to have been observed later than now, which no gate lets through.",
        "Give --observed-at as it was, and look at the clocks of this machine and of the one the file comes from.",
    ),
    "collect.no-file": ("The file or ledger to import is not there.", "Check the path after --from."),
    "collect.no-name": ("A file was given without saying which evidence it is.", "dossier collect NAME --from FILE"),
    "collect.no-vex": ("A plan names a VEX that the change's head does not hold.", "Commit it, or mend `vex` in the plan's options."),
    "collect.other-kind": (
        "The file holds another kind of evidence than the plan asks for under this name.",
        "See what it says: dossier evidence read FILE.",
    ),
    "collect.no-root": (
        "A signer of [[keyless]] names a trusted root that is not committed where the change's criteria were frozen.",
        "Commit the file, as Sigstore publishes it (trusted_root.json), on the protected branch, and open the change again.",
    ),
    "collect.unknown-name": (
        "The plan has no evidence of this name.",
        "Use one of those listed, or plan it under [[evidence]] in dossier.toml.",
    ),
    "commits.no-file": ("What GitHub says of the commits is neither a file that is there nor a number.", "Check the path after --pull."),
    "commits.shape": (
        "The file is not what GitHub says of a pull request's commits.",
        "gh api --paginate repos/OWNER/NAME/pulls/NUMBER/commits > FILE (gh 2.49 or newer: before, each page is a list), or --pull NUMBER.",
    ),
    "crash.unknown-point": ("A test asked to stop at a commit point there is not.", "Use one of those listed."),
    "demo.exists": ("The folder the demo would make is there already.", "Name another with --keep, or remove it."),
    "demo.history": ("git does not take the captured history.", "Update git; what it said stands above."),
    "demo.other-outcome": (
        "A step of the demo was decided otherwise than its story says.",
        "The program or its data is not as shipped: install again, and report it if it stays.",
    ),
    "demo.stopped": ("A command of the demo failed.", "Read what it said just above; dossier doctor says what the machine lacks."),
    "deploy.image": ("--image names no image by its digest.", "Give the digest the registry shows, not a tag."),
    "deploy.unknown-service": ("--service names no service of this project.", "Use one of those listed."),
    "digest.ambiguous": ("The shortened digest fits more than one document.", "Give more digits."),
    "digest.short": ("The shortened digest is too short to be safe.", "Give 8 digits or more."),
    "digest.syntax": ("This is no digest.", "Write sha256: and 64 hexadecimal digits, or the first 8 or more."),
    "digest.unknown": ("Nothing in the log has this digest, or not what the command is about.", "dossier list shows what there is."),
    "dossier.differs": (
        "The dossier says something else than the signed statement it names.",
        "Assemble it again: dossier assemble. If it was exported so, do not trust it.",
    ),
    "dossier.incomplete": (
        "An attempt the log holds is left out of the dossier: leaving a failure out must not help.",
        "dossier assemble, and decide about the new one.",
    ),
    "dossier.none": ("Nothing has been assembled for this branch.", "dossier assemble"),
    "edge.directory": ("The folder after -C cannot be entered.", "Check its path and permissions."),
    "edge.file-system": (
        "The operating system refused something nobody foresaw.",
        "The message is its own: check the path where it names one; dossier doctor looks at the usual causes.",
    ),
    "edge.no-process": (
        "The system starts no further thread or process: a limit of this user or container is reached.",
        "Raise the limit or end what fills it, then the same command again; what was recorded before stands.",
    ),
    "envelope.base64": (
        "A signed document holds base64 that is damaged, unpadded or of two alphabets.",
        "Get the original; an envelope has one spelling here.",
    ),
    "envelope.payload-type": (
        "A signed document says it carries another type of content.",
        "Give the kind of document the command asks for.",
    ),
    "envelope.shape": ("This is no DSSE envelope.", "Give the signed document, not its content."),
    "envelope.signatures": ("A signed document has no signature, too many, or one key twice.", "Have it signed, once by each key."),
    "event.data": (
        "A CloudEvent has both data and data_base64, or data_base64 that is no base64.",
        "Send one of the two, as the JSON format of CloudEvents says.",
    ),
    "event.missing": ("A CloudEvent lacks id, source, specversion or type.", "Add the attribute: CloudEvents 1.0.2, section 3.1."),
    "event.name": ("The name of a CloudEvent's attribute is not made of lower-case letters and digits.", "Rename the extension."),
    "event.shape": (
        "What should be a CloudEvent is no JSON object, or a batch no array.",
        "Send it in the JSON format of CloudEvents 1.0.2.",
    ),
    "event.specversion": ("A CloudEvent is of another version of the specification.", "Send specversion 1.0."),
    "event.value": (
        "A CloudEvent's attribute has a value the specification does not allow.",
        "See the place named, and CloudEvents 1.0.2, section 2.2 and 3.1.",
    ),
    "dossier.withheld": (
        "An artifact a dossier stands on was erased after the dossier was closed.",
        "dossier assemble: the new set counts what it carried as missing.",
    ),
    "erase.role": (
        "The person holds no role that may speak for evidence.",
        "Ask somebody of role risk-owner, release-manager, ops or trust-root.",
    ),
    "erase.unknown": (
        "No evidence names this artifact, or several do.",
        "Take the digest from dossier show EVIDENCE; eight digits or more.",
    ),
    "evidence.ambiguous-format": ("The file could be read in more than one way.", "Say which: --format NAME."),
    "evidence.empty": ("The file has no content.", "Find out why the tool wrote nothing; an empty report proves nothing."),
    "evidence.line-too-long": ("A line is longer than a record may be.", "Check that the file is what its tool wrote, one record a line."),
    "evidence.no-file": ("The evidence file is not there.", "Check its path, and that the command before it wrote it."),
    "evidence.no-such-format": ("--format names no reader.", "dossier evidence kinds lists them."),
    "evidence.not-a-file": ("The evidence is a folder, a device or a pipe.", "Name the plain file."),
    "evidence.too-large": ("The evidence file is larger than one may be.", "Have the tool write a summary, or less detail."),
    "evidence.unknown-format": (
        "No reader knows this content.",
        "dossier evidence kinds lists what is read; a truncated file is often not recognised.",
    ),
    "evidence.unreadable": ("The operating system did not let the evidence file be read.", "Check its permissions, then try again."),
    "export.unwritable": ("The bundle cannot be written there.", "Check the folder, its permissions and the room on the disk."),
    "fire-drill.no-delivery": (
        "No line of the file is a delivery of Alertmanager's webhook.",
        "Record what the webhook receives, one JSON object a line.",
    ),
    "gate.naive-time": ("A decision was asked for a time without its offset.", "Give the time as UTC: 2026-11-24T13:40:00Z."),
    "git.failed": ("A git command failed; what it said is shown.", "Run it by hand; it is named in the message."),
    "git.missing": ("There is no git on this machine's PATH.", "Install git 2.34 or newer."),
    "git.no-repository": ("This folder is in no git repository.", "git init, or go to the project: dossier -C DIR."),
    "git.not-owned": (
        "The repository belongs to another user, and git refuses to work in it.",
        "git config --global --add safe.directory FOLDER, or chown it.",
    ),
    "git.object-missing": (
        "The clone lacks an object it names: it is shallow, partial or damaged.",
        "git fetch --unshallow, then git fsck.",
    ),
    "git.ref-name": ("A branch has a name that is no text in UTF-8, so no document can name it.", "git branch -m NAME, and push it anew."),
    "git.timeout": ("git gave no answer in time.", "Try again; check locks, hooks and network file systems."),
    "git.unknown-ref": (
        "The name is no branch, tag or commit of this repository.",
        "Check the spelling; git fetch where it is only on the remote.",
    ),
    "github.issue": (
        "GitHub answered, but not with this issue.",
        "Check the number, and GITHUB_TOKEN for a private repository; or save it: dossier open --issue FILE.",
    ),
    "github.pull": (
        "GitHub does not give the commits of this pull request.",
        "Check the number, and GITHUB_TOKEN for a private repository.",
    ),
    "github.no-remote": (
        "The project's remote is not a GitHub repository, so an issue's number means nothing.",
        "dossier open --issue FILE",
    ),
    "github.unreachable": ("GitHub did not answer.", "Try again later, or save the issue: dossier open --issue FILE."),
    "go-test.no-event": ("No line of the file is an event of Go's test runner.", "Write it with go test -json."),
    "identity.answer": (
        "The identity provider did not answer as one does.",
        "Try again; look at the provider's own status.",
    ),
    "identity.code": (
        "The identity provider does not take the code the browser brought.",
        "Log in again; check the client id and secret.",
    ),
    "identity.provider": (
        "What stands at the issuer's address is no description of that issuer.",
        "Give issuer in [access] exactly as the provider writes it.",
    ),
    "identity.token": (
        "The identity provider's token is not signed by it, not for us, not for this login, or not of now.",
        "Log in again. Seen twice: check the provider's keys and this machine's clock.",
    ),
    "init.exists": ("The project was begun already: init never overwrites.", "dossier doctor says what is there and what is missing."),
    "init.no-branch": ("HEAD is a commit without a branch, so there is none to protect.", "git switch -c main"),
    "init.no-commit": ("The repository has no commit yet.", "git commit --allow-empty -m start"),
    "init.unknown-profile": ("There is no ready-made project of this name.", "Use one of those listed, or leave --profile out."),
    "issue.empty-scope": (
        "The issue does not say what is in scope.",
        "List paths, globs, services or features under `## In scope`; docs/issue.md shows how.",
    ),
    "issue.encoding": ("The issue is not UTF-8.", "Save it as UTF-8."),
    "issue.no-body": ("GitHub's JSON has no text of an issue.", "Give the JSON of an issue or pull request whose text is not empty."),
    "issue.no-file": ("The issue is neither a file that is there nor a number.", "Check the path after --issue."),
    "issue.no-objective": ("The issue does not say what it is for.", "Write one sentence under `## Objective`; docs/issue.md shows how."),
    "issue.too-large": ("The issue is longer than anybody reads.", "Move detail to files and link them."),
    "json.duplicate-key": ("An object says the same key twice, so two readers could read it differently.", "Mend what wrote it."),
    "json.encoding": ("The JSON is not UTF-8.", "Save it as UTF-8."),
    "json.not-canonical": (
        "A value has no canonical form: a number too large, or text that is not Unicode.",
        "Write large numbers as text.",
    ),
    "json.number": (
        "A number is NaN, infinite, beyond a 64-bit float, or of more than 400 digits.",
        "Mend what wrote it; such a number measures nothing.",
    ),
    "json.surrogate": ("A text holds half of a character.", "Mend what wrote it."),
    "json.syntax": ("The file is not JSON, often because it was cut.", "The message names line and column."),
    "json.too-deep": ("Brackets nest deeper than any real document.", "Mend what wrote it."),
    "json.too-large": ("The JSON is larger than this kind of document may be.", "Check that it is the file you meant."),
    "k6.shape": ("The JSON is no summary of k6.", "Write it with k6 run --summary-export FILE, or handleSummary."),
    "key.agent": ("ssh-keygen gave no answer in time: an agent or a token is waiting for a person.", "Confirm there, then try again."),
    "key.exists": ("There is a key of this name: none is ever overwritten.", "Use it, or choose another name."),
    "key.locked": ("The key has a passphrase and no agent holds it.", "ssh-add FILE, then try again."),
    "key.missing": ("The key file is not there.", "Check the path; ssh-keygen -t ed25519 or dossier key new NAME makes one."),
    "key.name": ("The name has characters a key's name may not have.", "Use lower-case letters, digits and . _ -"),
    "key.no-ssh-keygen": ("There is no ssh-keygen on this machine's PATH.", "Install OpenSSH 8.2 or newer."),
    "key.private-syntax": (
        "The file is no private key in OpenSSH's format, or holds several.",
        "ssh-keygen -p -f FILE writes an older key anew.",
    ),
    "key.public-syntax": (
        "This is no SSH public key, or it contradicts itself.",
        "Give the line of the .pub file: its type and its base64.",
    ),
    "key.refused": ("ssh-keygen would not sign with this key; what it said is shown.", "Often: chmod 600 FILE."),
    "key.unreadable": ("The operating system did not let the key be read.", "Check its permissions and its owner."),
    "key.unsupported": ("The key is of a type, or a size, that is not accepted.", "ssh-keygen -t ed25519 makes one that is."),
    "prometheus.no-answer": (
        "A Prometheus server answered nothing it was asked; nothing was recorded.",
        "Check the address, with its prefix, and that the server runs; then again.",
    ),
    "prometheus.window": (
        "The window to ask a Prometheus server for is empty, or its step is longer.",
        "Check --window, --end and --step.",
    ),
    "kind.taken": ("A kind of the project's own bears the name of one that is there already.", "Give it another name in dossier.toml."),
    "kind.unknown": ("There is no kind of evidence of this name.", "dossier evidence kinds lists them."),
    "ledger.address": (
        "The address of the PostgreSQL server cannot be taken apart, so nothing of it is shown; or PostgreSQL cannot read a piece of it.",
        "Encode @ : / ? # % of a password as %40 and so on, or leave it out and use PGPASSWORD, PGPASSFILE or ~/.pgpass.",
    ),
    "ledger.being-written": (
        "The SQLite database has a journal beside it: changes not in the file yet, or a change that is not finished.",
        "Close what has it open, or copy it with sqlite3's .backup.",
    ),
    "ledger.cancelled": ("An administrator ended the statement while the ledger was read.", "Ask them, then try again."),
    "ledger.column-type": (
        "A column holds a value of another type, such as text where credits belong.",
        "The message names column and row: find out what wrote it there.",
    ),
    "ledger.duplicate": (
        "Two rows have one key, so every credit of theirs would count twice.",
        "A dump was loaded twice: load it into an empty database.",
    ),
    "ledger.half-restored": (
        "The tables have rows and no keys: the restore was not finished.",
        "Restore the dump whole, into an empty database.",
    ),
    "ledger.locked": (
        "Somebody is changing the schema, and reading would wait behind it; or a table was rewritten or replaced while the reading began.",
        "Try again when the migration is done.",
    ),
    "ledger.missing-column": ("A table lacks a column the checks need.", "Export the ledger whole, or check that it is SocialPredict's."),
    "ledger.missing-table": (
        "The ledger lacks a table the checks need, or the search path does not reach it.",
        "Export it whole, check that it is SocialPredict's, or name the schema: ?options=-csearch_path%3DSCHEMA.",
    ),
    "ledger.no-permission": (
        "The role may not read a table, or row-level security would hide rows of it; or this user may not read the file.",
        "GRANT SELECT as docs/ledger-checks.md shows; ALTER ROLE … BYPASSRLS where rows are guarded.",
    ),
    "ledger.destination": (
        "The generated ledger cannot go there.",
        "Name a folder or .sqlite file that is not there yet, or an empty schema.",
    ),
    "ledger.generate": ("Nothing can be generated of these sizes.", "The message names the option and its range."),
    "ledger.nothing-to-mutate": ("The generated ledger has no place for this defect.", "More bets, another seed, or other rules."),
    "ledger.unknown-mutant": ("No mutation has this name.", "dossier ledger generate --help lists them."),
    "ledger.no-source": ("The ledger is not there.", "Name a .sqlite file, a folder of Parquet files or postgresql://…"),
    "ledger.no-spark": (
        "Spark was asked for and is not here, or the ledger is none that its tasks can read apart.",
        "Install the extra `spark` and Java 17, or leave --engine out.",
    ),
    "ledger.not-a-ledger": ("The file is no SQLite database and no folder of Parquet.", "Export the ledger as one of them."),
    "ledger.null-username": ("A user has no name, so no account can be told apart.", "The message names the row."),
    "ledger.replica-conflict": (
        "A replica ended the statement: what its primary did to the rows could wait no longer.",
        "Let the replica wait (`hot_standby_feedback`, `max_standby_streaming_delay`), or read the primary.",
    ),
    "ledger.ruleset": (
        "Rules of the market have an unknown key, or a number below its range.",
        "dossier ledger rulesets shows whole ones.",
    ),
    "ledger.server": (
        "The PostgreSQL server could not be reached, or did not let this role in.",
        "The message says which; a password belongs into PGPASSWORD, PGPASSFILE or ~/.pgpass.",
    ),
    "ledger.server-lost": ("The server went away while it was read.", "Try again: nothing was kept of what was read."),
    "ledger.statement-timeout": (
        "One statement took longer than it may.",
        "--statement-timeout SECONDS allows more; read a replica when the server is busy.",
    ),
    "ledger.timeline": (
        "The timeline of rules is not a list of eras with from, until, version and rules.",
        "Write times as RFC 3339 and rules as in dossier ledger rulesets.",
    ),
    "ledger.too-large": ("The ledger's file is larger than one that is read into memory.", "Export the part in question."),
    "ledger.two-rules": ("Both a timeline and one ruleset were given.", "Give one of them."),
    "ledger.unknown-check": ("There is no check of this name.", "docs/ledger-checks.md lists them."),
    "ledger.unknown-migration": (
        "The ledger went through a migration that no known release has, so its rows may mean something else.",
        "Say --assume-schema to take it for the newest known one, or ask for a newer release-dossier.",
    ),
    "ledger.unknown-market": ("The ledger has no market of this number.", "Use one the ledger holds."),
    "ledger.unknown-order": ("The ledger, or that market, has no order of this number.", "Use an id of its bets."),
    "ledger.unknown-ruleset": ("There are no rules of this version.", "dossier ledger rulesets lists them."),
    "ledger.unknown-user": ("The ledger has no user of this name.", "Use one the ledger holds."),
    "ledger.unreadable": (
        "The ledger or a file beside it is damaged or was cut.",
        "Export it again with the server stopped, or with sqlite3 .backup.",
    ),
    "load-dossier.shape": ("The load-test dossier has other fields than its schema says.", "Write it again with the tool that makes it."),
    "load-dossier.version": ("The load-test dossier has a schema version that is not known.", "Version 0.1.0 is read."),
    "log.chain": (
        "An entry does not follow from the one before it: something was changed or put in between.",
        "Stop. Compare with another copy of .dossier/, and with the checkpoint in refs/dossier/log.",
    ),
    "log.checkpoint": ("The checkpoint cannot be read.", "Stop. Compare with the one in refs/dossier/log or another copy."),
    "log.checkpoint-signer": ("The checkpoint is not signed by this project's key.", "Stop, and find out who wrote it."),
    "log.entry": (
        "An entry of the log cannot be read, or is spelt otherwise than the program writes.",
        "Stop. Compare with another copy of .dossier/.",
    ),
    "log.fork": (
        "The log holds other entries than those its checkpoint was signed over.",
        "Stop. Two copies went different ways, or entries were changed: find out who has the other.",
    ),
    "log.gap": ("Entries are missing from the log.", "Stop. Restore them from another copy of .dossier/."),
    "log.journal": (
        "The store's journal is not what it wrote: a line that is no record, or an envelope that is not its entry's.",
        "Somebody changed it. Restore .dossier/ from a copy, and run dossier log audit.",
    ),
    "log.missing": ("The log is gone while the project is there.", "Restore .dossier/ from a copy."),
    "log.no-checkpoint": ("The log has entries and no checkpoint over them.", "Restore .dossier/log/checkpoint from a copy."),
    "log.note": ("A checkpoint is not in the form of a signed note.", "Stop. Compare with another copy."),
    "log.order": ("An entry stands at another place than its number says.", "Stop. Compare with another copy of .dossier/."),
    "log.other-project": (
        "The checkpoint is over the log of another project.",
        "Put back the .dossier/ that belongs to this repository, or the ref named: git fetch REMOTE '+refs/dossier/*:refs/dossier/*'.",
    ),
    "log.rolled-back": (
        "The log is shorter than, or not an extension of, one that was seen: entries were taken away.",
        "Stop. Restore .dossier/ from the newest copy.",
    ),
    "log.unsigned": (
        "The log holds more than its newest checkpoint, and no machine of this project recorded it: somebody wrote into the folder.",
        "Stop. Compare .dossier/ with another copy, and go back to the log as the checkpoint has it.",
    ),
    "log.twice": ("A statement is entered twice.", "Stop. Compare with another copy of .dossier/."),
    "look.no-release": ("No release and no dossier goes by this name.", "dossier list shows them."),
    "look.not-a-dossier": (
        "A command about a dossier was given another document.",
        "Name a dossier, a decision, a release or a tag.",
    ),
    "outbox.file-system": (
        "The folder of what is to be sent cannot be read or written.",
        "Check free space and rights of .dossier/outbox; nothing left that was not written down before.",
    ),
    "outbox.journal": (
        "The journal of what is to be sent was altered.",
        "Restore .dossier/outbox from a copy. Sent payloads keep their id, so a receiver counts none twice.",
    ),
    "outbox.locked": (
        "Another process is writing down what is to be sent, and does not end: it was stopped.",
        "Let it go on or end it, then the same command again.",
    ),
    "outside.address": (
        "An address is none that may be asked: not https, with credentials in it, or malformed.",
        "Give an https address; secrets belong into a variable the destination names.",
    ),
    "outside.private": (
        "A name outside leads to a private, loopback or reserved address: this is how a server is made to attack its own network.",
        "Where it is meant, private = true in its [[destination]] on the protected branch.",
    ),
    "outside.redirects": ("An address redirects again and again.", "Name the address it ends at."),
    "outside.too-large": ("An answer from outside is larger than one may be.", "Check that the address is the right one."),
    "outside.unreachable": (
        "A name outside has no address, or nobody answered in time.",
        "Try again; a delivery stays in the outbox: dossier send --due.",
    ),
    "passkey.syntax": (
        "This is no passkey signature: not the browser's three values as canonical JSON, or too long.",
        "Sign again on the project's page.",
    ),
    "payload.audience": ("There is no such audience.", "One of: auditor, customer, github, webhook, raw."),
    "payload.no-place": ("A pointer names no place of the payload.", "Use a path the payload's list of withheld places names."),
    "payload.not-withheld": (
        "That place is not withheld from this audience, or not there.",
        "dossier payload DIGEST --audience A --json lists withheld places.",
    ),
    "payload.other-opening": (
        "An opening does not belong to this payload: another place, another value or another salt.",
        "Ask the sender for the opening of this very payload; do not trust the value.",
    ),
    "payload.shape": ("A file is no payload or opening.", "Take it as `dossier payload` wrote it."),
    "payload.words": (
        "The call lacks a digest and an audience, or one half of a check.",
        "dossier payload DIGEST --audience A, or dossier payload --check FILE --opening FILE.",
    ),
    "people.closed": (
        "The dossier is retrospective or released: a signature would move nothing any more.",
        "What was said can be withdrawn; a new round begins with dossier open.",
    ),
    "people.no-reason": ("A rejection, withdrawal or waiver needs its reason.", "--reason, in words the next reader understands."),
    "people.own-work": (
        "Who owns or wrote the change, or brought evidence for it, does not approve it in a role that says so.",
        "Somebody else who holds the role signs; where nobody else does, dossier gate names the command that gives it.",
    ),
    "people.past": ("The approval would have ended before it began.", "--until a later moment."),
    "people.not-withdrawable": (
        "Documents of this kind are not taken back.",
        "Withdraw the approval, waiver, evidence, dossier, decision or release it stands for.",
    ),
    "people.not-yours": ("Somebody else signed it, and only they may take it back.", "Ask them, or reject the dossier yourself."),
    "people.other-key": ("The key is not one of this person's.", "dossier trust show lists theirs."),
    "people.revoked-key": ("The key was revoked.", "Sign with one that stands."),
    "people.role": ("This person does not hold a role the act needs.", "dossier trust show lists roles; dossier trust propose gives one."),
    "people.unsigned": (
        "What was handed over is not this person's signature over these words.",
        "Sign what is shown, with a key the trust document lists for you.",
    ),
    "people.unknown": ("Nobody of the trust document has this name.", "Use a name listed, or propose them: dossier trust propose."),
    "project.none": ("This folder and those above it hold no project.", "dossier init"),
    "project.not-at-top": ("dossier.toml stands below the top of the repository.", "Move it to the top."),
    "project.pin": (
        "The file that pins the project's identity is damaged.",
        "Restore .dossier/project.json from a copy; do not write it by hand.",
    ),
    "project.state-tracked": (
        "The branch brings its own .dossier/: whoever wrote it would choose whom this clone trusts.",
        "Take it out of git (git rm -r --cached .dossier), delete it, and run again: the pin is made anew from the protected branch.",
    ),
    "project.unpinned": (
        "This clone has not pinned the protected branch, and git does not know the default branch of its remote.",
        "git remote set-head origin --auto, or name the branch once: DOSSIER_PROTECTED_BRANCH=main dossier doctor.",
    ),
    "release.moved": (
        "What would be tagged is not what the dossier judged.",
        "Release the judged commit, or collect and assemble for the new one.",
    ),
    "release.remote": (
        "The remote did not answer, or did not take the tag.",
        "Try the git command in the message, then release again: nothing is done twice.",
    ),
    "release.rules-moved": (
        "A stricter rule landed on the protected branch after the dossier was assembled, and its rules require to be no weaker.",
        "Merge the protected branch and run again: dossier run.",
    ),
    "release.tag-exists": (
        "There is a tag of this name on something else, here or on the remote.",
        "Choose another version: dossier open --service NAME=VERSION.",
    ),
    "release.unknown-service": ("--service names no service of this change.", "Use one of those listed."),
    "release.unwritable": (
        "git could not write the tag: the disk is full, or its folder is read-only.",
        "Make room or give the right to write, then the same command again: it goes on where it stopped.",
    ),
    "release.version-taken": (
        "This version of the service was released before, from something else.",
        "Choose another version: dossier open --service NAME=VERSION.",
    ),
    "replay.shape": ("The file is no list of replay scenarios.", "docs/evidence/replay-protection.md shows one."),
    "send.address": ("A webhook has no address.", "Add url to its [[destination]] on the protected branch."),
    "send.condition": (
        "The destination's own condition does not hold for this payload, or cannot be asked of it.",
        "See what was found; nothing was sent. The condition stands in dossier.toml.",
    ),
    "send.destination": (
        "The protected branch names no such destination.",
        "Add a [[destination]] to dossier.toml there: docs/dossier-toml.md.",
    ),
    "send.moved": (
        "A destination's address was changed while a delivery to it was pending.",
        "Send it again: dossier send DIGEST --to NAME goes to the address that stands there now.",
    ),
    "send.no-issue": (
        "A comment is to be sent for a change that no GitHub issue stands behind.",
        "Open the change with --issue NUMBER, or send a check run.",
    ),
    "send.no-secret": ("The variable with the secret of a webhook is not set.", "Set it to whsec_ and base64, the same at both ends."),
    "send.no-token": (
        "The variable with a GitHub token is not set.",
        "Set it to a token that may write issues or checks of the repository.",
    ),
    "send.words": (
        "The call lacks a digest and a destination, or says --wait in other words than seconds.",
        "dossier send DIGEST --to NAME, dossier send --due, or dossier send --list.",
    ),
    "settings.age": ("An age is not written as a number and m, h or d.", "Write 24h or 7d."),
    "settings.key": ("dossier.toml has a key that is not known, or a value of another type.", "docs/dossier-toml.md lists keys and types."),
    "settings.name": ("A name has characters a name may not have, or is too long.", "Use at most 64 letters, digits and . _ -"),
    "settings.no-service": ("dossier.toml names no service.", "Add a [[service]]."),
    "settings.syntax": ("dossier.toml is not TOML in UTF-8.", "The message says where it stopped."),
    "settings.tag": ("A service's tag pattern does not hold {version} exactly once.", 'Write "v{version}", or "NAME/v{version}".'),
    "settings.too-large": ("dossier.toml is larger than anybody reads.", "Use globs instead of lists of files."),
    "settings.twice": ("Two of the same sort have one name.", "Rename one."),
    "settings.unknown-service": ("The plan of an evidence names a service that is not there.", "Use one of those listed."),
    "sshsig.syntax": (
        "This is no SSH signature, or of a version or hash that is not accepted.",
        "Sign with ssh-keygen -Y sign, SHA-256 or SHA-512.",
    ),
    "statement.not-canonical": (
        "A statement is spelt otherwise than canonical JSON.",
        "Get the original; its bytes were changed on the way.",
    ),
    "statement.other-digest": ("A document has other content than its digest says.", "Get the original."),
    "statement.predicate-type": ("A statement is of a type this program does not make.", "Give the kind of document the command asks for."),
    "statement.shape": ("This is no in-toto Statement with a project.", "Give the kind of document the command asks for."),
    "statement.type": (
        "The document says it is something else than an in-toto Statement v1.",
        "Give the kind of document the command asks for.",
    ),
    "statement.unexpected": (
        "The log names a document of one kind, or one project, and there is another.",
        "Stop. Compare with another copy of .dossier/.",
    ),
    "statement.unsigned": (
        "Nobody who may signed a statement of the store: no machine of the trust document, or not the producer evidence names.",
        "Where a machine's key is not listed, list it. Otherwise somebody else wrote it: compare with another copy of .dossier/.",
    ),
    "store.altered-artifact": (
        "An artifact has other bytes than when it was kept.",
        "Stop. Restore it from another copy, or collect again.",
    ),
    "store.altered-document": ("A document has other bytes than when it was entered.", "Stop. Restore it from another copy."),
    "store.file-system": (
        "The file system failed in the middle; what was recorded before stands.",
        "dossier doctor, then the same command again.",
    ),
    "store.full": ("The disk is full; what was recorded before stands.", "Make room (df -h .), then the same command again."),
    "store.locked": ("Another process works on this project.", "Wait for it, then the same command again."),
    "store.missing-artifact": ("An artifact the log names is gone.", "Restore it from another copy, or collect again."),
    "store.missing-document": ("A document the log names is gone.", "Restore it from another copy: nothing is decided without it."),
    "store.read-only": ("This user may not write to the project's folder.", "Check permissions and how the disk is mounted."),
    "time.syntax": ("This is no time with an offset.", "Write 2026-11-24T09:00:00Z."),
    "trust.ahead": (
        "The trust file holds a proposal the protected branch does not have yet, and a new version follows the newest in force.",
        "Commit it to the protected branch, or take it back: git checkout HEAD -- dossier.trust.json",
    ),
    "trust.behind": (
        "This branch has an older trust document than the protected one, and a new version follows the newest.",
        "Propose it on the protected branch, or merge that one first.",
    ),
    "trust.chain": (
        "A version of the trust document does not follow the one before it.",
        "Stop. Find out who changed dossier.trust.json; go back to the last version that was good.",
    ),
    "trust.draft": (
        "What should be a draft of the next trust document is none, or is over another version than the one that counts.",
        "dossier trust propose --draft FILE makes one.",
    ),
    "trust.key-name": ("A key is listed under another fingerprint than its own, or with a comment.", "dossier trust propose writes both."),
    "trust.email": ("What should be a person's address in git is none.", "--email ann@work.example"),
    "trust.key-shared": ("One key is listed for two holders, so nobody knows who signed.", "Give each their own."),
    "trust.name": ("A name of the trust document has characters a name may not have.", "Use letters, digits and . _ @ -"),
    "trust.no-key": ("A person or producer was proposed without a key.", "--public FILE; dossier key new NAME makes one."),
    "trust.none": ("The trust document is not on the protected branch.", "Commit the one dossier init wrote."),
    "trust.unknown-key": (
        "A key to revoke is one that nobody holds, so the one that was meant would go on counting.",
        "Copy its whole name from dossier key list.",
    ),
    "trust.nothing": ("The proposal changes nothing.", "Say --person, --producer, --revoke or --threshold."),
    "trust.other-project": (
        "The trust document is of another project than the pinned one.",
        "Do not go on with a fork's trust document; take the project's own.",
    ),
    "trust.revocation-dropped": (
        "A new version forgets that a key was revoked.",
        "Put the revocation back: none is ever lifted; list a new key instead.",
    ),
    "trust.forked": (
        "The trust document is no successor of one seen before: there are two of the same version.",
        "Stop. Find out who signed which; go back to the one that was seen, and let the next version follow it.",
    ),
    "trust.rolled-back": ("The trust document is older than one seen before.", "git fetch the protected branch."),
    "trust.shape": ("This is no trust document.", "Take the file from the protected branch as it is."),
    "trust.threshold": (
        "Too few of those who may change the trust document signed this version.",
        "Have more people of role trust-root sign it.",
    ),
    "trust.threshold-reach": (
        "The threshold asks for more people than could sign, or for none.",
        "Lower it, or add people of role trust-root first.",
    ),
    "trust.time": ("A moment in the trust document is not RFC 3339 with an offset.", "Write 2026-11-24T09:00:00Z."),
    "trust.twice": ("One name stands for two in the trust document.", "Rename one; people and producers share one list of names."),
    "trust.unknown-version": (
        "The decision was made under a version of the trust document that this file does not hold.",
        "Take the newest file: it holds every version.",
    ),
    "usage": ("The words of the call are not a command.", "dossier --help, or dossier COMMAND --help."),
    "usage.open": (
        "A change is opened from an issue, or a tag is looked at after the fact: not both, and not neither.",
        "dossier open --issue FILE, or dossier open --retrospective TAG --owner WHO.",
    ),
    "usage.service": ("--service is not NAME=VERSION.", "Write it as --service backend=3.8.2."),
    "verify.no-trust": (
        "Nobody said whose signatures count.",
        "Give the project's own trust document: --trust FILE; or --integrity-only, which says nothing about who signed.",
    ),
    "verify.trust-unreadable": ("The trust document to check against cannot be read.", "Check the path after --trust."),
    "vitest.shape": ("The JSON is no report of Vitest or Jest.", "Write it with --reporter=json."),
    "waiver.never": ("This requirement can never be waived.", "Bring evidence that passes."),
    "waiver.past": ("The waiver would have ended before it began.", "--until a later moment."),
    "waiver.unknown": ("The service has no requirement of this name.", "dossier gate lists them."),
    "webhook.secret": ("The secret of a webhook is empty or no base64.", "Make one: whsec_ and 24 to 64 random bytes in base64."),
    "store.withheld": (
        "An artifact was erased by a signed word.",
        "Whoever kept a copy can show it; collect the evidence again, from a file without what was erased, if it is needed.",
    ),
}
