-- Verdicts of before that name a breaker which is open now are open too: whoever resets
-- it answers them.
UPDATE verdict v
  STRAIGHT_JOIN breaker b
    ON b.point IN ('refund', 'settlement', 'cash_out')
    AND b.scope = CONVERT(SUBSTRING_INDEX(SUBSTRING_INDEX(v.breaker, '/', 2), '/', -1) USING ascii) COLLATE ascii_bin
    AND b.scope_key = CONVERT(SUBSTRING(v.breaker, CHAR_LENGTH(SUBSTRING_INDEX(v.breaker, '/', 2)) + 2) USING ascii) COLLATE ascii_bin
    AND b.state = 'open'
SET v.life = 'open'
WHERE v.life = 'before' AND v.breaker IS NOT NULL
  AND (SUBSTRING_INDEX(v.breaker, '/', 1) = '*'
    OR CONCAT('+', SUBSTRING_INDEX(v.breaker, '/', 1), '+') LIKE CONCAT('%+', b.point, '+%'));
