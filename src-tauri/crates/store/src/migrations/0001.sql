-- Times are milliseconds since 1970 (UTC). Ids are texts. Released migrations are never edited.
CREATE TABLE conversation (
    id          TEXT PRIMARY KEY,
    title       TEXT NOT NULL,
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    deleted_ms  INTEGER,
    active_leaf TEXT
) STRICT;
CREATE INDEX conversation_updated ON conversation (updated_ms DESC) WHERE deleted_ms IS NULL;

CREATE TABLE message (
    -- Messages are read in the order they were made.
    number          INTEGER PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    conversation    TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    parent          TEXT REFERENCES message (id) ON DELETE CASCADE,
    role            TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    created_ms      INTEGER NOT NULL,
    -- 'complete', 'generating', or why an answer ended.
    status          TEXT NOT NULL CHECK (status IN
        ('complete', 'generating', 'stop', 'length', 'cancelled', 'interrupted', 'failed')),
    reasoning       TEXT,
    -- JSON objects.
    failure         TEXT,
    model           TEXT,
    usage           TEXT,
    timings         TEXT,
    receipts        TEXT
) STRICT;
CREATE INDEX message_conversation ON message (conversation);
CREATE INDEX message_parent ON message (parent);
CREATE INDEX message_generating ON message (status) WHERE status = 'generating';

CREATE TABLE image (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    format        TEXT NOT NULL,
    stored_width  INTEGER NOT NULL,
    stored_height INTEGER NOT NULL,
    width         INTEGER NOT NULL,
    height        INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    -- A JSON list of sentences.
    notes         TEXT NOT NULL,
    created_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE part (
    message  TEXT NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    text     TEXT,
    image    TEXT REFERENCES image (id),
    name     TEXT,
    alt      TEXT,
    PRIMARY KEY (message, position),
    CHECK ((text IS NULL) <> (image IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX part_image ON part (image) WHERE image IS NOT NULL;

-- What was typed but not sent; the conversation '' is the one not begun yet.
CREATE TABLE draft (
    conversation TEXT PRIMARY KEY,
    text         TEXT NOT NULL,
    -- A JSON list of image ids.
    images       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
    name    TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    json    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE local_model (
    path     TEXT PRIMARY KEY,
    added_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Three-letter groups find any part of a word in any script. Rows: titles (message = '') and finished texts.
CREATE VIRTUAL TABLE search USING fts5 (
    text, conversation UNINDEXED, message UNINDEXED, tokenize = 'trigram remove_diacritics 1'
);
