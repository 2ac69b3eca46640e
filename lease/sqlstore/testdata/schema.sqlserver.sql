-- The tables of hotcold for sqlserver, version 1. Running this again changes nothing.
-- Run it in the database of the node, as its owner. Then let the agents' user in:
--     ALTER ROLE hotcold_agent ADD MEMBER [USER];

SET QUOTED_IDENTIFIER ON;
GO

IF OBJECT_ID(N'hotcold_lease', N'U') IS NULL
CREATE TABLE hotcold_lease (
    name nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    name_bytes int NOT NULL,
    holder nvarchar(1000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    nonce nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    boot nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    epoch bigint NOT NULL,
    version bigint NOT NULL,
    released bit NOT NULL,
    successor nvarchar(1000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    incarnation nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    update_us bigint NOT NULL,
    wait_us bigint NOT NULL,
    trust_us bigint NOT NULL,
    fence_us bigint NOT NULL,
    memo nvarchar(2000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    written_at datetime2(7) NOT NULL DEFAULT SYSUTCDATETIME(),
    PRIMARY KEY (name, name_bytes)
);
GO

IF OBJECT_ID(N'hotcold_instance', N'U') IS NULL
CREATE TABLE hotcold_instance (
    lease nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    lease_bytes int NOT NULL,
    id nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL,
    id_bytes int NOT NULL,
    nonce nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    nonce_bytes int NOT NULL,
    machine nvarchar(1000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    boot nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    state nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    document nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    written_at datetime2(7) NOT NULL DEFAULT SYSUTCDATETIME(),
    PRIMARY KEY NONCLUSTERED (lease, lease_bytes, id, id_bytes, nonce, nonce_bytes)
);
GO

IF OBJECT_ID(N'hotcold_event', N'U') IS NULL
CREATE TABLE hotcold_event (
    id bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY,
    lease nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    instance nvarchar(1000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    kind nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    epoch bigint NOT NULL,
    document nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    happened_at datetime2(7) NOT NULL DEFAULT SYSUTCDATETIME()
);
GO

IF INDEXPROPERTY(OBJECT_ID(N'hotcold_event'), N'hotcold_event_by_lease', 'IndexID') IS NULL
CREATE INDEX hotcold_event_by_lease ON hotcold_event (lease, id);
GO

IF OBJECT_ID(N'hotcold_request', N'U') IS NULL
CREATE TABLE hotcold_request (
    id bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY,
    lease nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    kind nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    target nvarchar(1000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    asked_by nvarchar(1000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    document nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    state nvarchar(20) COLLATE Latin1_General_100_BIN2 NOT NULL,
    accepted_by nvarchar(1000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    answer nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    asked_at datetime2(7) NOT NULL DEFAULT SYSUTCDATETIME(),
    ended_at datetime2(7) NULL
);
GO

IF INDEXPROPERTY(OBJECT_ID(N'hotcold_request'), N'hotcold_request_by_lease', 'IndexID') IS NULL
CREATE INDEX hotcold_request_by_lease ON hotcold_request (lease, id);
GO

IF OBJECT_ID(N'hotcold_meta', N'U') IS NULL
CREATE TABLE hotcold_meta (
    name nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
    value nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL
);
GO

IF NOT EXISTS (SELECT 1 FROM hotcold_meta WHERE name = N'schema')
INSERT INTO hotcold_meta (name, value) VALUES (N'schema', N'1');
GO

IF DATABASE_PRINCIPAL_ID(N'hotcold_agent') IS NULL
CREATE ROLE hotcold_agent;
GO

GRANT SELECT, INSERT, UPDATE ON hotcold_lease TO hotcold_agent;
GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold_instance TO hotcold_agent;
GRANT SELECT, INSERT, DELETE ON hotcold_event TO hotcold_agent;
GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold_request TO hotcold_agent;
GRANT SELECT, INSERT, UPDATE ON hotcold_meta TO hotcold_agent;
GO
