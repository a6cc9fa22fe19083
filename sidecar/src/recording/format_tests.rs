//! Whatever is written comes back.

use crate::recording::RecordingWriter;
use crate::recording::any_record::a_record;
use crate::recording::samples::{
    begin, read_all, segments, transaction, watermark, words, write_all,
};
use proptest::prelude::*;
use std::path::Path;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_comes_back(records in prop::collection::vec(a_record(), 0..40), cut in 1..40_usize) {
        let dir = tempfile::tempdir().unwrap();
        // In two goes: a recording is continued in a new segment.
        let (first, second) = records.split_at(cut.min(records.len()));
        write_all(dir.path(), first);
        write_all(dir.path(), second);
        if !records.is_empty() {
            let (read, notes) = read_all(dir.path(), false).unwrap();
            prop_assert_eq!(words(&read), words(&records));
            prop_assert!(notes.is_empty(), "{:?}", notes);
        }
    }
}

#[test]
fn a_transaction_larger_than_a_block_comes_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let records = [
        begin(),
        transaction(1, 9_000, 300),
        watermark(5),
        transaction(2, 1, 1),
    ];
    write_all(dir.path(), &records);
    let (read, notes) = read_all(dir.path(), false).unwrap();
    assert!(words(&read) == words(&records) && notes.is_empty());
    assert!(
        segments(dir.path()).len() >= 2,
        "2.7 MB do not fit one segment of 2 MiB"
    );
}

#[test]
fn only_one_writes_and_only_the_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("recording");
    let mut first = RecordingWriter::open(&dir, 16).unwrap();
    let second = RecordingWriter::open(&dir, 16).err().unwrap();
    assert!(
        format!("{second:#}").contains("another process"),
        "{second:#}"
    );
    first.push(&begin()).unwrap();
    first.finish().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&segments(&dir)[0])), (0o700, 0o600));
    let small = RecordingWriter::open(&top.path().join("other"), 15)
        .err()
        .unwrap();
    assert!(format!("{small:#}").contains("max_mb"), "{small:#}");
}
