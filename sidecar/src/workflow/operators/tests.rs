use super::*;
use std::time::Duration;

fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers
}

#[test]
fn a_token_names_one_person() {
    let dir = std::env::temp_dir().join(format!("sluice-people-{}", std::process::id()));
    let people = dir.join("people");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let own = Secret::new(&"s".repeat(32));
    let looks = Secret::new(&"r".repeat(32));
    let machines = MachineTokens {
        cores: &own,
        readers: Some(&looks),
    };
    let known = People::read_again_after(Some(&dir), Duration::ZERO);
    let ask = |token: &str| identify_actor(&known, &machines, &bearer(token));
    assert_eq!(ask(&"s".repeat(32)), RequestActor::Operator);
    assert!(matches!(ask("x"), RequestActor::Nobody(_)));
    std::fs::create_dir_all(&people).unwrap();
    // Nobody can show a token by now, and yet the machines' is no person's.
    assert!(matches!(ask(&"s".repeat(32)), RequestActor::Nobody(_)));
    std::fs::write(people.join("short"), "b".repeat(31)).unwrap();
    assert!(matches!(ask(&"s".repeat(32)), RequestActor::Nobody(_)));
    for (name, token) in [
        ("ann", "a".repeat(32)),
        ("short", "b".repeat(31)),
        ("c c", "c".repeat(32)),
    ] {
        std::fs::write(people.join(name), token).unwrap();
    }
    assert_eq!(ask(&"a".repeat(32)), RequestActor::Person("ann".to_owned()));
    for token in ["b".repeat(31), "c".repeat(32), "s".repeat(32)] {
        assert!(matches!(ask(&token), RequestActor::Nobody(_)), "{token}");
    }
    std::fs::write(people.join("bob"), "a".repeat(32)).unwrap();
    let RequestActor::Nobody(why) = ask(&"a".repeat(32)) else {
        panic!("one token was two people")
    };
    assert!(why.contains("ann") && why.contains("bob"), "{why}");
    std::fs::remove_file(people.join("ann")).unwrap();
    std::fs::write(people.join("dora"), [0xff, 0xfe]).unwrap();
    assert_eq!(ask(&"a".repeat(32)), RequestActor::Person("bob".to_owned()));
    for (machine, file) in [("s", "eve"), ("r", "fay")] {
        std::fs::write(people.join(file), machine.repeat(32)).unwrap();
        let RequestActor::Nobody(why) = ask(&machine.repeat(32)) else {
            panic!("a machine was {file}")
        };
        assert!(why.contains(file), "{why}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A stranger who tries tokens makes the sidecar read the files no more often than anybody.
#[test]
fn wrong_tokens_read_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let people = dir.path().join("people");
    std::fs::create_dir_all(&people).unwrap();
    std::fs::write(people.join("ann"), "a".repeat(32)).unwrap();
    let own = Secret::new(&"s".repeat(32));
    let machines = MachineTokens {
        cores: &own,
        readers: None,
    };
    let known = People::read_again_after(Some(dir.path()), Duration::from_secs(3_600));
    for at in 0..1_000 {
        let headers = bearer(&format!("a-token-of-nobody-{at}"));
        let found = identify_actor(&known.clone(), &machines, &headers);
        assert!(matches!(found, RequestActor::Nobody(_)));
    }
    assert_eq!(known.reads(), 1);
    let ann = identify_actor(&known, &machines, &bearer(&"a".repeat(32)));
    assert_eq!(ann, RequestActor::Person("ann".to_owned()));
    assert_eq!(known.reads(), 1);
    // Once it is time, they are read again: who left is out.
    let known = People::read_again_after(Some(dir.path()), Duration::ZERO);
    let ask = || identify_actor(&known, &machines, &bearer(&"a".repeat(32)));
    assert_eq!(ask(), RequestActor::Person("ann".to_owned()));
    std::fs::remove_file(people.join("ann")).unwrap();
    assert!(matches!(ask(), RequestActor::Nobody(_)));
}
