//! The file: written whole, read whole, refused otherwise.

use crate::metrics::metrics;
use crate::rules::{Evaluator, RuleFiles, RuleSet};
use crate::state_file::read::parse;
use crate::state_file::write::{StateToWrite, write};
use crate::state_file::{CommittedPositions, StatePositions, path_in, read, refusal};
use crate::stream::gtid::Flavour;
use sluice_contract::keys::SigningKeys;
use sluice_contract::settings::Secret;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

const MAX_BYTES: u64 = 1 << 24;

fn key(text: &str) -> SigningKeys {
    Secret::new(&format!("{text}, a key of tests only")).into()
}

fn positions(main: &str) -> StatePositions {
    StatePositions {
        sources: vec!["binlog".to_owned()],
        positions: vec![main.to_owned()],
        replay: vec!["0-1-1".to_owned()],
        kafka: Some("business.payment=7".to_owned()),
        kafka_replay: Some("business.payment=3".to_owned()),
    }
}

fn state() -> StateToWrite {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let set = RuleSet::build(&RuleFiles::read(&dir).unwrap(), Secret::new("k")).unwrap();
    StateToWrite {
        positions: positions("0-1-9"),
        frozen: Evaluator::new(Arc::new(set)).freeze(),
        frozen_us: 42,
        epoch: 3,
        rules_hash: "0123".to_owned(),
        rules_version: 5,
        turn: Default::default(),
    }
}

#[test]
fn what_was_written_is_read_and_belongs_to_its_user() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("new/folder");
    assert_eq!(
        read(&folder, &key("a"), MAX_BYTES).unwrap_err(),
        "there is none"
    );
    let bytes = write(&folder, &key("a"), state()).unwrap();
    let file = std::fs::metadata(path_in(&folder)).unwrap();
    assert_eq!(
        (file.len(), file.permissions().mode() & 0o777),
        (bytes, 0o600)
    );
    let found = read(&folder, &key("a"), MAX_BYTES).unwrap();
    assert_eq!(found.header.positions, positions("0-1-9"));
    assert_eq!((found.header.epoch, found.header.frozen_us), (3, 42));
    // While a key is rolled, the next one is current and the old one still known.
    let both = SigningKeys::new(key("b").current().clone(), Some(key("a").current().clone()));
    assert!(read(&folder, &both, MAX_BYTES).is_ok());
    let error = read(&folder, &key("b"), MAX_BYTES).unwrap_err();
    assert!(error.contains("provenance_key"), "{error}");
    let error = read(&folder, &key("a"), 10).unwrap_err();
    assert!(error.contains("state.memory_mb"), "{error}");
    let left = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(left, 1, "nothing unfinished stays");
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &key("a"), state()).unwrap();
    let bytes = std::fs::read(path_in(dir.path())).unwrap();
    assert!(parse(bytes.clone(), &key("a")).is_ok());
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(parse(flipped, &key("a")).is_err(), "bit at {at}");
    }
    for cut in 0..bytes.len() {
        assert!(
            parse(bytes[..cut].to_vec(), &key("a")).is_err(),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_folder_that_cant_be_written_to_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = write(&file, &key("a"), state()).unwrap_err();
    assert!(format!("{error:#}").contains("file"), "{error:#}");
    // The metrics are made once, whoever asks first.
    assert_eq!(metrics().unwrap().state.file_bytes.get(), 0);
}

fn committed(position: &str, replay: &str, kafka: &str) -> CommittedPositions {
    let server = (
        "binlog".to_owned(),
        Flavour::MariaDb,
        position.to_owned(),
        replay.to_owned(),
    );
    CommittedPositions {
        servers: vec![server],
        kafka: Some(kafka.to_owned()),
        has_kafka: true,
    }
}

#[test]
fn only_what_lies_within_the_checkpoint_is_gone_on_from() {
    let refused = |at: &str, committed: CommittedPositions| {
        refusal(&positions(at), &committed).unwrap_or_default()
    };
    let offsets = "business.payment=7";
    assert_eq!(refused("0-1-9", committed("0-1-9", "0-1-2", offsets)), "");
    assert_eq!(refused("0-1-9", committed("0-1-12", "0-1-2", offsets)), "");
    // An orderly stop with nothing kept: all three are the same.
    assert_eq!(refused("0-1-9", committed("0-1-9", "0-1-9", offsets)), "");
    for (at, committed, reason) in [
        (
            "0-1-9",
            committed("0-1-8", "0-1-2", offsets),
            "ahead of the checkpoint of binlog",
        ),
        (
            "0-1-9",
            committed("0-1-9", "0-1-2", "business.payment=6"),
            "ahead of the checkpoint of kafka",
        ),
        (
            "1-1-9",
            committed("0-1-9", "0-1-2", offsets),
            "ahead of the checkpoint of binlog",
        ),
        (
            "x",
            committed("0-1-9", "0-1-2", offsets),
            "can't be compared",
        ),
        // The successor of a primary gave the number to a transaction of its own.
        (
            "0-1-9",
            committed("0-2-12", "0-1-2", offsets),
            "another server's",
        ),
        (
            "0-1-9, 1-7-3",
            committed("0-1-12,1-8-3", "0-1-2", offsets),
            "in domain 1 of binlog",
        ),
    ] {
        let said = refused(at, committed);
        assert!(said.contains(reason), "{at}: {said:?} is not {reason:?}");
    }
    let mut older = committed("0-1-30", "0-1-20", "business.payment=20");
    older.kafka = Some("business.payment=20".to_owned());
    assert!(refused("0-1-9", older).contains("older than"));
    let mut other = committed("0-1-9", "0-1-2", offsets);
    other.servers[0].0 = "binlog:balance".to_owned();
    assert!(refused("0-1-9", other).contains("not of these"));
    let mut without = committed("0-1-9", "0-1-2", offsets);
    (without.kafka, without.has_kafka) = (None, false);
    assert!(refused("0-1-9", without).contains("Kafka"));
}
