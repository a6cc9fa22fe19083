//! What disks and kill -9 do to a recording, and what a full disk does not do.

use crate::metrics::metrics;
use crate::recording::recorder::Recorder;
use crate::recording::tests::{
    begin, read_all, segments, transaction, watermark, words, write_all,
};
use crate::recording::write::{RecordingWriter, SegmentFiles, SegmentSink, SegmentStore};
use crate::recording::{RecordingEntry, RecordingMark};
use crate::stream::change::RuleInput;
use std::io::{Error, Result, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

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

/// Where each frame begins, found by its marker and length alone.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = crate::recording::segment::SEGMENT_MAGIC.len();
    while at < bytes.len() {
        starts.push(at);
        at += crate::recording::frame::FRAME_OVERHEAD_BYTES
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

#[test]
fn the_folder_never_holds_more_than_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RecordingWriter::open(dir.path(), 16).unwrap();
    for number in 0..100 {
        writer.push(&transaction(number, 600, 1_000)).unwrap();
        if number % 10 == 9 {
            let held: u64 = segments(dir.path())
                .iter()
                .map(|path| path.metadata().unwrap().len())
                .sum();
            assert!(held <= 16 << 20, "{held} bytes");
        }
    }
    writer.finish().unwrap();
    let (read, notes) = read_all(dir.path(), false).unwrap();
    assert!(
        read.len() < 100 && notes.len() == 1 && notes[0].contains("no longer there"),
        "{} {notes:?}",
        read.len()
    );
    let last = words(&read).pop().unwrap();
    assert!(last.contains("0-1-99"), "the newest are kept");
}

/// A disk with so many bytes left, shared with the test.
struct SmallDisk(Arc<AtomicI64>);

struct LimitedSink(Box<dyn SegmentSink>, Arc<AtomicI64>);

impl SegmentStore for SmallDisk {
    fn create(&mut self, path: &Path) -> Result<Box<dyn SegmentSink>> {
        Ok(Box::new(LimitedSink(
            SegmentFiles.create(path)?,
            Arc::clone(&self.0),
        )))
    }
}

impl Write for LimitedSink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let left = usize::try_from(self.1.load(Ordering::SeqCst))
            .unwrap_or(0)
            .min(bytes.len());
        if left == 0 {
            return Err(Error::from(std::io::ErrorKind::StorageFull));
        }
        self.1.fetch_sub(left as i64, Ordering::SeqCst);
        self.0.write(&bytes[..left])
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}

impl SegmentSink for LimitedSink {
    fn sync(&mut self) -> Result<()> {
        self.0.sync()
    }
}

#[test]
fn after_a_full_disk_the_recording_goes_on_with_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let left = Arc::new(AtomicI64::new(600));
    let mut writer =
        RecordingWriter::on(Box::new(SmallDisk(Arc::clone(&left))), dir.path(), 16).unwrap();
    let mut refused = 0;
    for number in 0..20 {
        writer.push(&transaction(number, 2, 50)).unwrap();
        if writer.flush().is_err() {
            refused += 1;
            if refused == 3 {
                left.store(1 << 20, Ordering::SeqCst);
            }
        }
    }
    writer.finish().unwrap();
    let (read, notes) = read_all(dir.path(), false).unwrap();
    let gaps = words(&read)
        .iter()
        .filter(|w| w.contains("Gap { lost: 3 }"))
        .count();
    assert_eq!((refused, gaps, read.len()), (3, 1, 20 - 3 + 1), "{notes:?}");
}

/// A disk that never answers until it is let go.
struct StuckDisk(Arc<AtomicBool>);

impl SegmentStore for StuckDisk {
    fn create(&mut self, path: &Path) -> Result<Box<dyn SegmentSink>> {
        while self.0.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        SegmentFiles.create(path)
    }
}

#[test]
fn a_disk_that_hangs_holds_nobody_back() {
    let dir = tempfile::tempdir().unwrap();
    let stuck = Arc::new(AtomicBool::new(true));
    let writer =
        RecordingWriter::on(Box::new(StuckDisk(Arc::clone(&stuck))), dir.path(), 16).unwrap();
    let recorder = Recorder::start(writer, metrics().unwrap()).unwrap();
    let mut tap = recorder.tap().unwrap();
    let RecordingEntry::Input(input) = transaction(1, 100, 1_000) else {
        return;
    };
    // Ten times what block and queue hold; were it to wait, it would wait for ever.
    for _ in 0..1_000 {
        tap.input(&input);
        tap.hand_over();
    }
    stuck.store(false, Ordering::SeqCst);
    let (begun, mut tries) = (Instant::now(), 0);
    let RecordingEntry::Input(last) = watermark(77) else {
        return;
    };
    let is_last = |record: &RecordingEntry| {
        matches!(
            record,
            RecordingEntry::Input(RuleInput::Watermark { at_us: 77, .. })
        )
    };
    loop {
        tap.input(&last);
        tap.hand_over();
        tries += 1;
        std::thread::sleep(Duration::from_millis(20));
        let (read, _) = read_all(dir.path(), false).unwrap_or_default();
        if read.iter().any(is_last) {
            let lost: u64 = read
                .iter()
                .map(|r| {
                    if let RecordingEntry::Mark(RecordingMark::Gap { lost }) = r {
                        *lost
                    } else {
                        0
                    }
                })
                .sum();
            let kept = read
                .iter()
                .filter(|r| matches!(r, RecordingEntry::Input(RuleInput::Transaction(_))))
                .count() as u64;
            // Some of the last ones were lost too.
            assert!(
                lost > 0 && (1_000..1_000 + tries).contains(&(kept + lost)),
                "{kept} kept, {lost} lost"
            );
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it does not go on"
        );
    }
    drop(tap);
    drop(recorder);
}
