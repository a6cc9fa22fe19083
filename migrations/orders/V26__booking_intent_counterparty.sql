-- The payer of a payment that is captured, or the payee of a refund, which the balance
-- compares with it; signed with the rest of the intent.
ALTER TABLE booking_intent ADD COLUMN counterparty VARCHAR(65) CHARACTER SET ascii COLLATE ascii_bin NULL;
