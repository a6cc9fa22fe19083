-- Orders from before keep their business numbers: one row each, the first order's. The
-- empty hash matches none: a repeat is compared with the order itself.
INSERT IGNORE INTO idempotency (client,idempotency_key,request_hash,account_id,order_id,created_us)
SELECT client, CONCAT('biz/', kind, '/', biz_no), '', account_id, order_id, created_us
FROM orders WHERE biz_no IS NOT NULL ORDER BY created_us, order_id;
