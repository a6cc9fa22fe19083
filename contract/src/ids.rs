//! Identifiers. An order's id carries the bucket of its account, so that a
//! lookup by order or by serial number can be routed to one shard.

use uuid::Uuid;

/// Buckets that accounts hash into; a sharded engine maps ranges of them to shards.
pub const ACCOUNT_BUCKETS: u32 = 4096;

/// Longest account, user, client and channel id that the columns hold.
pub const MAX_ID_BYTES: usize = 32;
/// Longest idempotency key, transaction id and business number.
pub const MAX_KEY_BYTES: usize = 64;

pub fn bucket_of(account_id: &str) -> u32 {
    crc32fast::hash(account_id.as_bytes()) % ACCOUNT_BUCKETS
}

/// A new order id: 32 hex digits, time-ordered (UUIDv7), the last three being the
/// bucket of the account.
pub fn new_order_id(account_id: &str) -> String {
    let mut id = Uuid::now_v7().simple().to_string();
    id.truncate(29);
    id.push_str(&format!("{:03x}", bucket_of(account_id)));
    id
}

/// A new transaction id for the outbox: time-ordered within this process.
pub fn new_tx_id() -> String {
    Uuid::now_v7().simple().to_string()
}

/// The serial number under which channels know the order. It is derived from the
/// order's id, so it can't change, and a callback needs one lookup.
pub fn serial_no(order_id: &str) -> String {
    order_id.to_ascii_uppercase()
}

pub fn order_id_of_serial(serial_no: &str) -> Option<String> {
    let hex = serial_no.len() == 32 && serial_no.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| serial_no.to_ascii_lowercase())
}

/// Ids that may travel in URLs, keys and logs: letters, digits and `_ - . :`.
pub fn is_plain(id: &str, longest: usize) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
    !id.is_empty() && id.len() <= longest && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_number_and_order_id_are_one_to_one() {
        let id = new_order_id("acct-1");
        assert_eq!(id.len(), 32);
        assert_eq!(
            order_id_of_serial(&serial_no(&id)).as_deref(),
            Some(id.as_str())
        );
        assert_eq!(order_id_of_serial("not a serial"), None);
        assert_eq!(
            u32::from_str_radix(&id[29..], 16).ok(),
            Some(bucket_of("acct-1"))
        );
    }
}
