-- One row: what the store knows of itself.
CREATE TABLE state (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    -- The same as user_version: two places that agree cannot come from one flipped bit.
    schema            INTEGER NOT NULL,
    -- What the clock showed when it was last looked at, and the time that surely passed since this table was made:
    -- each look adds a day at most, and nothing when the clock went back.
    seen_ms           INTEGER NOT NULL,
    lived_ms          INTEGER NOT NULL,
    -- Picture files older than this database are never swept: another database may refer to them.
    pictures_since_ms INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 3, 0, 0, 0);
-- state.lived_ms of the moment; what an older schema left counts from the upgrade on.
ALTER TABLE conversation ADD COLUMN deleted_lived_ms INTEGER;
ALTER TABLE image ADD COLUMN created_lived_ms INTEGER NOT NULL DEFAULT 0;
-- Pictures whose rows are gone and whose files are still to be removed.
CREATE TABLE removal (image TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
-- Documents that an older Paddock replaced, or that could not be read, as they were.
CREATE TABLE document_replaced (
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    json    TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
