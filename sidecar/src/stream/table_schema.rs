//! Tables as the binlog describes them. Rules name columns by text, some of them for every row:
//! a name is found by one hash of its length and ends, not by a walk over all of them.

/// A watched table as the binlog describes it now.
#[derive(Debug, PartialEq, Eq)]
pub struct TableSchema {
    /// Logical name, as rules write it: `orders`, `attempt`, `outbox`, `balance`,
    /// `entry`, `fence_token`, `checkpoint`, `breaker`.
    pub name: String,
    pub columns: Vec<String>,
    /// Places of columns by the hashes of their names, four slots for each; `FREE` where there
    /// is none.
    slots: Box<[u16]>,
}

const FREE: u16 = u16::MAX;

impl TableSchema {
    pub fn new(name: impl Into<String>, columns: Vec<String>) -> Self {
        // MySQL's tables have 4,096 columns at most.
        let size = (columns.len() * 4).next_power_of_two().max(4);
        let mut slots = vec![FREE; size].into_boxed_slice();
        for (at, column) in columns.iter().enumerate() {
            let mut slot = hash(column) & (size - 1);
            while slots[slot] != FREE {
                slot = (slot + 1) & (size - 1);
            }
            slots[slot] = u16::try_from(at).unwrap_or(FREE);
        }
        TableSchema {
            name: name.into(),
            columns,
            slots,
        }
    }

    /// The place of a column; of two with one name, the first.
    pub fn column(&self, name: &str) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(name) & mask;
        loop {
            let at = *self.slots.get(slot)?;
            if at == FREE {
                return None;
            }
            let at = usize::from(at);
            if self.columns.get(at).is_some_and(|column| column == name) {
                return Some(at);
            }
            slot = (slot + 1) & mask;
        }
    }
}

/// Hash of a name's length and of up to 8 bytes at either end.
fn hash(name: &str) -> usize {
    let bytes = name.as_bytes();
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    let (head, tail) = (bytes.len().min(8), bytes.len().saturating_sub(8));
    let mixed = (word(&bytes[..head]) ^ word(&bytes[tail..]).rotate_left(29))
        .wrapping_add(bytes.len() as u64)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_is_found_where_a_walk_finds_it(
            columns in proptest::collection::vec("[a-c_]{0,12}", 0..60),
            asked in "[a-c_]{0,12}",
        ) {
            let table = TableSchema::new("t", columns.clone());
            for name in columns.iter().chain([&asked]) {
                let walked = columns.iter().position(|column| column == name);
                prop_assert_eq!(table.column(name), walked);
            }
        }
    }
}
