use super::*;
use crate::signing::{MessageDirection, MessageScope};

const OLD_SECRET: &str = "the-old-secret-of-it";
const NEW_SECRET: &str = "the-new-secret-of-it";

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

fn signed_with(text: &str) -> impl Fn(&Secret) -> Result<(), crate::signing::SignatureError> {
    let scope = MessageScope {
        direction: MessageDirection::Callback,
        channel: "x",
        path: "/x",
        nonce: "0123456789abcdef",
    };
    let signature = scope.sign(&Secret::new(text), 1_000, b"body");
    move |secret| scope.verify(secret, 1_000, Some("1000"), Some(&signature), b"body")
}

#[test]
fn a_roll_never_leaves_a_message_unverified() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "channel_x", OLD_SECRET);
    let ring = KeyRing::load("channel_x", Some(dir.path())).unwrap();
    let mut watched = WatchedKeyRing::new(ring.clone());
    assert!(ring.get().either(signed_with(NEW_SECRET)).is_err());
    write(dir.path(), "channel_x_next", NEW_SECRET);
    assert!(
        watched.look() && ring.get().either(signed_with(NEW_SECRET)).is_err(),
        "a first look decides nothing"
    );
    assert!(watched.look());
    assert!(
        ring.get().either(signed_with(NEW_SECRET)).is_ok()
            && ring.get().either(signed_with(OLD_SECRET)).is_ok()
    );
    assert_eq!(ring.get().current(), &Secret::new(OLD_SECRET));
    // Half exchanged when looked at, whole at the next look: one change.
    write(dir.path(), "channel_x", NEW_SECRET);
    watched.look();
    write(dir.path(), "channel_x_next", OLD_SECRET);
    watched.look();
    assert_eq!(ring.get().current(), &Secret::new(OLD_SECRET));
    watched.look();
    assert_eq!(ring.get().current(), &Secret::new(NEW_SECRET));
    assert!(ring.get().either(signed_with(OLD_SECRET)).is_ok());
    std::fs::remove_file(dir.path().join("channel_x_next")).unwrap();
    watched.look();
    watched.look();
    assert!(
        ring.get().either(signed_with(OLD_SECRET)).is_err()
            && ring.get().either(signed_with(NEW_SECRET)).is_ok()
    );
}

#[test]
fn what_cannot_be_used_leaves_the_present_secret_in_force() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "channel_x", OLD_SECRET);
    let ring = KeyRing::load("channel_x", Some(dir.path())).unwrap();
    let mut watched = WatchedKeyRing::new(ring.clone());
    for (name, text) in [
        ("channel_x", "short"),
        ("channel_x", ""),
        ("channel_x_next", "short"),
    ] {
        write(dir.path(), "channel_x", OLD_SECRET);
        write(dir.path(), name, text);
        assert!(!watched.look() && !watched.look(), "{name} {text}");
        assert_eq!(*ring.get(), SigningKeys::new(Secret::new(OLD_SECRET), None));
    }
    std::fs::remove_file(dir.path().join("channel_x")).unwrap();
    assert!(!watched.look() && !watched.look());
    assert_eq!(ring.get().current(), &Secret::new(OLD_SECRET));
}
