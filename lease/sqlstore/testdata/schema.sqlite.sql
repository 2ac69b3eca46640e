-- The tables of hotcold for sqlite, version 1. Running this again changes nothing.

CREATE TABLE IF NOT EXISTS hotcold_lease (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    nonce TEXT NOT NULL,
    boot TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    version INTEGER NOT NULL,
    released INTEGER NOT NULL,
    successor TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    update_us INTEGER NOT NULL,
    wait_us INTEGER NOT NULL,
    trust_us INTEGER NOT NULL,
    fence_us INTEGER NOT NULL,
    memo TEXT NOT NULL,
    written_at INTEGER NOT NULL DEFAULT (CAST(ROUND(unixepoch('subsec') * 1000) * 1000 AS INTEGER))
);

CREATE TABLE IF NOT EXISTS hotcold_instance (
    lease TEXT NOT NULL,
    id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    machine TEXT NOT NULL,
    boot TEXT NOT NULL,
    state TEXT NOT NULL,
    document TEXT NOT NULL,
    written_at INTEGER NOT NULL DEFAULT (CAST(ROUND(unixepoch('subsec') * 1000) * 1000 AS INTEGER)),
    PRIMARY KEY (lease, id, nonce)
);

CREATE TABLE IF NOT EXISTS hotcold_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lease TEXT NOT NULL,
    instance TEXT NOT NULL,
    kind TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    document TEXT NOT NULL,
    happened_at INTEGER NOT NULL DEFAULT (CAST(ROUND(unixepoch('subsec') * 1000) * 1000 AS INTEGER))
);

CREATE INDEX IF NOT EXISTS hotcold_event_by_lease ON hotcold_event (lease, id);

CREATE TABLE IF NOT EXISTS hotcold_request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lease TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    document TEXT NOT NULL,
    state TEXT NOT NULL,
    accepted_by TEXT NOT NULL,
    answer TEXT NOT NULL,
    asked_at INTEGER NOT NULL DEFAULT (CAST(ROUND(unixepoch('subsec') * 1000) * 1000 AS INTEGER)),
    ended_at INTEGER
);

CREATE INDEX IF NOT EXISTS hotcold_request_by_lease ON hotcold_request (lease, id);

CREATE TABLE IF NOT EXISTS hotcold_meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

INSERT INTO hotcold_meta (name, value) VALUES ('schema', '1') ON CONFLICT DO NOTHING;

INSERT INTO hotcold_meta (name, value) VALUES ('incarnation', hex(randomblob(16))) ON CONFLICT DO NOTHING;
