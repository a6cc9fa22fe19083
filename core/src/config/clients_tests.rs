use super::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Callers {
    #[serde(deserialize_with = "tables")]
    clients: Vec<ClientConfig>,
}

fn load(text: &str) -> Result<Vec<ClientConfig>, String> {
    let read: Callers = toml::from_str(text).map_err(|e| e.to_string())?;
    check_clients(&read.clients, true).map_err(|e| format!("{e:#}"))?;
    Ok(read.clients)
}

#[test]
fn money_comes_in_and_back_only_if_granted() {
    let clients = load("[[clients]]\nname = \"a\"\naccounts = [\"A-*\"]").expect("reads");
    let given = [Grant::Withdraw, Grant::Read, Grant::Cancel];
    assert_eq!(clients[0].may, given);
}

#[test]
fn a_token_speaks_for_the_client_by_its_own_subject() {
    for (rest, subject) in [
        ("authentication = \"jwt\"", Some("a")),
        ("authentication = \"jwt\"\nend_user = \"header\"", Some("a")),
        (
            "authentication = \"jwt\"\nsubject = \"a@clients\"",
            Some("a@clients"),
        ),
        ("authentication = \"jwt\"\nend_user = \"claim\"", None),
        ("authentication = \"hmac\"", None),
        ("", None),
    ] {
        let text = format!("[[clients]]\nname = \"a\"\naccounts = [\"*\"]\n{rest}");
        let clients = load(&text).expect(rest);
        assert_eq!(clients[0].own_subject(), subject, "{rest}");
    }
}

#[test]
fn each_mistake_is_named() {
    let table = |rest: &str| format!("[[clients]]\nname = \"a\"\n{rest}");
    let wrong = [
        ("clients = [\"a\"]".to_owned(), "a name alone"),
        (table(""), "accounts is missing"),
        (table("accounts = [\"owner\"]"), "needs end_user"),
        (table("accounts = [\"a*b\"]"), "no prefix"),
        (table("accounts = [\"a**\"]"), "no prefix"),
        (table("accounts = [\"\"]"), "no prefix"),
        (table("accounts = [\"*\"]\nmay = [\"mint\"]"), "mint"),
        (table("accounts = [\"*\"]\nmayy = []"), "mayy"),
        (table("end_user = \"claim\""), "needs authentication"),
        (
            table("accounts = [\"*\"]\nsubject = \"s\""),
            "subject needs",
        ),
        (
            table("authentication = \"jwt\"\nend_user = \"claim\"\nsubject = \"s\""),
            "subject needs",
        ),
        (
            table("accounts = [\"*\"]\nauthentication = \"jwt\"\nsubject = \"\""),
            "subject is empty",
        ),
        (
            table("accounts = [\"*\"]\namounts = [{ currency = \"CNY\" }]"),
            "neither",
        ),
        (
            table("accounts = [\"*\"]\namounts = [{ currency = \"CNY\", per_call = \"1.001\" }]"),
            "per_call",
        ),
        (
            table("accounts = [\"*\"]\namounts = [{ currency = \"CNY\", per_call = 1.5 }]"),
            "per_call",
        ),
        (
            "[[clients]]\nname = \"kafka\"\naccounts = [\"*\"]".to_owned(),
            "the core itself",
        ),
        (
            "[[clients]]\nname = \"deposit\"\naccounts = [\"*\"]".to_owned(),
            "the core itself",
        ),
        (
            format!("{0}\n{0}", table("accounts = [\"*\"]")),
            "there twice",
        ),
    ];
    for (text, words) in wrong {
        let error = load(&text).expect_err(&text);
        assert!(error.contains(words), "{text}: {error}");
    }
}
