//! Damage, by a torn write, a flipped byte or a missing file, is found and told.

use crate::recording::format::frame::FRAME_OVERHEAD_BYTES;
use crate::recording::format::segment_header::SEGMENT_MAGIC;
use crate::recording::samples::{
    begin, read_all, segments, transaction, watermark, words, write_all,
};
use crate::recording::write::RecordingWriter;
use crate::recording::{RecordingEntry, RecordingMark};
use std::path::Path;

/// A segment of three blocks; returns its bytes and the records of each.
fn three_blocks(dir: &Path) -> (Vec<u8>, [Vec<RecordingEntry>; 3]) {
    let blocks = [
        vec![begin(), transaction(1, 3, 20)],
        vec![transaction(2, 2, 9), watermark(7)],
        vec![transaction(3, 1, 5)],
    ];
    let mut writer = RecordingWriter::open(dir, 16).unwrap();
    for block in &blocks {
        block.iter().for_each(|record| writer.push(record).unwrap());
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
    (std::fs::read(&segments(dir)[0]).unwrap(), blocks)
}

/// Finds where each frame begins, by its marker and length alone.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = SEGMENT_MAGIC.len();
    while at < bytes.len() {
        starts.push(at);
        at += FRAME_OVERHEAD_BYTES
            + u32::from_le_bytes(bytes[at + 5..at + 9].try_into().unwrap()) as usize;
    }
    starts
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_told_and_the_recording_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, blocks) = three_blocks(dir.path());
    let path = segments(dir.path())[0].clone();
    let starts = frames(&bytes);
    let good: Vec<RecordingEntry> = blocks[..2].concat();
    for end in starts[3]..starts[4] {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let (read, notes) = read_all(dir.path(), false).unwrap();
        assert_eq!(words(&read), words(&good), "cut at {end}");
        assert!(
            notes.len() == 1 && notes[0].contains("killed"),
            "cut at {end}: {notes:?}"
        );
    }
    // The next recorder cuts it off and goes on with the next number.
    let after = [watermark(9)];
    write_all(dir.path(), &after);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), starts[3] as u64);
    let (read, notes) = read_all(dir.path(), false).unwrap();
    assert_eq!(words(&read), words(&[good, after.to_vec()].concat()));
    assert!(notes.len() == 1 && notes[0].contains("no end"), "{notes:?}");
}

#[test]
fn a_header_torn_at_any_byte_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, blocks) = three_blocks(dir.path());
    write_all(dir.path(), &[watermark(9)]);
    let last = segments(dir.path())[1].clone();
    let whole = std::fs::read(&last).unwrap();
    for end in 0..frames(&whole)[1] {
        std::fs::write(&last, &whole[..end]).unwrap();
        let (read, notes) = read_all(dir.path(), false).unwrap();
        assert_eq!(words(&read), words(&blocks.concat()));
        assert!(
            notes.len() == 1 && notes[0].contains("killed"),
            "cut at {end}: {notes:?}"
        );
    }
    write_all(dir.path(), &[watermark(10)]);
    assert_eq!(
        read_all(dir.path(), false).unwrap().0.len(),
        blocks.concat().len() + 1
    );
    assert!(!bytes.is_empty());
}

#[test]
fn a_flipped_byte_anywhere_is_found_and_what_is_left_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, blocks) = three_blocks(dir.path());
    let path = segments(dir.path())[0].clone();
    let starts = frames(&bytes);
    for at in 0..bytes.len() {
        let mut broken = bytes.clone();
        broken[at] ^= 0x41;
        std::fs::write(&path, &broken).unwrap();
        let strict = read_all(dir.path(), false);
        match strict {
            Err(error) => {
                let error = format!("{error:#}");
                assert!(
                    error.contains("0000000001.rec") && error.contains("--skip-damaged"),
                    "{at}: {error}"
                );
            }
            // A longer length of the end looks like a torn one; every record is there.
            Ok((read, notes)) => {
                assert!(
                    at >= *starts.last().unwrap() && read.len() == blocks.concat().len(),
                    "{at}"
                );
                assert_eq!(notes.len(), 1, "{at}");
            }
        }
        let (read, notes) = read_all(dir.path(), true).unwrap();
        assert!(!notes.is_empty(), "{at}");
        if (starts[2]..starts[3]).contains(&at) {
            let gap = RecordingEntry::Mark(RecordingMark::Gap { lost: 2 });
            let left = [blocks[0].clone(), vec![gap], blocks[2].clone()].concat();
            assert_eq!(words(&read), words(&left), "{at}");
        }
    }
}

#[test]
fn a_segment_that_is_missing_or_of_another_recording_is_told() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for turn in 0..3 {
        write_all(one.path(), &[watermark(turn), watermark(turn + 1)]);
        write_all(two.path(), &[watermark(turn)]);
    }
    std::fs::remove_file(&segments(one.path())[1]).unwrap();
    let (read, notes) = read_all(one.path(), false).unwrap();
    assert!(
        read.len() == 5 && notes[0].contains("2 records are missing"),
        "{notes:?}"
    );
    std::fs::copy(
        &segments(two.path())[1],
        segments(one.path())[0].with_file_name("0000000009.rec"),
    )
    .unwrap();
    assert!(format!("{:#}", read_all(one.path(), false).unwrap_err()).contains("two recordings"));
}
