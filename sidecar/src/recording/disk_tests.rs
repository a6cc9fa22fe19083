//! Disks that are small, full or stuck hold nobody back.

use crate::metrics::metrics;
use crate::recording::recorder::Recorder;
use crate::recording::samples::{read_all, segments, transaction, watermark, words};
use crate::recording::write::{RecordingWriter, SegmentFiles, SegmentSink, SegmentStore};
use crate::recording::{RecordingEntry, RecordingMark};
use crate::stream::change::RuleInput;
use std::io::{Error, Result, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

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
