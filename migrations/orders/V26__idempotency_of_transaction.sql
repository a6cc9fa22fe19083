-- Orders from before keep their transaction ids, too; those of `/withdraw/submit` have
-- these rows already.
INSERT IGNORE INTO idempotency (client,idempotency_key,request_hash,account_id,order_id,created_us)
SELECT client, CONCAT('tx:', transaction_id), '', account_id, order_id, created_us
FROM orders WHERE transaction_id <> '' ORDER BY created_us, order_id;
