-- The tables of hotcold for mysql, version 1. Running this again changes nothing.
-- For MySQL and MariaDB alike. Run it once, with the account under which the agents log in:
--     mysql --init-command="SET @agent = '''USER''@''%'''" DATABASE < FILE

CREATE TABLE IF NOT EXISTS hotcold_lease (
    name VARCHAR(255) NOT NULL PRIMARY KEY,
    holder MEDIUMTEXT NOT NULL,
    nonce MEDIUMTEXT NOT NULL,
    boot MEDIUMTEXT NOT NULL,
    epoch BIGINT NOT NULL,
    version BIGINT NOT NULL,
    released BOOLEAN NOT NULL,
    successor MEDIUMTEXT NOT NULL,
    incarnation MEDIUMTEXT NOT NULL,
    update_us BIGINT NOT NULL,
    wait_us BIGINT NOT NULL,
    trust_us BIGINT NOT NULL,
    fence_us BIGINT NOT NULL,
    memo MEDIUMTEXT NOT NULL,
    written_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

CREATE TABLE IF NOT EXISTS hotcold_instance (
    lease VARCHAR(255) NOT NULL,
    id VARCHAR(255) NOT NULL,
    nonce VARCHAR(255) NOT NULL,
    machine MEDIUMTEXT NOT NULL,
    boot MEDIUMTEXT NOT NULL,
    state MEDIUMTEXT NOT NULL,
    document MEDIUMTEXT NOT NULL,
    written_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (lease, id, nonce)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

CREATE TABLE IF NOT EXISTS hotcold_event (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    lease VARCHAR(255) NOT NULL,
    instance MEDIUMTEXT NOT NULL,
    kind MEDIUMTEXT NOT NULL,
    epoch BIGINT NOT NULL,
    document MEDIUMTEXT NOT NULL,
    happened_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    INDEX hotcold_event_by_lease (lease, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

CREATE TABLE IF NOT EXISTS hotcold_request (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    lease VARCHAR(255) NOT NULL,
    kind MEDIUMTEXT NOT NULL,
    target MEDIUMTEXT NOT NULL,
    asked_by MEDIUMTEXT NOT NULL,
    document MEDIUMTEXT NOT NULL,
    state MEDIUMTEXT NOT NULL,
    accepted_by MEDIUMTEXT NOT NULL,
    answer MEDIUMTEXT NOT NULL,
    asked_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    ended_at DATETIME(6),
    INDEX hotcold_request_by_lease (lease, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

CREATE TABLE IF NOT EXISTS hotcold_meta (
    name VARCHAR(255) NOT NULL PRIMARY KEY,
    value MEDIUMTEXT NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

INSERT INTO hotcold_meta (name, value) VALUES ('schema', '1') ON DUPLICATE KEY UPDATE name = name;

SET @statement = CONCAT('GRANT SELECT, INSERT, UPDATE ON hotcold_lease TO ', @agent);
PREPARE hotcold FROM @statement;
EXECUTE hotcold;
SET @statement = CONCAT('GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold_instance TO ', @agent);
PREPARE hotcold FROM @statement;
EXECUTE hotcold;
SET @statement = CONCAT('GRANT SELECT, INSERT, DELETE ON hotcold_event TO ', @agent);
PREPARE hotcold FROM @statement;
EXECUTE hotcold;
SET @statement = CONCAT('GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold_request TO ', @agent);
PREPARE hotcold FROM @statement;
EXECUTE hotcold;
SET @statement = CONCAT('GRANT SELECT ON hotcold_meta TO ', @agent);
PREPARE hotcold FROM @statement;
EXECUTE hotcold;
