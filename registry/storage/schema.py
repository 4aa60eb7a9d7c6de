"""The tables, as forward migrations: step n takes a database from `user_version` n to n + 1.

A step that has been released is never edited; a change is a new step. Times are whole microseconds since
1970 UTC, digests are `algorithm:hex`, lists of them are separated by spaces.
"""

from __future__ import annotations

APPLICATION_ID = 0x72_65_67_79
"""Marks a SQLite file as ours ('regy')."""

_FIRST = """
-- what this data directory remembers about itself and its volumes
CREATE TABLE fact (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE project (
    ecosystem TEXT NOT NULL,
    name      TEXT NOT NULL,
    public    INTEGER NOT NULL DEFAULT 0,  -- whether rows from upstream exist
    private   INTEGER NOT NULL DEFAULT 0,  -- whether anything was ever published here
    PRIMARY KEY (ecosystem, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifact (
    ecosystem       TEXT NOT NULL,
    project         TEXT NOT NULL,
    filename        TEXT NOT NULL,
    version         TEXT NOT NULL,
    url             TEXT NOT NULL,
    digests         TEXT NOT NULL,
    size            INTEGER,
    published       INTEGER,
    yanked          TEXT,
    requires_python TEXT,
    metadata        TEXT,
    provenance      TEXT NOT NULL,
    install_script  INTEGER NOT NULL,
    origin          TEXT NOT NULL,
    pin             TEXT,
    first_seen      INTEGER NOT NULL,
    blob            TEXT,
    blob_size       INTEGER,
    metadata_blob   TEXT,
    gone            INTEGER NOT NULL DEFAULT 0,
    conflict        TEXT,
    PRIMARY KEY (ecosystem, project, filename)
) STRICT, WITHOUT ROWID;

-- what a blob's file looked like when its bytes were last known to be right
CREATE TABLE blob (
    volume   TEXT NOT NULL,
    sha256   TEXT NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode    INTEGER NOT NULL,
    PRIMARY KEY (volume, sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
    ecosystem     TEXT NOT NULL,
    project       TEXT NOT NULL,
    sha256        TEXT NOT NULL,
    content_type  TEXT NOT NULL,
    url           TEXT NOT NULL,
    etag          TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    checked       INTEGER NOT NULL,
    PRIMARY KEY (ecosystem, project)
) STRICT, WITHOUT ROWID;

-- the provenance log: `event` is the canonical JSON that `hash` is over, and the only truth;
-- the columns to search by are read out of it
CREATE TABLE log (
    seq      INTEGER NOT NULL PRIMARY KEY,
    previous BLOB NOT NULL,
    hash     BLOB NOT NULL,
    event    TEXT NOT NULL,
    kind     TEXT GENERATED ALWAYS AS (event ->> '$.kind') VIRTUAL,
    at       TEXT GENERATED ALWAYS AS (event ->> '$.at') VIRTUAL,
    actor    TEXT GENERATED ALWAYS AS (event ->> '$.actor') VIRTUAL,
    project  TEXT GENERATED ALWAYS AS (
        (event ->> '$.project.ecosystem') || ':' || (event ->> '$.project.name')
    ) VIRTUAL,
    version  TEXT GENERATED ALWAYS AS (event ->> '$.version') VIRTUAL
) STRICT;
CREATE INDEX log_kind    ON log (kind);
CREATE INDEX log_at      ON log (at);
CREATE INDEX log_actor   ON log (actor);
CREATE INDEX log_project ON log (project) WHERE project IS NOT NULL;
CREATE TRIGGER log_is_never_changed BEFORE UPDATE ON log
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_keeps_its_rows BEFORE DELETE ON log
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

-- the decisions behind /why/ addresses
CREATE TABLE explanation (
    id       TEXT NOT NULL PRIMARY KEY,
    decision TEXT NOT NULL,
    first    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- refusals of one client for one reason within an hour share a row; '*' is all beyond a client's bound
CREATE TABLE refusal (
    hour    INTEGER NOT NULL,  -- since 1970
    client  TEXT NOT NULL,
    refusal TEXT NOT NULL,     -- id of an explanation
    count   INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    PRIMARY KEY (hour, client, refusal)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_entry (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    ecosystem TEXT NOT NULL,
    kind      TEXT NOT NULL,
    pattern   TEXT NOT NULL,
    versions  TEXT NOT NULL,
    reason    TEXT NOT NULL,
    author    TEXT NOT NULL,
    created   INTEGER NOT NULL,
    until     INTEGER,
    removed   INTEGER
) STRICT;

CREATE TABLE account (
    name    TEXT NOT NULL PRIMARY KEY,
    admin   INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    id            TEXT NOT NULL PRIMARY KEY,
    account       TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL,
    note          TEXT NOT NULL,
    scope         TEXT NOT NULL,
    created       INTEGER NOT NULL,
    expires       INTEGER,
    revoked       INTEGER
) STRICT, WITHOUT ROWID;
"""

_SIGNATURES = """
-- registry signatures: key id and signature by turns, separated by spaces
ALTER TABLE artifact ADD COLUMN signatures TEXT NOT NULL DEFAULT '';
"""

_ORIGINS = """
-- whose word a kept document is: public or private
ALTER TABLE document ADD COLUMN origin TEXT NOT NULL DEFAULT 'public';
"""

_AGES = """
-- when the first file of the version was published; whether nobody can tell how old the file is
ALTER TABLE artifact ADD COLUMN released INTEGER;
ALTER TABLE artifact ADD COLUMN undated INTEGER NOT NULL DEFAULT 0;
-- of exemptions the rule, of freezes the moment
ALTER TABLE policy_entry ADD COLUMN rule TEXT NOT NULL DEFAULT '';
ALTER TABLE policy_entry ADD COLUMN cutoff INTEGER;
"""

_CHECKPOINTS = """
-- signed statements about the log: `head` its newest row then, `base` what was taken out on purpose
CREATE TABLE checkpoint (
    kind      TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    at        TEXT NOT NULL,
    key       TEXT NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (kind, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER checkpoint_is_never_changed BEFORE UPDATE ON checkpoint
    BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoints_stay BEFORE DELETE ON checkpoint
    BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
DROP TRIGGER log_keeps_its_rows;
CREATE TRIGGER log_keeps_its_rows BEFORE DELETE ON log
    WHEN OLD.seq > (SELECT coalesce(max(seq), 0) FROM checkpoint WHERE kind = 'base')
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_grows_at_its_end BEFORE INSERT ON log
    WHEN NEW.seq <= (SELECT coalesce(max(seq), 0) FROM checkpoint WHERE kind = 'base')
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

-- when a blob was last asked for, give or take a minute
CREATE TABLE blob_use (
    volume TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    used   INTEGER NOT NULL,
    PRIMARY KEY (volume, sha256)
) STRICT, WITHOUT ROWID;
"""

_LARGE = """
-- whether a document's body is too large for memory, and is given as a file
ALTER TABLE document ADD COLUMN large INTEGER NOT NULL DEFAULT 0;
"""

_ADVISORIES = """
-- advisories, and what each says about a project; a withdrawn one says nothing
CREATE TABLE advisory (
    id       TEXT NOT NULL PRIMARY KEY,
    modified INTEGER NOT NULL,
    malware  INTEGER NOT NULL,
    severity TEXT NOT NULL,
    summary  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE affected (
    ecosystem TEXT NOT NULL,
    project   TEXT NOT NULL,
    advisory  TEXT NOT NULL,
    versions  TEXT NOT NULL,
    spans     TEXT NOT NULL,
    PRIMARY KEY (ecosystem, project, advisory)
) STRICT, WITHOUT ROWID;
CREATE INDEX affected_advisory ON affected (advisory);
"""

_WITHDRAWALS = """
-- what its source did to a file: `quarantined`, `removed`, or nothing
ALTER TABLE artifact ADD COLUMN withdrawn TEXT NOT NULL DEFAULT '';
"""

_ATTESTATIONS = """
-- who built a file (PEP 740), as far as that was checked
CREATE TABLE attestation (
    ecosystem  TEXT NOT NULL,
    project    TEXT NOT NULL,
    filename   TEXT NOT NULL,
    version    TEXT NOT NULL,
    verdict    TEXT NOT NULL,
    publisher  TEXT NOT NULL,
    reason     TEXT NOT NULL,
    checked    INTEGER NOT NULL,
    provenance TEXT NOT NULL,  -- sha256 of the document among the blobs of the file's origin, or ''
    PRIMARY KEY (ecosystem, project, filename)
) STRICT, WITHOUT ROWID;
"""

_PETITIONS = """
-- requests to let pass what was refused
CREATE TABLE petition (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    refusal     TEXT NOT NULL,  -- id of an explanation
    subject     TEXT NOT NULL,
    message     TEXT NOT NULL,
    name        TEXT NOT NULL,
    actor       TEXT NOT NULL,
    address     TEXT NOT NULL,
    at          INTEGER NOT NULL,
    state       TEXT NOT NULL,  -- open, granted, declined
    answer      TEXT NOT NULL DEFAULT '',
    answered_by TEXT NOT NULL DEFAULT '',
    answered    INTEGER
) STRICT;
CREATE INDEX petition_refusal ON petition (refusal);
CREATE INDEX petition_state   ON petition (state);
CREATE INDEX petition_address ON petition (address, at);
"""

_PUBLISHERS = """
-- who published a file as its registry tells, and how that differs from the releases before it, in words
ALTER TABLE artifact ADD COLUMN publisher TEXT NOT NULL DEFAULT '';
ALTER TABLE artifact ADD COLUMN handover  TEXT NOT NULL DEFAULT '';
ALTER TABLE attestation ADD COLUMN handover TEXT NOT NULL DEFAULT '';
"""

_CONTENTS = """
-- what in a file's bytes contradicts its name, and the metadata file that its source offers beside it
ALTER TABLE artifact ADD COLUMN mismatch TEXT NOT NULL DEFAULT '';
ALTER TABLE artifact ADD COLUMN side_blob TEXT;
"""

_STATUSES = """
-- what an admin says of a private project (PEP 792); no row for an active one
CREATE TABLE project_status (
    ecosystem TEXT NOT NULL,
    project   TEXT NOT NULL,
    status    TEXT NOT NULL,
    reason    TEXT NOT NULL,
    PRIMARY KEY (ecosystem, project)
) STRICT, WITHOUT ROWID;
"""

_SUMMARIES = """
-- what a project says it is about: description and keywords in one line
ALTER TABLE project ADD COLUMN summary TEXT NOT NULL DEFAULT '';
"""

_ADOPTIONS = """
-- files that lay on a volume when an admin had them read, and what their bytes are; each waits for a source
-- to announce it. `at` is in seconds since 1970
CREATE TABLE adopted (
    volume TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    sha512 TEXT NOT NULL,
    size   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (volume, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX adopted_sha512 ON adopted (volume, sha512);
"""

_LISTINGS = """
-- files as they were first seen, a page of them in a row; one that has a row in `artifact` is what that says
CREATE TABLE listing (
    id         INTEGER PRIMARY KEY,
    ecosystem  TEXT NOT NULL,
    project    TEXT NOT NULL,
    origin     TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    first      TEXT NOT NULL,     -- names of the first and the last file
    last       TEXT NOT NULL,
    undated    INTEGER NOT NULL,  -- how many of them nobody tells the age of
    entries    BLOB NOT NULL      -- what the source said of them: gzipped msgpack
) STRICT;
CREATE INDEX listing_names ON listing (ecosystem, project, first, last);
"""

_LIGHTER = """
-- most of the log are deliveries, in the order of time: an index of all of them costs more than the rows.
-- What isn't a delivery is found by its kind, a moment by every 256th row
DROP INDEX log_kind;
CREATE INDEX log_kind ON log (kind) WHERE kind <> 'delivery';
DROP INDEX log_at;
CREATE INDEX log_at ON log (at) WHERE seq % 256 = 0;
"""

MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _SIGNATURES,
    _ORIGINS,
    _AGES,
    _CHECKPOINTS,
    _LARGE,
    _ADVISORIES,
    _WITHDRAWALS,
    _ATTESTATIONS,
    _PETITIONS,
    _PUBLISHERS,
    _CONTENTS,
    _STATUSES,
    _SUMMARIES,
    _ADOPTIONS,
    _LISTINGS,
    _LIGHTER,
)
