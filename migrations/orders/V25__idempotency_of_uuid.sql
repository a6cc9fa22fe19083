-- A UUID is one key however it is spelt: keys from before that are spelt otherwise stand
-- under their canonical spelling as well.
INSERT IGNORE INTO idempotency (client,idempotency_key,request_hash,account_id,order_id,created_us)
SELECT client,
  LOWER(IF(CHAR_LENGTH(idempotency_key) = 36, idempotency_key,
    CONCAT_WS('-', SUBSTR(idempotency_key, 1, 8), SUBSTR(idempotency_key, 9, 4), SUBSTR(idempotency_key, 13, 4),
      SUBSTR(idempotency_key, 17, 4), SUBSTR(idempotency_key, 21, 12)))),
  request_hash, account_id, order_id, created_us
FROM idempotency
WHERE idempotency_key REGEXP '^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$'
ORDER BY created_us, order_id;
