-- name: opening
BEGIN EXECUTE IMMEDIATE 'ALTER SESSION SET COMMIT_WAIT = ''FORCE_WAIT'''; EXECUTE IMMEDIATE 'ALTER SESSION SET COMMIT_LOGGING = ''IMMEDIATE'''; EXECUTE IMMEDIATE 'ALTER SESSION SET NLS_COMP = BINARY'; EXECUTE IMMEDIATE 'ALTER SESSION SET NLS_SORT = BINARY'; EXECUTE IMMEDIATE 'ALTER SESSION SET ISOLATION_LEVEL = READ COMMITTED'; EXECUTE IMMEDIATE 'ALTER SESSION SET NLS_NUMERIC_CHARACTERS = ''.,'''; END;

-- name: place
SELECT SYS_CONTEXT('USERENV', 'DATABASE_ROLE'), p.value FROM nls_database_parameters p WHERE p.parameter = 'NLS_CHARACTERSET'

-- name: probe
SELECT TO_CHAR(dbid) FROM v$database

-- name: survey
SELECT LOWER(t.table_name) FROM all_tables t WHERE t.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND t.table_name IN (UPPER('hotcold_lease'), UPPER('hotcold_instance'), UPPER('hotcold_event'), UPPER('hotcold_request'), UPPER('hotcold_meta'))

-- name: replicationProtection
SELECT d.protection_mode, d.protection_level, SYS_CONTEXT('USERENV', 'SESSION_USER') FROM v$database d

-- name: replicationStandbys
SELECT TO_CHAR(COUNT(*)), TO_CHAR(COALESCE(SUM(CASE WHEN a.synchronized = 'YES' THEN 1 ELSE 0 END), 0)) FROM v$archive_dest_status a WHERE a.type NOT IN ('LOCAL', 'CROSS-INSTANCE') AND a.status <> 'INACTIVE'

-- name: replicationMe
SELECT SYS_CONTEXT('USERENV', 'SESSION_USER') FROM dual

-- name: fenceLock
DECLARE l VARCHAR2(1000) := :1; h VARCHAR2(4000) := :2; n VARCHAR2(1000) := :3; e NUMBER := :4; u VARCHAR2(400) := UPPER(:5); t INTEGER; got INTEGER; held INTEGER; BEGIN t := DBMS_UTILITY.GET_HASH_VALUE('hotcold_/' || l, 0, 1073741823); got := DBMS_LOCK.REQUEST(t, DBMS_LOCK.X_MODE, 1, FALSE); SELECT COUNT(*) INTO held FROM hotcold_lease WHERE name = l AND DECODE(holder, h, 1, 0) = 1 AND DECODE(nonce, n, 1, 0) = 1 AND epoch = e AND released = 0; IF held = 0 THEN RAISE_APPLICATION_ERROR(-20901, 'the lease is not held under this epoch'); END IF; IF got NOT IN (0, 4) THEN FOR r IN (SELECT CASE WHEN s.inst_id = TO_NUMBER(SYS_CONTEXT('USERENV', 'INSTANCE')) THEN 'DISCONNECT SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || '''' ELSE 'KILL SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || ',@' || TO_CHAR(s.inst_id) || '''' END AS what FROM gv$session s JOIN gv$lock k ON k.sid = s.sid AND k.inst_id = s.inst_id WHERE k.type = 'UL' AND k.id1 = t AND k.lmode = 6) LOOP BEGIN EXECUTE IMMEDIATE 'ALTER SYSTEM ' || r.what || ' IMMEDIATE'; EXCEPTION WHEN OTHERS THEN IF SQLCODE NOT IN (-30, -31) THEN RAISE; END IF; END; END LOOP; RAISE_APPLICATION_ERROR(-20902, 'another session has the turn'); END IF; EXECUTE IMMEDIATE 'ALTER USER ' || DBMS_ASSERT.ENQUOTE_NAME(u, FALSE) || ' ACCOUNT LOCK'; got := DBMS_LOCK.RELEASE(t); EXCEPTION WHEN OTHERS THEN got := DBMS_LOCK.RELEASE(t); RAISE; END;

-- name: fenceEnd
DECLARE l VARCHAR2(1000) := :1; h VARCHAR2(4000) := :2; n VARCHAR2(1000) := :3; e NUMBER := :4; u VARCHAR2(400) := UPPER(:5); t INTEGER; got INTEGER; held INTEGER; BEGIN t := DBMS_UTILITY.GET_HASH_VALUE('hotcold_/' || l, 0, 1073741823); got := DBMS_LOCK.REQUEST(t, DBMS_LOCK.X_MODE, 1, FALSE); SELECT COUNT(*) INTO held FROM hotcold_lease WHERE name = l AND DECODE(holder, h, 1, 0) = 1 AND DECODE(nonce, n, 1, 0) = 1 AND epoch = e AND released = 0; IF held = 0 THEN RAISE_APPLICATION_ERROR(-20901, 'the lease is not held under this epoch'); END IF; IF got NOT IN (0, 4) THEN FOR r IN (SELECT CASE WHEN s.inst_id = TO_NUMBER(SYS_CONTEXT('USERENV', 'INSTANCE')) THEN 'DISCONNECT SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || '''' ELSE 'KILL SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || ',@' || TO_CHAR(s.inst_id) || '''' END AS what FROM gv$session s JOIN gv$lock k ON k.sid = s.sid AND k.inst_id = s.inst_id WHERE k.type = 'UL' AND k.id1 = t AND k.lmode = 6) LOOP BEGIN EXECUTE IMMEDIATE 'ALTER SYSTEM ' || r.what || ' IMMEDIATE'; EXCEPTION WHEN OTHERS THEN IF SQLCODE NOT IN (-30, -31) THEN RAISE; END IF; END; END LOOP; RAISE_APPLICATION_ERROR(-20902, 'another session has the turn'); END IF; FOR r IN (SELECT CASE WHEN s.inst_id = TO_NUMBER(SYS_CONTEXT('USERENV', 'INSTANCE')) THEN 'DISCONNECT SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || '''' ELSE 'KILL SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || ',@' || TO_CHAR(s.inst_id) || '''' END AS what FROM gv$session s WHERE s.username = u) LOOP BEGIN EXECUTE IMMEDIATE 'ALTER SYSTEM ' || r.what || ' IMMEDIATE'; EXCEPTION WHEN OTHERS THEN IF SQLCODE NOT IN (-30, -31) THEN RAISE; END IF; END; END LOOP; got := DBMS_LOCK.RELEASE(t); EXCEPTION WHEN OTHERS THEN got := DBMS_LOCK.RELEASE(t); RAISE; END;

-- name: fenceUnlock
DECLARE l VARCHAR2(1000) := :1; h VARCHAR2(4000) := :2; n VARCHAR2(1000) := :3; e NUMBER := :4; u VARCHAR2(400) := UPPER(:5); t INTEGER; got INTEGER; held INTEGER; BEGIN t := DBMS_UTILITY.GET_HASH_VALUE('hotcold_/' || l, 0, 1073741823); got := DBMS_LOCK.REQUEST(t, DBMS_LOCK.X_MODE, 1, FALSE); SELECT COUNT(*) INTO held FROM hotcold_lease WHERE name = l AND DECODE(holder, h, 1, 0) = 1 AND DECODE(nonce, n, 1, 0) = 1 AND epoch = e AND released = 0; IF held = 0 THEN RAISE_APPLICATION_ERROR(-20901, 'the lease is not held under this epoch'); END IF; IF got NOT IN (0, 4) THEN FOR r IN (SELECT CASE WHEN s.inst_id = TO_NUMBER(SYS_CONTEXT('USERENV', 'INSTANCE')) THEN 'DISCONNECT SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || '''' ELSE 'KILL SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || ',@' || TO_CHAR(s.inst_id) || '''' END AS what FROM gv$session s JOIN gv$lock k ON k.sid = s.sid AND k.inst_id = s.inst_id WHERE k.type = 'UL' AND k.id1 = t AND k.lmode = 6) LOOP BEGIN EXECUTE IMMEDIATE 'ALTER SYSTEM ' || r.what || ' IMMEDIATE'; EXCEPTION WHEN OTHERS THEN IF SQLCODE NOT IN (-30, -31) THEN RAISE; END IF; END; END LOOP; RAISE_APPLICATION_ERROR(-20902, 'another session has the turn'); END IF; FOR r IN (SELECT CASE WHEN s.inst_id = TO_NUMBER(SYS_CONTEXT('USERENV', 'INSTANCE')) THEN 'DISCONNECT SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || '''' ELSE 'KILL SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || ',@' || TO_CHAR(s.inst_id) || '''' END AS what FROM gv$session s WHERE s.username = u) LOOP BEGIN EXECUTE IMMEDIATE 'ALTER SYSTEM ' || r.what || ' IMMEDIATE'; EXCEPTION WHEN OTHERS THEN IF SQLCODE NOT IN (-30, -31) THEN RAISE; END IF; END; END LOOP; EXECUTE IMMEDIATE 'ALTER USER ' || DBMS_ASSERT.ENQUOTE_NAME(u, FALSE) || ' ACCOUNT UNLOCK'; got := DBMS_LOCK.RELEASE(t); EXCEPTION WHEN OTHERS THEN got := DBMS_LOCK.RELEASE(t); RAISE; END;

-- name: fenceLeft
SELECT TO_CHAR(COUNT(*)) FROM gv$session WHERE username = UPPER(:1)

-- name: fencePrepared
SELECT TO_CHAR(COUNT(*)) FROM dba_2pc_pending WHERE state = 'prepared'

-- name: fenceMay
SELECT privilege FROM session_privs WHERE privilege IN ('ALTER USER', 'ALTER SYSTEM') UNION ALL SELECT table_name FROM all_tab_privs WHERE table_name IN ('DBMS_LOCK', 'GV_$SESSION', 'GV_$LOCK', 'DBA_2PC_PENDING') AND (grantee IN (USER, 'PUBLIC') OR grantee IN (SELECT role FROM session_roles))

-- name: fenceUser
SELECT USER, TO_CHAR(COUNT(*)) FROM all_users WHERE username = UPPER(:1)

-- name: number
SELECT TO_CHAR(hotcold_number.NEXTVAL) FROM DUAL

-- name: create#0
BEGIN
    EXECUTE IMMEDIATE 'CREATE TABLE hotcold_lease (
        name VARCHAR2(200 CHAR) NOT NULL PRIMARY KEY,
        holder VARCHAR2(1000 CHAR),
        nonce VARCHAR2(200 CHAR),
        boot VARCHAR2(200 CHAR),
        epoch NUMBER(19) NOT NULL,
        version NUMBER(19) NOT NULL,
        released NUMBER(1) NOT NULL,
        successor VARCHAR2(1000 CHAR),
        incarnation VARCHAR2(400 CHAR),
        update_us NUMBER(19) NOT NULL,
        wait_us NUMBER(19) NOT NULL,
        trust_us NUMBER(19) NOT NULL,
        fence_us NUMBER(19) NOT NULL,
        memo VARCHAR2(4000 BYTE),
        written_at TIMESTAMP(6) DEFAULT SYS_EXTRACT_UTC(SYSTIMESTAMP) NOT NULL
    )';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;

-- name: create#1
BEGIN
    EXECUTE IMMEDIATE 'CREATE TABLE hotcold_instance (
        lease VARCHAR2(200 CHAR) NOT NULL,
        id VARCHAR2(400 CHAR) NOT NULL,
        nonce VARCHAR2(200 CHAR) NOT NULL,
        machine VARCHAR2(1000 CHAR),
        boot VARCHAR2(200 CHAR),
        state VARCHAR2(200 CHAR),
        document CLOB,
        written_at TIMESTAMP(6) DEFAULT SYS_EXTRACT_UTC(SYSTIMESTAMP) NOT NULL,
        PRIMARY KEY (lease, id, nonce)
    )';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;

-- name: create#2
BEGIN
    EXECUTE IMMEDIATE 'CREATE TABLE hotcold_event (
        id NUMBER(19) NOT NULL PRIMARY KEY,
        lease VARCHAR2(200 CHAR),
        instance VARCHAR2(1000 CHAR),
        kind VARCHAR2(200 CHAR),
        epoch NUMBER(19) NOT NULL,
        document CLOB,
        happened_at TIMESTAMP(6) DEFAULT SYS_EXTRACT_UTC(SYSTIMESTAMP) NOT NULL
    )';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;

-- name: create#3
BEGIN
    EXECUTE IMMEDIATE 'CREATE INDEX hotcold_event_lease ON hotcold_event (lease, id)';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;

-- name: create#4
BEGIN
    EXECUTE IMMEDIATE 'CREATE TABLE hotcold_request (
        id NUMBER(19) NOT NULL PRIMARY KEY,
        lease VARCHAR2(200 CHAR),
        kind VARCHAR2(200 CHAR),
        target VARCHAR2(1000 CHAR),
        asked_by VARCHAR2(1000 CHAR),
        document CLOB,
        state VARCHAR2(20 CHAR),
        accepted_by VARCHAR2(1000 CHAR),
        answer CLOB,
        asked_at TIMESTAMP(6) DEFAULT SYS_EXTRACT_UTC(SYSTIMESTAMP) NOT NULL,
        ended_at TIMESTAMP(6)
    )';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;

-- name: create#5
BEGIN
    EXECUTE IMMEDIATE 'CREATE INDEX hotcold_request_lease ON hotcold_request (lease, id)';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;

-- name: create#6
BEGIN
    EXECUTE IMMEDIATE 'CREATE TABLE hotcold_meta (
        name VARCHAR2(400 CHAR) NOT NULL PRIMARY KEY,
        value VARCHAR2(400 CHAR)
    )';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;

-- name: create#7
BEGIN
    EXECUTE IMMEDIATE 'CREATE SEQUENCE hotcold_number ORDER NOCACHE';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;

-- name: create#8
BEGIN
    EXECUTE IMMEDIATE 'INSERT INTO hotcold_meta (name, value) VALUES (''schema'', ''1'')';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;

-- name: raiseSignal
DECLARE n VARCHAR2(1000) := :1; BEGIN UPDATE hotcold_meta SET value = TO_CHAR(TO_NUMBER(value) + 1) WHERE name = n; IF SQL%ROWCOUNT = 0 THEN BEGIN INSERT INTO hotcold_meta (name, value) VALUES (n, '1'); EXCEPTION WHEN DUP_VAL_ON_INDEX THEN UPDATE hotcold_meta SET value = TO_CHAR(TO_NUMBER(value) + 1) WHERE name = n; END; END IF; END;

-- name: schemaVersion
SELECT value FROM hotcold_meta WHERE name = 'schema'

-- name: signal
SELECT value FROM hotcold_meta WHERE name = :1

-- name: read
SELECT (SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME') || '/' || (SELECT TO_CHAR(MAX(o.object_id)) FROM all_objects o WHERE o.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND o.object_name = UPPER('hotcold_lease') AND o.object_type = 'TABLE') || '/' || TO_CHAR(v.dbid) || '/' || TO_CHAR(v.resetlogs_change#) FROM v$database v), l.name, l.holder, l.nonce, l.boot, TO_CHAR(l.epoch), TO_CHAR(l.version), TO_CHAR(l.released), l.successor, l.incarnation, TO_CHAR(l.update_us), TO_CHAR(l.wait_us), TO_CHAR(l.trust_us), TO_CHAR(l.fence_us), l.memo, TO_CHAR(ROUND(((EXTRACT(DAY FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)), TO_CHAR(ROUND(((EXTRACT(DAY FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at)) * 24 + EXTRACT(HOUR FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at))) * 60 + EXTRACT(MINUTE FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at))) * 60000000 + EXTRACT(SECOND FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at)) * 1000000)) FROM DUAL LEFT JOIN hotcold_lease l ON l.name = :1

-- name: read#partial
SELECT (SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME') || '/' || (SELECT TO_CHAR(MAX(o.object_id)) FROM all_objects o WHERE o.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND o.object_name = UPPER('hotcold_lease') AND o.object_type = 'TABLE') || '/' || '-' FROM DUAL), l.name, l.holder, l.nonce, l.boot, TO_CHAR(l.epoch), TO_CHAR(l.version), TO_CHAR(l.released), l.successor, l.incarnation, TO_CHAR(l.update_us), TO_CHAR(l.wait_us), TO_CHAR(l.trust_us), TO_CHAR(l.fence_us), l.memo, TO_CHAR(ROUND(((EXTRACT(DAY FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)), TO_CHAR(ROUND(((EXTRACT(DAY FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at)) * 24 + EXTRACT(HOUR FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at))) * 60 + EXTRACT(MINUTE FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at))) * 60000000 + EXTRACT(SECOND FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at)) * 1000000)) FROM DUAL LEFT JOIN hotcold_lease l ON l.name = :1

-- name: leases
SELECT (SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME') || '/' || (SELECT TO_CHAR(MAX(o.object_id)) FROM all_objects o WHERE o.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND o.object_name = UPPER('hotcold_lease') AND o.object_type = 'TABLE') || '/' || TO_CHAR(v.dbid) || '/' || TO_CHAR(v.resetlogs_change#) FROM v$database v), l.name, l.holder, l.nonce, l.boot, TO_CHAR(l.epoch), TO_CHAR(l.version), TO_CHAR(l.released), l.successor, l.incarnation, TO_CHAR(l.update_us), TO_CHAR(l.wait_us), TO_CHAR(l.trust_us), TO_CHAR(l.fence_us), l.memo, TO_CHAR(ROUND(((EXTRACT(DAY FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)), TO_CHAR(ROUND(((EXTRACT(DAY FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at)) * 24 + EXTRACT(HOUR FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at))) * 60 + EXTRACT(MINUTE FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at))) * 60000000 + EXTRACT(SECOND FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at)) * 1000000)) FROM hotcold_lease l ORDER BY l.name

-- name: leases#partial
SELECT (SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME') || '/' || (SELECT TO_CHAR(MAX(o.object_id)) FROM all_objects o WHERE o.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND o.object_name = UPPER('hotcold_lease') AND o.object_type = 'TABLE') || '/' || '-' FROM DUAL), l.name, l.holder, l.nonce, l.boot, TO_CHAR(l.epoch), TO_CHAR(l.version), TO_CHAR(l.released), l.successor, l.incarnation, TO_CHAR(l.update_us), TO_CHAR(l.wait_us), TO_CHAR(l.trust_us), TO_CHAR(l.fence_us), l.memo, TO_CHAR(ROUND(((EXTRACT(DAY FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (l.written_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)), TO_CHAR(ROUND(((EXTRACT(DAY FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at)) * 24 + EXTRACT(HOUR FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at))) * 60 + EXTRACT(MINUTE FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at))) * 60000000 + EXTRACT(SECOND FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - l.written_at)) * 1000000)) FROM hotcold_lease l ORDER BY l.name

-- name: claim
INSERT INTO hotcold_lease (name, holder, nonce, boot, epoch, version, released, successor, incarnation, update_us, wait_us, trust_us, fence_us, memo, written_at) SELECT :1, :2, :3, :4, :5, :6, :7, :8, :9, :10, :11, :12, :13, :14, SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM DUAL WHERE (SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME') || '/' || (SELECT TO_CHAR(MAX(o.object_id)) FROM all_objects o WHERE o.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND o.object_name = UPPER('hotcold_lease') AND o.object_type = 'TABLE') || '/' || TO_CHAR(v.dbid) || '/' || TO_CHAR(v.resetlogs_change#) FROM v$database v) = :15

-- name: claim#partial
INSERT INTO hotcold_lease (name, holder, nonce, boot, epoch, version, released, successor, incarnation, update_us, wait_us, trust_us, fence_us, memo, written_at) SELECT :1, :2, :3, :4, :5, :6, :7, :8, :9, :10, :11, :12, :13, :14, SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM DUAL WHERE (SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME') || '/' || (SELECT TO_CHAR(MAX(o.object_id)) FROM all_objects o WHERE o.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND o.object_name = UPPER('hotcold_lease') AND o.object_type = 'TABLE') || '/' || '-' FROM DUAL) = :15

-- name: renew
UPDATE hotcold_lease SET holder = :1, nonce = :2, boot = :3, epoch = :4, version = :5, released = :6, successor = :7, incarnation = :8, update_us = :9, wait_us = :10, trust_us = :11, fence_us = :12, memo = :13, written_at = SYS_EXTRACT_UTC(SYSTIMESTAMP) WHERE name = :14 AND DECODE(holder, :15, 1, 0) = 1 AND DECODE(nonce, :16, 1, 0) = 1 AND epoch = :17 AND version = :18 AND released = :19 AND DECODE(incarnation, :20, 1, 0) = 1 AND (SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME') || '/' || (SELECT TO_CHAR(MAX(o.object_id)) FROM all_objects o WHERE o.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND o.object_name = UPPER('hotcold_lease') AND o.object_type = 'TABLE') || '/' || TO_CHAR(v.dbid) || '/' || TO_CHAR(v.resetlogs_change#) FROM v$database v) = :21

-- name: renew#partial
UPDATE hotcold_lease SET holder = :1, nonce = :2, boot = :3, epoch = :4, version = :5, released = :6, successor = :7, incarnation = :8, update_us = :9, wait_us = :10, trust_us = :11, fence_us = :12, memo = :13, written_at = SYS_EXTRACT_UTC(SYSTIMESTAMP) WHERE name = :14 AND DECODE(holder, :15, 1, 0) = 1 AND DECODE(nonce, :16, 1, 0) = 1 AND epoch = :17 AND version = :18 AND released = :19 AND DECODE(incarnation, :20, 1, 0) = 1 AND (SELECT SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME') || '/' || (SELECT TO_CHAR(MAX(o.object_id)) FROM all_objects o WHERE o.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND o.object_name = UPPER('hotcold_lease') AND o.object_type = 'TABLE') || '/' || '-' FROM DUAL) = :21

-- name: announce
DECLARE l VARCHAR2(1000) := :1; i VARCHAR2(4000) := :2; m VARCHAR2(4000) := :3; n VARCHAR2(1000) := :4; b VARCHAR2(1000) := :5; s VARCHAR2(1000) := :6; d CLOB := :7; BEGIN UPDATE hotcold_instance SET machine = m, boot = b, state = s, document = d, written_at = SYS_EXTRACT_UTC(SYSTIMESTAMP) WHERE lease = l AND id = i AND nonce = n; IF SQL%ROWCOUNT = 0 THEN BEGIN INSERT INTO hotcold_instance (lease, id, machine, nonce, boot, state, document, written_at) VALUES (l, i, m, n, b, s, d, SYS_EXTRACT_UTC(SYSTIMESTAMP)); EXCEPTION WHEN DUP_VAL_ON_INDEX THEN UPDATE hotcold_instance SET machine = m, boot = b, state = s, document = d, written_at = SYS_EXTRACT_UTC(SYSTIMESTAMP) WHERE lease = l AND id = i AND nonce = n; END; END IF; END;

-- name: forgetInstances
DELETE FROM hotcold_instance WHERE lease = :1 AND id = :2 AND nonce <> :3 AND written_at < SYS_EXTRACT_UTC(SYSTIMESTAMP) - INTERVAL '1' DAY

-- name: instances
SELECT lease, id, machine, nonce, boot, state, document, TO_CHAR(ROUND(((EXTRACT(DAY FROM (written_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (written_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (written_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)), TO_CHAR(ROUND(((EXTRACT(DAY FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - written_at)) * 24 + EXTRACT(HOUR FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - written_at))) * 60 + EXTRACT(MINUTE FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - written_at))) * 60000000 + EXTRACT(SECOND FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - written_at)) * 1000000)) FROM hotcold_instance WHERE lease = :1 ORDER BY id, written_at DESC, nonce

-- name: record
INSERT INTO hotcold_event (id, lease, instance, kind, epoch, document, happened_at) VALUES (hotcold_number.NEXTVAL, :1, :2, :3, :4, :5, SYS_EXTRACT_UTC(SYSTIMESTAMP))

-- name: forgetEvents
DELETE FROM hotcold_event WHERE lease = :1 AND id <= (SELECT id FROM hotcold_event WHERE lease = :2 ORDER BY id DESC OFFSET 10000 ROWS FETCH NEXT 1 ROWS ONLY)

-- name: events
SELECT TO_CHAR(id), lease, instance, kind, TO_CHAR(epoch), document, TO_CHAR(ROUND(((EXTRACT(DAY FROM (happened_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (happened_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (happened_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (happened_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)) FROM hotcold_event WHERE lease = :1 ORDER BY id DESC FETCH FIRST :2 ROWS ONLY

-- name: ask
INSERT INTO hotcold_request (lease, kind, target, asked_by, document, id, state, asked_at) VALUES (:1, :2, :3, :4, :5, :6, 'open', SYS_EXTRACT_UTC(SYSTIMESTAMP))

-- name: forgetRequests
DELETE FROM hotcold_request WHERE lease = :1 AND ended_at < SYS_EXTRACT_UTC(SYSTIMESTAMP) - INTERVAL '30' DAY

-- name: requests
SELECT TO_CHAR(id), lease, kind, target, asked_by, document, state, accepted_by, answer, TO_CHAR(ROUND(((EXTRACT(DAY FROM (asked_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (asked_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (asked_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (asked_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)), TO_CHAR(ROUND(((EXTRACT(DAY FROM (ended_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (ended_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (ended_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (ended_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)), TO_CHAR(ROUND(((EXTRACT(DAY FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - asked_at)) * 24 + EXTRACT(HOUR FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - asked_at))) * 60 + EXTRACT(MINUTE FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - asked_at))) * 60000000 + EXTRACT(SECOND FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - asked_at)) * 1000000)) FROM hotcold_request WHERE lease = :1 AND state IN ('open', 'accepted') ORDER BY id

-- name: request
SELECT TO_CHAR(id), lease, kind, target, asked_by, document, state, accepted_by, answer, TO_CHAR(ROUND(((EXTRACT(DAY FROM (asked_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (asked_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (asked_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (asked_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)), TO_CHAR(ROUND(((EXTRACT(DAY FROM (ended_at - TIMESTAMP '1970-01-01 00:00:00')) * 24 + EXTRACT(HOUR FROM (ended_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60 + EXTRACT(MINUTE FROM (ended_at - TIMESTAMP '1970-01-01 00:00:00'))) * 60000000 + EXTRACT(SECOND FROM (ended_at - TIMESTAMP '1970-01-01 00:00:00')) * 1000000)), TO_CHAR(ROUND(((EXTRACT(DAY FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - asked_at)) * 24 + EXTRACT(HOUR FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - asked_at))) * 60 + EXTRACT(MINUTE FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - asked_at))) * 60000000 + EXTRACT(SECOND FROM (SYS_EXTRACT_UTC(SYSTIMESTAMP) - asked_at)) * 1000000)) FROM hotcold_request WHERE id = :1

-- name: accept
UPDATE hotcold_request SET state = 'accepted', accepted_by = :1 WHERE id = :2 AND (state = 'open' OR (state = 'accepted' AND accepted_by = :3))

-- name: answer
UPDATE hotcold_request SET state = :1, answer = :2, ended_at = SYS_EXTRACT_UTC(SYSTIMESTAMP) WHERE id = :3 AND state IN ('open', 'accepted')

-- name: withdraw
UPDATE hotcold_request SET state = 'withdrawn', ended_at = COALESCE(ended_at, SYS_EXTRACT_UTC(SYSTIMESTAMP)) WHERE id = :1 AND state IN ('open', 'withdrawn')

