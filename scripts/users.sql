-- Database users, one per program, each with what it needs and no more. Run by somebody
-- who may create users, after `sluice-core --migrate` has made the tables:
--   sed -e 's/{base}/sluice/g' -e 's/{host}/10.0.0.%/g' -e 's/{core}/…/' -e 's/{sidecar}/…/' -e 's/{operator}/…/' users.sql
-- {core}, {sidecar} and {operator} are passwords. With split books run it on each server,
-- and leave out the schemas that are elsewhere. MariaDB 10.11 or newer, MySQL 8 or newer.
-- Run it again after an upgrade: programs may need a right or a procedure more.
-- None of them may switch off the binlog, touch a trigger, change a table or delete an
-- order, a balance or an entry: docs/SECURITY.md tells why for each.

CREATE USER IF NOT EXISTS '{base}_core'@'{host}' IDENTIFIED BY '{core}';
ALTER USER '{base}_core'@'{host}' IDENTIFIED BY '{core}';
CREATE USER IF NOT EXISTS '{base}_sidecar'@'{host}' IDENTIFIED BY '{sidecar}';
ALTER USER '{base}_sidecar'@'{host}' IDENTIFIED BY '{sidecar}';
CREATE USER IF NOT EXISTS '{base}_operator'@'{host}' IDENTIFIED BY '{operator}';
ALTER USER '{base}_operator'@'{host}' IDENTIFIED BY '{operator}';

-- schema orders
GRANT SELECT ON `{base}\_orders`.* TO '{base}_core'@'{host}', '{base}_sidecar'@'{host}', '{base}_operator'@'{host}';
GRANT INSERT, UPDATE ON `{base}_orders`.`orders` TO '{base}_core'@'{host}';
GRANT INSERT, UPDATE ON `{base}_orders`.`attempt` TO '{base}_core'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_orders`.`cases` TO '{base}_core'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_orders`.`limit_total` TO '{base}_core'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_orders`.`limit_client_hour` TO '{base}_core'@'{host}';
GRANT INSERT, DELETE ON `{base}_orders`.`request_nonce` TO '{base}_core'@'{host}';
GRANT INSERT ON `{base}_orders`.`order_transition` TO '{base}_core'@'{host}';
-- Only with retention.transition_days above 0:
-- GRANT DELETE ON `{base}_orders`.`order_transition` TO '{base}_core'@'{host}';
GRANT INSERT, DELETE ON `{base}_orders`.`idempotency` TO '{base}_core'@'{host}';
GRANT INSERT, DELETE ON `{base}_orders`.`outbox` TO '{base}_core'@'{host}';
GRANT INSERT, DELETE ON `{base}_orders`.`outbox_archive` TO '{base}_core'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_orders`.`quarantined_payment` TO '{base}_core'@'{host}';
GRANT INSERT, UPDATE ON `{base}_orders`.`retention_cursor` TO '{base}_core'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_orders`.`booking_intent` TO '{base}_core'@'{host}';
GRANT INSERT ON `{base}_orders`.`route_version` TO '{base}_operator'@'{host}';
GRANT INSERT ON `{base}_orders`.`route_channel` TO '{base}_operator'@'{host}';
GRANT INSERT ON `{base}_orders`.`route_rule` TO '{base}_operator'@'{host}';
GRANT INSERT ON `{base}_orders`.`route_detail` TO '{base}_operator'@'{host}';
GRANT INSERT ON `{base}_orders`.`route_limit` TO '{base}_operator'@'{host}';
GRANT INSERT ON `{base}_orders`.`route_activation` TO '{base}_operator'@'{host}';
GRANT INSERT, UPDATE ON `{base}_orders`.`route_active` TO '{base}_operator'@'{host}';
GRANT UPDATE (`state`, `closed_us`, `closed_by`) ON `{base}_orders`.`cases` TO '{base}_operator'@'{host}';

-- schema balance
GRANT SELECT ON `{base}\_balance`.* TO '{base}_core'@'{host}', '{base}_sidecar'@'{host}', '{base}_operator'@'{host}';
GRANT INSERT, UPDATE ON `{base}_balance`.`balance` TO '{base}_core'@'{host}';
GRANT INSERT, UPDATE ON `{base}_balance`.`capture` TO '{base}_core'@'{host}';
-- No result may be taken to another row. Where an earlier version of this file was run, once before this one:
-- REVOKE UPDATE ON `{base}_balance`.`booking_result` FROM '{base}_core'@'{host}';
GRANT INSERT, UPDATE (`order_id`, `outcome`, `created_us`, `mac`) ON `{base}_balance`.`booking_result` TO '{base}_core'@'{host}';
GRANT INSERT, DELETE ON `{base}_balance`.`outbox` TO '{base}_core'@'{host}';

-- schema ledger
GRANT SELECT ON `{base}\_ledger`.* TO '{base}_core'@'{host}', '{base}_sidecar'@'{host}', '{base}_operator'@'{host}';
GRANT INSERT ON `{base}_ledger`.`entry` TO '{base}_core'@'{host}';
GRANT INSERT ON `{base}_ledger`.`daily_balance` TO '{base}_core'@'{host}';
GRANT INSERT, DELETE ON `{base}_ledger`.`outbox` TO '{base}_core'@'{host}';

-- schema guard
GRANT SELECT ON `{base}\_guard`.* TO '{base}_core'@'{host}', '{base}_sidecar'@'{host}', '{base}_operator'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_guard`.`fence_token` TO '{base}_core'@'{host}';
GRANT INSERT, UPDATE ON `{base}_guard`.`lease` TO '{base}_core'@'{host}', '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE ON `{base}_guard`.`guard_seal` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE ON `{base}_guard`.`breaker` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE ON `{base}_guard`.`breaker_seal` TO '{base}_sidecar'@'{host}';
GRANT INSERT ON `{base}_guard`.`breaker_transition` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE (`life`, `answered_us`, `answered_by`, `answer`, `answered_with`) ON `{base}_guard`.`verdict` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE ON `{base}_guard`.`checkpoint` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE (`hash`, `mac`) ON `{base}_guard`.`rule_set` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE (`mac`), DELETE ON `{base}_guard`.`rule_member` TO '{base}_sidecar'@'{host}';
GRANT INSERT ON `{base}_guard`.`rule_text` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE ON `{base}_guard`.`rule_active` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_guard`.`rule_import` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_guard`.`rule_proposal` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_guard`.`timed_change` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_guard`.`rule_trial` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE ON `{base}_guard`.`suppression` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE ON `{base}_guard`.`audit_run` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_guard`.`audit_finding` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE ON `{base}_guard`.`gap` TO '{base}_sidecar'@'{host}';
GRANT INSERT, UPDATE, DELETE ON `{base}_guard`.`dead_letter` TO '{base}_sidecar'@'{host}';
-- Retention of the guard schema: verdicts, breakers' moves, suppressions and audits go by
-- these only. Each refuses what is younger than 30 days by the server's own clock (SYSDATE,
-- which no session can set) and what still counts. They run as a user that nobody can log
-- in as.
CREATE USER IF NOT EXISTS '{base}_retention'@'localhost' ACCOUNT LOCK;
GRANT SELECT ON `{base}\_guard`.* TO '{base}_retention'@'localhost';
GRANT DELETE ON `{base}_guard`.`verdict` TO '{base}_retention'@'localhost';
GRANT DELETE ON `{base}_guard`.`breaker_transition` TO '{base}_retention'@'localhost';
GRANT DELETE ON `{base}_guard`.`suppression` TO '{base}_retention'@'localhost';
GRANT DELETE ON `{base}_guard`.`audit_run` TO '{base}_retention'@'localhost';
DROP PROCEDURE IF EXISTS `{base}_guard`.`purge_verdict`;
CREATE DEFINER='{base}_retention'@'localhost' PROCEDURE `{base}_guard`.`purge_verdict`(IN from_us BIGINT, IN until_us BIGINT)
  MODIFIES SQL DATA SQL SECURITY DEFINER
  DELETE FROM `{base}_guard`.`verdict` WHERE found_us >= from_us AND found_us < until_us
  AND found_us < (UNIX_TIMESTAMP(SYSDATE(6)) - 2592000) * 1000000
  AND verdict_id NOT IN (SELECT b.verdict_id FROM `{base}_guard`.`breaker` b WHERE b.state <> 'closed' AND b.verdict_id IS NOT NULL)
  AND account_id NOT IN (SELECT b.scope_key FROM `{base}_guard`.`breaker` b WHERE b.state <> 'closed')
  AND NOT (life = 'open' AND breaker IS NOT NULL)
  AND verdict_id NOT IN (SELECT f.verdict_id FROM `{base}_guard`.`audit_finding` f);
DROP PROCEDURE IF EXISTS `{base}_guard`.`purge_breaker_transition`;
CREATE DEFINER='{base}_retention'@'localhost' PROCEDURE `{base}_guard`.`purge_breaker_transition`(IN from_us BIGINT, IN until_us BIGINT)
  MODIFIES SQL DATA SQL SECURITY DEFINER
  DELETE old FROM `{base}_guard`.`breaker_transition` AS old JOIN `{base}_guard`.`breaker_transition` AS newer
  ON newer.point = old.point AND newer.scope = old.scope AND newer.scope_key = old.scope_key AND newer.version = old.version + 1
  AND newer.changed_us >= old.changed_us
  WHERE old.changed_us >= from_us AND old.changed_us < until_us
  AND old.changed_us < (UNIX_TIMESTAMP(SYSDATE(6)) - 2592000) * 1000000;
DROP PROCEDURE IF EXISTS `{base}_guard`.`purge_suppression`;
CREATE DEFINER='{base}_retention'@'localhost' PROCEDURE `{base}_guard`.`purge_suppression`(IN from_us BIGINT, IN until_us BIGINT)
  MODIFIES SQL DATA SQL SECURITY DEFINER
  DELETE FROM `{base}_guard`.`suppression` WHERE expires_us >= from_us AND expires_us < until_us
  AND expires_us < (UNIX_TIMESTAMP(SYSDATE(6)) - 2592000) * 1000000;
DROP PROCEDURE IF EXISTS `{base}_guard`.`purge_audit_run`;
CREATE DEFINER='{base}_retention'@'localhost' PROCEDURE `{base}_guard`.`purge_audit_run`(IN from_us BIGINT, IN until_us BIGINT)
  MODIFIES SQL DATA SQL SECURITY DEFINER
  DELETE FROM `{base}_guard`.`audit_run` WHERE completed_us >= from_us AND completed_us < until_us
  AND completed_us < (UNIX_TIMESTAMP(SYSDATE(6)) - 2592000) * 1000000
  AND completed_us < (SELECT newest FROM (SELECT MAX(completed_us) AS newest FROM `{base}_guard`.`audit_run`) AS runs);
-- Of an earlier version of this file.
DROP PROCEDURE IF EXISTS `{base}_guard`.`purge_dead_letter`;
GRANT EXECUTE ON PROCEDURE `{base}_guard`.`purge_verdict` TO '{base}_sidecar'@'{host}', '{base}_retention'@'localhost';
GRANT EXECUTE ON PROCEDURE `{base}_guard`.`purge_breaker_transition` TO '{base}_sidecar'@'{host}', '{base}_retention'@'localhost';
GRANT EXECUTE ON PROCEDURE `{base}_guard`.`purge_suppression` TO '{base}_sidecar'@'{host}', '{base}_retention'@'localhost';
GRANT EXECUTE ON PROCEDURE `{base}_guard`.`purge_audit_run` TO '{base}_sidecar'@'{host}', '{base}_retention'@'localhost';

-- The sidecar reads the binlog and asks where it stands.
-- server (MariaDB has a right of its own for the second)
GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{base}_sidecar'@'{host}';
/*M! GRANT REPLICA MONITOR ON *.* TO '{base}_sidecar'@'{host}' */;
