-- The merchant's intermediate account (中间户): captured payments that are not
-- settled yet, and what refunds and settlements under way have reserved of them.
-- `balance` stays available + reserved.
ALTER TABLE balance
  ADD COLUMN intermediate          DECIMAL(20,4) NOT NULL DEFAULT 0,
  ADD COLUMN intermediate_reserved DECIMAL(20,4) NOT NULL DEFAULT 0;
