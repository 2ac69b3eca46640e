-- The tables of hotcold for oracle, version 1. Running this again changes nothing.
-- Run it with SQL*Plus or SQLcl in the schema of the agents' user. An agent tells every failover,
-- restore and flashback if it may read this besides:
--     GRANT SELECT ON SYS.V_$DATABASE TO USER;

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
/

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
/

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
/

BEGIN
    EXECUTE IMMEDIATE 'CREATE INDEX hotcold_event_lease ON hotcold_event (lease, id)';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;
/

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
/

BEGIN
    EXECUTE IMMEDIATE 'CREATE INDEX hotcold_request_lease ON hotcold_request (lease, id)';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;
/

BEGIN
    EXECUTE IMMEDIATE 'CREATE TABLE hotcold_meta (
        name VARCHAR2(400 CHAR) NOT NULL PRIMARY KEY,
        value VARCHAR2(400 CHAR)
    )';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;
/

BEGIN
    EXECUTE IMMEDIATE 'CREATE SEQUENCE hotcold_number ORDER NOCACHE';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;
/

BEGIN
    EXECUTE IMMEDIATE 'INSERT INTO hotcold_meta (name, value) VALUES (''schema'', ''1'')';
EXCEPTION WHEN OTHERS THEN
    IF SQLCODE NOT IN (-955, -1, -1408) THEN RAISE; END IF;
END;
/

COMMIT;

-- Only where the agents' user is another one than the owner of the tables:
--     GRANT SELECT, INSERT, UPDATE ON hotcold_lease TO USER;
--     GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold_instance TO USER;
--     GRANT SELECT, INSERT, DELETE ON hotcold_event TO USER;
--     GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold_request TO USER;
--     GRANT SELECT, INSERT, UPDATE ON hotcold_meta TO USER;
--     GRANT SELECT ON hotcold_number TO USER;
-- and its sessions have to be set to this schema (ALTER SESSION SET CURRENT_SCHEMA in a logon trigger).
