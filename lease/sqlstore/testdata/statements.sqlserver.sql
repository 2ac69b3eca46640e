-- name: opening
SET XACT_ABORT ON; SET NOCOUNT OFF; SET IMPLICIT_TRANSACTIONS OFF; SET ANSI_NULLS ON; SET CONCAT_NULL_YIELDS_NULL ON; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCK_TIMEOUT 0; SELECT CONVERT(nvarchar(60), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')), CONVERT(nvarchar(60), d.delayed_durability_desc), CONVERT(int, SERVERPROPERTY('EngineEdition')), CONVERT(nvarchar(60), SERVERPROPERTY('ProductVersion')) FROM sys.databases AS d WHERE d.database_id = DB_ID()

-- name: survey
SELECT t.name, t.wanted, CONVERT(bit, CASE WHEN OBJECT_ID(t.name, N'U') IS NULL THEN 0 ELSE 1 END), CONVERT(bit, COALESCE(HAS_PERMS_BY_NAME(t.name, N'OBJECT', t.wanted), 0)) FROM (VALUES (N'hotcold_lease', N'SELECT'), (N'hotcold_lease', N'INSERT'), (N'hotcold_lease', N'UPDATE'), (N'hotcold_instance', N'SELECT'), (N'hotcold_instance', N'INSERT'), (N'hotcold_instance', N'UPDATE'), (N'hotcold_instance', N'DELETE'), (N'hotcold_event', N'SELECT'), (N'hotcold_event', N'INSERT'), (N'hotcold_event', N'DELETE'), (N'hotcold_request', N'SELECT'), (N'hotcold_request', N'INSERT'), (N'hotcold_request', N'UPDATE'), (N'hotcold_request', N'DELETE'), (N'hotcold_meta', N'SELECT'), (N'hotcold_meta', N'INSERT'), (N'hotcold_meta', N'UPDATE')) AS t(name, wanted)

-- name: replicationPlace
SELECT CONVERT(bigint, SERVERPROPERTY('EngineEdition')), CONVERT(bigint, CASE WHEN d.replica_id IS NULL THEN 0 ELSE 1 END), d.delayed_durability_desc, SUSER_SNAME() FROM sys.databases AS d WHERE d.database_id = DB_ID()

-- name: replicationMirrors
SELECT CONVERT(bigint, COUNT(*)) FROM sys.database_mirroring WHERE database_id = DB_ID() AND mirroring_guid IS NOT NULL

-- name: replicationGroup
SELECT CONVERT(bigint, g.required_synchronized_secondaries_to_commit), CONVERT(bigint, COUNT(*)), CONVERT(bigint, SUM(CASE WHEN r.availability_mode = 1 AND s.connected_state = 1 AND b.synchronization_state = 2 AND b.is_suspended = 0 AND b.is_commit_participant = 1 THEN 1 ELSE 0 END)), MAX(g.name) FROM sys.databases AS d JOIN sys.availability_replicas AS me ON me.replica_id = d.replica_id JOIN sys.availability_groups AS g ON g.group_id = me.group_id JOIN sys.availability_replicas AS r ON r.group_id = g.group_id AND r.replica_id <> me.replica_id LEFT JOIN sys.dm_hadr_availability_replica_states AS s ON s.replica_id = r.replica_id LEFT JOIN sys.dm_hadr_database_replica_states AS b ON b.replica_id = r.replica_id AND b.group_database_id = d.group_database_id WHERE d.database_id = DB_ID() GROUP BY g.required_synchronized_secondaries_to_commit

-- name: fenceEnd
SET NOCOUNT ON;
DECLARE @turn nvarchar(32) = N'hotcold/' + LEFT(CONVERT(nvarchar(64), HASHBYTES('SHA2_256', CONCAT(N'hotcold_/', @p1)), 2), 24);
DECLARE @got int, @held bigint = 0, @theirs bigint = 0, @id int, @kill nvarchar(40);
IF COALESCE(HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE'), 0) <> 1 THROW 51001, 'the login may not see the sessions of others', 1;
EXEC @got = sys.sp_getapplock @Resource = @turn, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 1000;
BEGIN TRY
IF @got >= 0
BEGIN
SELECT @held = COUNT(*) FROM hotcold_lease WHERE name = @p1 AND name_bytes = DATALENGTH(@p1) AND holder = @p2 AND DATALENGTH(holder) = DATALENGTH(@p2) AND nonce = @p3 AND DATALENGTH(nonce) = DATALENGTH(@p3) AND epoch = @p4 AND released = 0;
IF @held = 1
BEGIN
SET @id = 0;
WHILE @id IS NOT NULL
BEGIN
SET @id = (SELECT MIN(s.session_id) FROM sys.dm_exec_sessions AS s JOIN sys.database_principals AS p ON p.sid IN (s.security_id, s.original_security_id) WHERE p.name = @p5 AND s.session_id > @id AND s.session_id <> @@SPID);
IF @id IS NOT NULL
BEGIN
SET @theirs = @theirs + 1;
SET @kill = N'KILL ' + CONVERT(nvarchar(11), @id);
BEGIN TRY
EXEC (@kill);
END TRY
BEGIN CATCH
IF ERROR_NUMBER() <> 6106 THROW;
END CATCH
END
END
END
END
ELSE
BEGIN
SELECT @held = COUNT(*) FROM hotcold_lease WHERE name = @p1 AND name_bytes = DATALENGTH(@p1) AND holder = @p2 AND DATALENGTH(holder) = DATALENGTH(@p2) AND nonce = @p3 AND DATALENGTH(nonce) = DATALENGTH(@p3) AND epoch = @p4 AND released = 0;
IF @held = 1
BEGIN
SET @id = 0;
WHILE @id IS NOT NULL
BEGIN
SET @id = (SELECT MIN(k.request_session_id) FROM sys.dm_tran_locks AS k WHERE k.resource_type = N'APPLICATION' AND k.request_status = N'GRANT' AND k.resource_database_id = DB_ID() AND CHARINDEX(@turn, k.resource_description) > 0 AND k.request_session_id > @id);
IF @id IS NOT NULL
BEGIN
SET @theirs = @theirs + 1;
SET @kill = N'KILL ' + CONVERT(nvarchar(11), @id);
BEGIN TRY
EXEC (@kill);
END TRY
BEGIN CATCH
IF ERROR_NUMBER() <> 6106 THROW;
END CATCH
END
END
END
END
END TRY
BEGIN CATCH
IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';
THROW;
END CATCH;
IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';
SELECT CONVERT(bigint, @got), @held, @theirs

-- name: fenceEnd#azure
SET NOCOUNT ON;
DECLARE @turn nvarchar(32) = N'hotcold/' + LEFT(CONVERT(nvarchar(64), HASHBYTES('SHA2_256', CONCAT(N'hotcold_/', @p1)), 2), 24);
DECLARE @got int, @held bigint = 0, @theirs bigint = 0, @id int, @kill nvarchar(40);
IF COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW DATABASE STATE'), 0) <> 1 THROW 51001, 'the login may not see the sessions of others', 1;
EXEC @got = sys.sp_getapplock @Resource = @turn, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 1000;
BEGIN TRY
IF @got >= 0
BEGIN
SELECT @held = COUNT(*) FROM hotcold_lease WHERE name = @p1 AND name_bytes = DATALENGTH(@p1) AND holder = @p2 AND DATALENGTH(holder) = DATALENGTH(@p2) AND nonce = @p3 AND DATALENGTH(nonce) = DATALENGTH(@p3) AND epoch = @p4 AND released = 0;
IF @held = 1
BEGIN
SET @id = 0;
WHILE @id IS NOT NULL
BEGIN
SET @id = (SELECT MIN(s.session_id) FROM sys.dm_exec_sessions AS s JOIN sys.database_principals AS p ON p.sid IN (s.security_id, s.original_security_id) WHERE p.name = @p5 AND s.session_id > @id AND s.session_id <> @@SPID);
IF @id IS NOT NULL
BEGIN
SET @theirs = @theirs + 1;
SET @kill = N'KILL ' + CONVERT(nvarchar(11), @id);
BEGIN TRY
EXEC (@kill);
END TRY
BEGIN CATCH
IF ERROR_NUMBER() <> 6106 THROW;
END CATCH
END
END
END
END
ELSE
BEGIN
SELECT @held = COUNT(*) FROM hotcold_lease WHERE name = @p1 AND name_bytes = DATALENGTH(@p1) AND holder = @p2 AND DATALENGTH(holder) = DATALENGTH(@p2) AND nonce = @p3 AND DATALENGTH(nonce) = DATALENGTH(@p3) AND epoch = @p4 AND released = 0;
IF @held = 1
BEGIN
SET @id = 0;
WHILE @id IS NOT NULL
BEGIN
SET @id = (SELECT MIN(k.request_session_id) FROM sys.dm_tran_locks AS k WHERE k.resource_type = N'APPLICATION' AND k.request_status = N'GRANT' AND k.resource_database_id = DB_ID() AND CHARINDEX(@turn, k.resource_description) > 0 AND k.request_session_id > @id);
IF @id IS NOT NULL
BEGIN
SET @theirs = @theirs + 1;
SET @kill = N'KILL ' + CONVERT(nvarchar(11), @id);
BEGIN TRY
EXEC (@kill);
END TRY
BEGIN CATCH
IF ERROR_NUMBER() <> 6106 THROW;
END CATCH
END
END
END
END
END TRY
BEGIN CATCH
IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';
THROW;
END CATCH;
IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';
SELECT CONVERT(bigint, @got), @held, @theirs

-- name: fenceChange
SET NOCOUNT ON;
DECLARE @turn nvarchar(32) = N'hotcold/' + LEFT(CONVERT(nvarchar(64), HASHBYTES('SHA2_256', CONCAT(N'hotcold_/', @p1)), 2), 24);
DECLARE @got int, @held bigint = 0, @theirs bigint = 0, @id int, @kill nvarchar(40);
IF COALESCE(HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE'), 0) <> 1 THROW 51001, 'the login may not see the sessions of others', 1;
EXEC @got = sys.sp_getapplock @Resource = @turn, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 1000;
BEGIN TRY
IF @got >= 0
BEGIN
BEGIN TRANSACTION;
SELECT @held = COUNT(*) FROM hotcold_lease WITH (UPDLOCK, HOLDLOCK) WHERE name = @p1 AND name_bytes = DATALENGTH(@p1) AND holder = @p2 AND DATALENGTH(holder) = DATALENGTH(@p2) AND nonce = @p3 AND DATALENGTH(nonce) = DATALENGTH(@p3) AND epoch = @p4 AND released = 0;
IF @held = 1 EXEC sys.sp_executesql @p5;
COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF);
END
ELSE
BEGIN
SELECT @held = COUNT(*) FROM hotcold_lease WHERE name = @p1 AND name_bytes = DATALENGTH(@p1) AND holder = @p2 AND DATALENGTH(holder) = DATALENGTH(@p2) AND nonce = @p3 AND DATALENGTH(nonce) = DATALENGTH(@p3) AND epoch = @p4 AND released = 0;
IF @held = 1
BEGIN
SET @id = 0;
WHILE @id IS NOT NULL
BEGIN
SET @id = (SELECT MIN(k.request_session_id) FROM sys.dm_tran_locks AS k WHERE k.resource_type = N'APPLICATION' AND k.request_status = N'GRANT' AND k.resource_database_id = DB_ID() AND CHARINDEX(@turn, k.resource_description) > 0 AND k.request_session_id > @id);
IF @id IS NOT NULL
BEGIN
SET @theirs = @theirs + 1;
SET @kill = N'KILL ' + CONVERT(nvarchar(11), @id);
BEGIN TRY
EXEC (@kill);
END TRY
BEGIN CATCH
IF ERROR_NUMBER() <> 6106 THROW;
END CATCH
END
END
END
END
END TRY
BEGIN CATCH
IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';
THROW;
END CATCH;
IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';
SELECT CONVERT(bigint, @got), @held, @theirs

-- name: fenceChange#azure
SET NOCOUNT ON;
DECLARE @turn nvarchar(32) = N'hotcold/' + LEFT(CONVERT(nvarchar(64), HASHBYTES('SHA2_256', CONCAT(N'hotcold_/', @p1)), 2), 24);
DECLARE @got int, @held bigint = 0, @theirs bigint = 0, @id int, @kill nvarchar(40);
IF COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW DATABASE STATE'), 0) <> 1 THROW 51001, 'the login may not see the sessions of others', 1;
EXEC @got = sys.sp_getapplock @Resource = @turn, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 1000;
BEGIN TRY
IF @got >= 0
BEGIN
BEGIN TRANSACTION;
SELECT @held = COUNT(*) FROM hotcold_lease WITH (UPDLOCK, HOLDLOCK) WHERE name = @p1 AND name_bytes = DATALENGTH(@p1) AND holder = @p2 AND DATALENGTH(holder) = DATALENGTH(@p2) AND nonce = @p3 AND DATALENGTH(nonce) = DATALENGTH(@p3) AND epoch = @p4 AND released = 0;
IF @held = 1 EXEC sys.sp_executesql @p5;
COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF);
END
ELSE
BEGIN
SELECT @held = COUNT(*) FROM hotcold_lease WHERE name = @p1 AND name_bytes = DATALENGTH(@p1) AND holder = @p2 AND DATALENGTH(holder) = DATALENGTH(@p2) AND nonce = @p3 AND DATALENGTH(nonce) = DATALENGTH(@p3) AND epoch = @p4 AND released = 0;
IF @held = 1
BEGIN
SET @id = 0;
WHILE @id IS NOT NULL
BEGIN
SET @id = (SELECT MIN(k.request_session_id) FROM sys.dm_tran_locks AS k WHERE k.resource_type = N'APPLICATION' AND k.request_status = N'GRANT' AND k.resource_database_id = DB_ID() AND CHARINDEX(@turn, k.resource_description) > 0 AND k.request_session_id > @id);
IF @id IS NOT NULL
BEGIN
SET @theirs = @theirs + 1;
SET @kill = N'KILL ' + CONVERT(nvarchar(11), @id);
BEGIN TRY
EXEC (@kill);
END TRY
BEGIN CATCH
IF ERROR_NUMBER() <> 6106 THROW;
END CATCH
END
END
END
END
END TRY
BEGIN CATCH
IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';
THROW;
END CATCH;
IF @got >= 0 EXEC sys.sp_releaseapplock @Resource = @turn, @LockOwner = 'Session';
SELECT CONVERT(bigint, @got), @held, @theirs

-- name: fenceRights
SELECT USER_NAME(), SUSER_SNAME(), CONVERT(bigint, COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CONTROL'), 0)), CONVERT(bigint, COALESCE(HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE'), 0)), CONVERT(bigint, COALESCE(HAS_PERMS_BY_NAME(NULL, NULL, N'ALTER ANY CONNECTION'), 0)), CONVERT(bigint, COALESCE(HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DEFINITION'), 0))

-- name: fenceRights#azure
SELECT USER_NAME(), SUSER_SNAME(), CONVERT(bigint, COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CONTROL'), 0)), CONVERT(bigint, COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW DATABASE STATE'), 0)), CONVERT(bigint, COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'KILL DATABASE CONNECTION'), 0)), CONVERT(bigint, COALESCE(1, 0))

-- name: fenceEscapes
SELECT N'missing', CONVERT(nvarchar(300), @p1) COLLATE Latin1_General_100_BIN2 FROM (SELECT COUNT(*) AS n FROM sys.database_principals AS u WHERE u.name = @p1 AND u.type = 'S') AS c WHERE c.n = 0
UNION ALL SELECT N'login', CONVERT(nvarchar(300), COALESCE(SUSER_SNAME(u.sid), N'')) COLLATE Latin1_General_100_BIN2 FROM sys.database_principals AS u WHERE u.name = @p1 AND u.type = 'S' AND u.authentication_type = 1 AND COALESCE(SUSER_SNAME(u.sid), N'') <> @p1
UNION ALL SELECT N'server role', CONVERT(nvarchar(300), r.name) COLLATE Latin1_General_100_BIN2 FROM (VALUES (N'sysadmin'), (N'securityadmin')) AS r(name) CROSS JOIN sys.database_principals AS u WHERE u.name = @p1 AND u.type = 'S' AND u.authentication_type = 1 AND COALESCE(IS_SRVROLEMEMBER(r.name, @p1), 1) = 1
UNION ALL SELECT N'role', CONVERT(nvarchar(300), r.name) COLLATE Latin1_General_100_BIN2 FROM (VALUES (N'db_owner'), (N'db_securityadmin'), (N'db_accessadmin')) AS r(name) CROSS JOIN sys.database_principals AS u WHERE u.name = @p1 AND u.type = 'S' AND COALESCE(IS_ROLEMEMBER(r.name, @p1), 1) = 1
UNION ALL SELECT N'schema', CONVERT(nvarchar(300), o.name) COLLATE Latin1_General_100_BIN2 FROM sys.schemas AS o JOIN sys.database_principals AS u ON u.principal_id = o.principal_id WHERE u.name = @p1 OR (u.type = 'R' AND u.is_fixed_role = 0 AND COALESCE(IS_ROLEMEMBER(u.name, @p1), 1) = 1)
UNION ALL SELECT N'object', CONVERT(nvarchar(300), o.name) COLLATE Latin1_General_100_BIN2 FROM sys.objects AS o JOIN sys.database_principals AS u ON u.principal_id = o.principal_id WHERE u.name = @p1 OR (u.type = 'R' AND u.is_fixed_role = 0 AND COALESCE(IS_ROLEMEMBER(u.name, @p1), 1) = 1)
UNION ALL SELECT N'grant', CONVERT(nvarchar(300), g.permission_name) COLLATE Latin1_General_100_BIN2 FROM sys.database_permissions AS g JOIN sys.database_principals AS u ON u.principal_id = g.grantee_principal_id WHERE g.state IN ('G', 'W') AND (u.name = @p1 OR u.type = 'R') AND u.name = @p1 AND g.class = 0 AND g.permission_name IN (N'SELECT', N'INSERT', N'UPDATE', N'DELETE', N'EXECUTE', N'ALTER', N'ALTER ANY SCHEMA', N'TAKE OWNERSHIP', N'CONTROL')
UNION ALL SELECT N'column', CONVERT(nvarchar(300), OBJECT_NAME(g.major_id)) COLLATE Latin1_General_100_BIN2 FROM sys.database_permissions AS g JOIN sys.database_principals AS u ON u.principal_id = g.grantee_principal_id WHERE g.state IN ('G', 'W') AND (u.name = @p1 OR u.type = 'R') AND g.class = 1 AND g.major_id > 0 AND g.minor_id > 0
UNION ALL SELECT N'impersonation', CONVERT(nvarchar(300), USER_NAME(g.major_id)) COLLATE Latin1_General_100_BIN2 FROM sys.database_permissions AS g JOIN sys.database_principals AS u ON u.principal_id = g.grantee_principal_id WHERE g.state IN ('G', 'W') AND (u.name = @p1 OR u.type = 'R') AND g.class = 4 AND g.permission_name IN (N'IMPERSONATE', N'CONTROL')
UNION ALL SELECT N'application role', CONVERT(nvarchar(300), u.name) COLLATE Latin1_General_100_BIN2 FROM sys.database_principals AS u WHERE u.type = 'A'

-- name: fencePrepared
SELECT CONVERT(bigint, COUNT(DISTINCT request_owner_guid)) FROM sys.dm_tran_locks WHERE request_session_id = -2 AND resource_database_id = DB_ID()

-- name: schemaLock
DECLARE @got int; EXEC @got = sp_getapplock @Resource = N'hotcold_schema', @LockMode = 'Exclusive', @LockOwner = 'Transaction'; IF @got < 0 THROW 51000, 'another session makes the tables of hotcold', 1

-- name: create#0
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
)

-- name: create#1
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
)

-- name: create#2
IF OBJECT_ID(N'hotcold_event', N'U') IS NULL
CREATE TABLE hotcold_event (
    id bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY,
    lease nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    instance nvarchar(1000) COLLATE Latin1_General_100_BIN2 NOT NULL,
    kind nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    epoch bigint NOT NULL,
    document nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
    happened_at datetime2(7) NOT NULL DEFAULT SYSUTCDATETIME()
)

-- name: create#3
IF INDEXPROPERTY(OBJECT_ID(N'hotcold_event'), N'hotcold_event_by_lease', 'IndexID') IS NULL
CREATE INDEX hotcold_event_by_lease ON hotcold_event (lease, id)

-- name: create#4
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
)

-- name: create#5
IF INDEXPROPERTY(OBJECT_ID(N'hotcold_request'), N'hotcold_request_by_lease', 'IndexID') IS NULL
CREATE INDEX hotcold_request_by_lease ON hotcold_request (lease, id)

-- name: create#6
IF OBJECT_ID(N'hotcold_meta', N'U') IS NULL
CREATE TABLE hotcold_meta (
    name nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
    value nvarchar(400) COLLATE Latin1_General_100_BIN2 NOT NULL
)

-- name: create#7
IF NOT EXISTS (SELECT 1 FROM hotcold_meta WHERE name = N'schema')
INSERT INTO hotcold_meta (name, value) VALUES (N'schema', N'1')

-- name: schemaVersion
SELECT value FROM hotcold_meta WHERE name = N'schema'

-- name: signal
SELECT value FROM hotcold_meta WHERE name = @p1

-- name: read
SELECT (SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS f ON f.database_id = d.database_id WHERE d.database_id = DB_ID()), l.name, l.holder, l.nonce, l.boot, l.epoch, l.version, l.released, l.successor, l.incarnation, l.update_us, l.wait_us, l.trust_us, l.fence_us, l.memo, DATEDIFF_BIG(microsecond, '1970-01-01', l.written_at), DATEDIFF_BIG(microsecond, l.written_at, SYSUTCDATETIME()) FROM (SELECT 1 AS one) AS o LEFT JOIN hotcold_lease AS l ON l.name = @p1 AND l.name_bytes = DATALENGTH(@p1)

-- name: read#azure
SELECT (SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN (SELECT CAST(NULL AS nvarchar(36)) AS database_guid, CAST(NULL AS nvarchar(36)) AS recovery_fork_guid) AS f ON 1 = 0 WHERE d.database_id = DB_ID()), l.name, l.holder, l.nonce, l.boot, l.epoch, l.version, l.released, l.successor, l.incarnation, l.update_us, l.wait_us, l.trust_us, l.fence_us, l.memo, DATEDIFF_BIG(microsecond, '1970-01-01', l.written_at), DATEDIFF_BIG(microsecond, l.written_at, SYSUTCDATETIME()) FROM (SELECT 1 AS one) AS o LEFT JOIN hotcold_lease AS l ON l.name = @p1 AND l.name_bytes = DATALENGTH(@p1)

-- name: leases
SELECT (SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS f ON f.database_id = d.database_id WHERE d.database_id = DB_ID()), l.name, l.holder, l.nonce, l.boot, l.epoch, l.version, l.released, l.successor, l.incarnation, l.update_us, l.wait_us, l.trust_us, l.fence_us, l.memo, DATEDIFF_BIG(microsecond, '1970-01-01', l.written_at), DATEDIFF_BIG(microsecond, l.written_at, SYSUTCDATETIME()) FROM hotcold_lease AS l ORDER BY l.name, l.name_bytes

-- name: leases#azure
SELECT (SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN (SELECT CAST(NULL AS nvarchar(36)) AS database_guid, CAST(NULL AS nvarchar(36)) AS recovery_fork_guid) AS f ON 1 = 0 WHERE d.database_id = DB_ID()), l.name, l.holder, l.nonce, l.boot, l.epoch, l.version, l.released, l.successor, l.incarnation, l.update_us, l.wait_us, l.trust_us, l.fence_us, l.memo, DATEDIFF_BIG(microsecond, '1970-01-01', l.written_at), DATEDIFF_BIG(microsecond, l.written_at, SYSUTCDATETIME()) FROM hotcold_lease AS l ORDER BY l.name, l.name_bytes

-- name: claim
INSERT INTO hotcold_lease (name, holder, nonce, boot, epoch, version, released, successor, incarnation, update_us, wait_us, trust_us, fence_us, memo, name_bytes, written_at) SELECT @p1, @p2, @p3, @p4, @p5, @p6, @p7, @p8, @p9, @p10, @p11, @p12, @p13, @p14, DATALENGTH(@p1), SYSUTCDATETIME() WHERE CONCAT((SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS f ON f.database_id = d.database_id WHERE d.database_id = DB_ID()), N'.') = CONCAT(@p15, N'.') AND NOT EXISTS (SELECT 1 FROM hotcold_lease WITH (UPDLOCK, HOLDLOCK) WHERE name = @p1 AND name_bytes = DATALENGTH(@p1))

-- name: claim#azure
INSERT INTO hotcold_lease (name, holder, nonce, boot, epoch, version, released, successor, incarnation, update_us, wait_us, trust_us, fence_us, memo, name_bytes, written_at) SELECT @p1, @p2, @p3, @p4, @p5, @p6, @p7, @p8, @p9, @p10, @p11, @p12, @p13, @p14, DATALENGTH(@p1), SYSUTCDATETIME() WHERE CONCAT((SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN (SELECT CAST(NULL AS nvarchar(36)) AS database_guid, CAST(NULL AS nvarchar(36)) AS recovery_fork_guid) AS f ON 1 = 0 WHERE d.database_id = DB_ID()), N'.') = CONCAT(@p15, N'.') AND NOT EXISTS (SELECT 1 FROM hotcold_lease WITH (UPDLOCK, HOLDLOCK) WHERE name = @p1 AND name_bytes = DATALENGTH(@p1))

-- name: claim+signal
DECLARE @changed bigint, @id bigint; BEGIN TRANSACTION; INSERT INTO hotcold_lease (name, holder, nonce, boot, epoch, version, released, successor, incarnation, update_us, wait_us, trust_us, fence_us, memo, name_bytes, written_at) SELECT @p1, @p2, @p3, @p4, @p5, @p6, @p7, @p8, @p9, @p10, @p11, @p12, @p13, @p14, DATALENGTH(@p1), SYSUTCDATETIME() WHERE CONCAT((SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS f ON f.database_id = d.database_id WHERE d.database_id = DB_ID()), N'.') = CONCAT(@p15, N'.') AND NOT EXISTS (SELECT 1 FROM hotcold_lease WITH (UPDLOCK, HOLDLOCK) WHERE name = @p1 AND name_bytes = DATALENGTH(@p1)); SELECT @changed = @@ROWCOUNT, @id = CONVERT(bigint, SCOPE_IDENTITY()); IF @changed > 0 BEGIN UPDATE hotcold_meta WITH (UPDLOCK, HOLDLOCK) SET value = CONVERT(nvarchar(20), CONVERT(bigint, value) + 1) WHERE name = @p16; IF @@ROWCOUNT = 0 INSERT INTO hotcold_meta (name, value) VALUES (@p16, N'1') END; COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF); SELECT @changed

-- name: claim+signal#azure
DECLARE @changed bigint, @id bigint; BEGIN TRANSACTION; INSERT INTO hotcold_lease (name, holder, nonce, boot, epoch, version, released, successor, incarnation, update_us, wait_us, trust_us, fence_us, memo, name_bytes, written_at) SELECT @p1, @p2, @p3, @p4, @p5, @p6, @p7, @p8, @p9, @p10, @p11, @p12, @p13, @p14, DATALENGTH(@p1), SYSUTCDATETIME() WHERE CONCAT((SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN (SELECT CAST(NULL AS nvarchar(36)) AS database_guid, CAST(NULL AS nvarchar(36)) AS recovery_fork_guid) AS f ON 1 = 0 WHERE d.database_id = DB_ID()), N'.') = CONCAT(@p15, N'.') AND NOT EXISTS (SELECT 1 FROM hotcold_lease WITH (UPDLOCK, HOLDLOCK) WHERE name = @p1 AND name_bytes = DATALENGTH(@p1)); SELECT @changed = @@ROWCOUNT, @id = CONVERT(bigint, SCOPE_IDENTITY()); IF @changed > 0 BEGIN UPDATE hotcold_meta WITH (UPDLOCK, HOLDLOCK) SET value = CONVERT(nvarchar(20), CONVERT(bigint, value) + 1) WHERE name = @p16; IF @@ROWCOUNT = 0 INSERT INTO hotcold_meta (name, value) VALUES (@p16, N'1') END; COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF); SELECT @changed

-- name: renew
UPDATE hotcold_lease WITH (UPDLOCK, ROWLOCK) SET holder = @p1, nonce = @p2, boot = @p3, epoch = @p4, version = @p5, released = @p6, successor = @p7, incarnation = @p8, update_us = @p9, wait_us = @p10, trust_us = @p11, fence_us = @p12, memo = @p13, written_at = SYSUTCDATETIME() WHERE name = @p14 AND name_bytes = DATALENGTH(@p14) AND holder = @p15 AND DATALENGTH(holder) = DATALENGTH(@p15) AND nonce = @p16 AND DATALENGTH(nonce) = DATALENGTH(@p16) AND epoch = @p17 AND version = @p18 AND released = @p19 AND incarnation = @p20 AND DATALENGTH(incarnation) = DATALENGTH(@p20) AND CONCAT((SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS f ON f.database_id = d.database_id WHERE d.database_id = DB_ID()), N'.') = CONCAT(@p21, N'.')

-- name: renew#azure
UPDATE hotcold_lease WITH (UPDLOCK, ROWLOCK) SET holder = @p1, nonce = @p2, boot = @p3, epoch = @p4, version = @p5, released = @p6, successor = @p7, incarnation = @p8, update_us = @p9, wait_us = @p10, trust_us = @p11, fence_us = @p12, memo = @p13, written_at = SYSUTCDATETIME() WHERE name = @p14 AND name_bytes = DATALENGTH(@p14) AND holder = @p15 AND DATALENGTH(holder) = DATALENGTH(@p15) AND nonce = @p16 AND DATALENGTH(nonce) = DATALENGTH(@p16) AND epoch = @p17 AND version = @p18 AND released = @p19 AND incarnation = @p20 AND DATALENGTH(incarnation) = DATALENGTH(@p20) AND CONCAT((SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN (SELECT CAST(NULL AS nvarchar(36)) AS database_guid, CAST(NULL AS nvarchar(36)) AS recovery_fork_guid) AS f ON 1 = 0 WHERE d.database_id = DB_ID()), N'.') = CONCAT(@p21, N'.')

-- name: renew+signal
DECLARE @changed bigint, @id bigint; BEGIN TRANSACTION; UPDATE hotcold_lease WITH (UPDLOCK, ROWLOCK) SET holder = @p1, nonce = @p2, boot = @p3, epoch = @p4, version = @p5, released = @p6, successor = @p7, incarnation = @p8, update_us = @p9, wait_us = @p10, trust_us = @p11, fence_us = @p12, memo = @p13, written_at = SYSUTCDATETIME() WHERE name = @p14 AND name_bytes = DATALENGTH(@p14) AND holder = @p15 AND DATALENGTH(holder) = DATALENGTH(@p15) AND nonce = @p16 AND DATALENGTH(nonce) = DATALENGTH(@p16) AND epoch = @p17 AND version = @p18 AND released = @p19 AND incarnation = @p20 AND DATALENGTH(incarnation) = DATALENGTH(@p20) AND CONCAT((SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS f ON f.database_id = d.database_id WHERE d.database_id = DB_ID()), N'.') = CONCAT(@p21, N'.'); SELECT @changed = @@ROWCOUNT, @id = CONVERT(bigint, SCOPE_IDENTITY()); IF @changed > 0 BEGIN UPDATE hotcold_meta WITH (UPDLOCK, HOLDLOCK) SET value = CONVERT(nvarchar(20), CONVERT(bigint, value) + 1) WHERE name = @p22; IF @@ROWCOUNT = 0 INSERT INTO hotcold_meta (name, value) VALUES (@p22, N'1') END; COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF); SELECT @changed

-- name: renew+signal#azure
DECLARE @changed bigint, @id bigint; BEGIN TRANSACTION; UPDATE hotcold_lease WITH (UPDLOCK, ROWLOCK) SET holder = @p1, nonce = @p2, boot = @p3, epoch = @p4, version = @p5, released = @p6, successor = @p7, incarnation = @p8, update_us = @p9, wait_us = @p10, trust_us = @p11, fence_us = @p12, memo = @p13, written_at = SYSUTCDATETIME() WHERE name = @p14 AND name_bytes = DATALENGTH(@p14) AND holder = @p15 AND DATALENGTH(holder) = DATALENGTH(@p15) AND nonce = @p16 AND DATALENGTH(nonce) = DATALENGTH(@p16) AND epoch = @p17 AND version = @p18 AND released = @p19 AND incarnation = @p20 AND DATALENGTH(incarnation) = DATALENGTH(@p20) AND CONCAT((SELECT CONCAT(CONVERT(nvarchar(128), SERVERPROPERTY('ServerName')), N'/', CONVERT(nvarchar(36), f.database_guid), N'/', CONVERT(nvarchar(36), f.recovery_fork_guid), N'/', CONVERT(nvarchar(30), d.create_date, 126), N'/', OBJECT_ID(N'hotcold_lease')) COLLATE Latin1_General_100_BIN2 FROM sys.databases AS d LEFT JOIN (SELECT CAST(NULL AS nvarchar(36)) AS database_guid, CAST(NULL AS nvarchar(36)) AS recovery_fork_guid) AS f ON 1 = 0 WHERE d.database_id = DB_ID()), N'.') = CONCAT(@p21, N'.'); SELECT @changed = @@ROWCOUNT, @id = CONVERT(bigint, SCOPE_IDENTITY()); IF @changed > 0 BEGIN UPDATE hotcold_meta WITH (UPDLOCK, HOLDLOCK) SET value = CONVERT(nvarchar(20), CONVERT(bigint, value) + 1) WHERE name = @p22; IF @@ROWCOUNT = 0 INSERT INTO hotcold_meta (name, value) VALUES (@p22, N'1') END; COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF); SELECT @changed

-- name: announce
BEGIN TRANSACTION; UPDATE hotcold_instance WITH (UPDLOCK, HOLDLOCK) SET machine = @p3, boot = @p5, state = @p6, document = @p7, written_at = SYSUTCDATETIME() WHERE lease = @p1 AND DATALENGTH(lease) = DATALENGTH(@p1) AND id = @p2 AND DATALENGTH(id) = DATALENGTH(@p2) AND nonce = @p4 AND DATALENGTH(nonce) = DATALENGTH(@p4); IF @@ROWCOUNT = 0 INSERT INTO hotcold_instance (lease, id, machine, nonce, boot, state, document, lease_bytes, id_bytes, nonce_bytes, written_at) VALUES (@p1, @p2, @p3, @p4, @p5, @p6, @p7, DATALENGTH(@p1), DATALENGTH(@p2), DATALENGTH(@p4), SYSUTCDATETIME()); COMMIT TRANSACTION

-- name: forgetInstances
DELETE FROM hotcold_instance WHERE lease = @p1 AND DATALENGTH(lease) = DATALENGTH(@p1) AND id = @p2 AND DATALENGTH(id) = DATALENGTH(@p2) AND NOT (nonce = @p3 AND DATALENGTH(nonce) = DATALENGTH(@p3)) AND written_at < DATEADD(day, -1, SYSUTCDATETIME())

-- name: instances
SELECT lease, id, machine, nonce, boot, state, document, DATEDIFF_BIG(microsecond, '1970-01-01', written_at), DATEDIFF_BIG(microsecond, written_at, SYSUTCDATETIME()) FROM hotcold_instance WHERE lease = @p1 AND DATALENGTH(lease) = DATALENGTH(@p1) ORDER BY id, written_at DESC, nonce

-- name: record
INSERT INTO hotcold_event (lease, instance, kind, epoch, document, happened_at) VALUES (@p1, @p2, @p3, @p4, @p5, SYSUTCDATETIME())

-- name: forgetEvents
DELETE FROM hotcold_event WHERE lease = @p1 AND DATALENGTH(lease) = DATALENGTH(@p1) AND id <= (SELECT id FROM hotcold_event WHERE lease = @p2 AND DATALENGTH(lease) = DATALENGTH(@p2) ORDER BY id DESC OFFSET 10000 ROWS FETCH NEXT 1 ROWS ONLY)

-- name: events
SELECT TOP (@p2) id, lease, instance, kind, epoch, document, DATEDIFF_BIG(microsecond, '1970-01-01', happened_at) FROM hotcold_event WHERE lease = @p1 AND DATALENGTH(lease) = DATALENGTH(@p1) ORDER BY id DESC

-- name: ask
INSERT INTO hotcold_request (lease, kind, target, asked_by, document, state, accepted_by, answer, asked_at) VALUES (@p1, @p2, @p3, @p4, @p5, N'open', N'', N'', SYSUTCDATETIME())

-- name: ask+signal
DECLARE @changed bigint, @id bigint; BEGIN TRANSACTION; INSERT INTO hotcold_request (lease, kind, target, asked_by, document, state, accepted_by, answer, asked_at) VALUES (@p1, @p2, @p3, @p4, @p5, N'open', N'', N'', SYSUTCDATETIME()); SELECT @changed = @@ROWCOUNT, @id = CONVERT(bigint, SCOPE_IDENTITY()); IF @changed > 0 BEGIN UPDATE hotcold_meta WITH (UPDLOCK, HOLDLOCK) SET value = CONVERT(nvarchar(20), CONVERT(bigint, value) + 1) WHERE name = @p6; IF @@ROWCOUNT = 0 INSERT INTO hotcold_meta (name, value) VALUES (@p6, N'1') END; COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF); SELECT @id

-- name: forgetRequests
DELETE FROM hotcold_request WHERE lease = @p1 AND DATALENGTH(lease) = DATALENGTH(@p1) AND ended_at < DATEADD(day, -30, SYSUTCDATETIME())

-- name: requests
SELECT id, lease, kind, target, asked_by, document, state, accepted_by, answer, DATEDIFF_BIG(microsecond, '1970-01-01', asked_at), DATEDIFF_BIG(microsecond, '1970-01-01', ended_at), DATEDIFF_BIG(microsecond, asked_at, SYSUTCDATETIME()) FROM hotcold_request WHERE lease = @p1 AND DATALENGTH(lease) = DATALENGTH(@p1) AND state IN (N'open', N'accepted') ORDER BY id

-- name: request
SELECT id, lease, kind, target, asked_by, document, state, accepted_by, answer, DATEDIFF_BIG(microsecond, '1970-01-01', asked_at), DATEDIFF_BIG(microsecond, '1970-01-01', ended_at), DATEDIFF_BIG(microsecond, asked_at, SYSUTCDATETIME()) FROM hotcold_request WHERE id = @p1

-- name: accept
UPDATE hotcold_request WITH (UPDLOCK, ROWLOCK) SET state = N'accepted', accepted_by = @p1 WHERE id = @p2 AND (state = N'open' OR (state = N'accepted' AND accepted_by = @p3 AND DATALENGTH(accepted_by) = DATALENGTH(@p3)))

-- name: accept+signal
DECLARE @changed bigint, @id bigint; BEGIN TRANSACTION; UPDATE hotcold_request WITH (UPDLOCK, ROWLOCK) SET state = N'accepted', accepted_by = @p1 WHERE id = @p2 AND (state = N'open' OR (state = N'accepted' AND accepted_by = @p3 AND DATALENGTH(accepted_by) = DATALENGTH(@p3))); SELECT @changed = @@ROWCOUNT, @id = CONVERT(bigint, SCOPE_IDENTITY()); IF @changed > 0 BEGIN UPDATE hotcold_meta WITH (UPDLOCK, HOLDLOCK) SET value = CONVERT(nvarchar(20), CONVERT(bigint, value) + 1) WHERE name = @p4; IF @@ROWCOUNT = 0 INSERT INTO hotcold_meta (name, value) VALUES (@p4, N'1') END; COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF); SELECT @changed

-- name: answer
UPDATE hotcold_request WITH (UPDLOCK, ROWLOCK) SET state = @p1, answer = @p2, ended_at = SYSUTCDATETIME() WHERE id = @p3 AND state IN (N'open', N'accepted')

-- name: answer+signal
DECLARE @changed bigint, @id bigint; BEGIN TRANSACTION; UPDATE hotcold_request WITH (UPDLOCK, ROWLOCK) SET state = @p1, answer = @p2, ended_at = SYSUTCDATETIME() WHERE id = @p3 AND state IN (N'open', N'accepted'); SELECT @changed = @@ROWCOUNT, @id = CONVERT(bigint, SCOPE_IDENTITY()); IF @changed > 0 BEGIN UPDATE hotcold_meta WITH (UPDLOCK, HOLDLOCK) SET value = CONVERT(nvarchar(20), CONVERT(bigint, value) + 1) WHERE name = @p4; IF @@ROWCOUNT = 0 INSERT INTO hotcold_meta (name, value) VALUES (@p4, N'1') END; COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF); SELECT @changed

-- name: withdraw
UPDATE hotcold_request WITH (UPDLOCK, ROWLOCK) SET state = N'withdrawn', ended_at = COALESCE(ended_at, SYSUTCDATETIME()) WHERE id = @p1 AND state IN (N'open', N'withdrawn')

-- name: withdraw+signal
DECLARE @changed bigint, @id bigint; BEGIN TRANSACTION; UPDATE hotcold_request WITH (UPDLOCK, ROWLOCK) SET state = N'withdrawn', ended_at = COALESCE(ended_at, SYSUTCDATETIME()) WHERE id = @p1 AND state IN (N'open', N'withdrawn'); SELECT @changed = @@ROWCOUNT, @id = CONVERT(bigint, SCOPE_IDENTITY()); IF @changed > 0 BEGIN UPDATE hotcold_meta WITH (UPDLOCK, HOLDLOCK) SET value = CONVERT(nvarchar(20), CONVERT(bigint, value) + 1) WHERE name = @p2; IF @@ROWCOUNT = 0 INSERT INTO hotcold_meta (name, value) VALUES (@p2, N'1') END; COMMIT TRANSACTION WITH (DELAYED_DURABILITY = OFF); SELECT @changed

