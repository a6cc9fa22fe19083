use super::*;

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
    let ask = |token: &str| identify_actor(Some(&dir), &own, &bearer(token));
    assert_eq!(ask(&"s".repeat(32)), RequestActor::Operator);
    assert!(matches!(ask("x"), RequestActor::Nobody(_)));
    std::fs::create_dir_all(&people).unwrap();
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
    std::fs::remove_dir_all(&dir).unwrap();
}
