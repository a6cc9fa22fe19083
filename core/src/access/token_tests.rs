use super::*;
use serde_json::json;

const NOW: i64 = 1_795_000_000;

fn config() -> OauthConfig {
    toml::from_str(
        "issuer = \"https://login.example\"\naudience = \"sluice\"\njwks = \"/tmp/keys.json\"",
    )
    .expect("settings")
}

fn claims(changes: Value) -> TokenClaims {
    let text = format!(
        r#"{{"iss":"https://login.example","aud":["other","sluice"],"exp":{},"nbf":{NOW}}}"#,
        NOW + 600
    );
    let mut claims: TokenClaims = serde_json::from_str(&text).expect("claims");
    for (name, value) in changes.as_object().expect("an object") {
        match value.is_null() {
            true => claims.remove(name),
            false => claims.insert(name.clone(), value.clone()),
        };
    }
    claims
}

#[test]
fn claims_by_table() {
    for (changes, refusal) in [
        (json!({}), None),
        (json!({ "aud": "sluice" }), None),
        (json!({ "nbf": null }), None),
        (json!({ "exp": NOW - 29 }), None),
        (json!({ "nbf": NOW + 30 }), None),
        (json!({ "iss": null }), Some("iss")),
        (json!({ "iss": "https://login.example/" }), Some("iss")),
        (json!({ "iss": ["https://login.example"] }), Some("iss")),
        (json!({ "aud": null }), Some("aud")),
        (json!({ "aud": "sluic" }), Some("aud")),
        (json!({ "aud": [] }), Some("aud")),
        (json!({ "aud": { "sluice": 1 } }), Some("aud")),
        (json!({ "exp": null }), Some("exp")),
        (json!({ "exp": "1895000000" }), Some("exp")),
        (json!({ "exp": NOW - 30 }), Some("expired")),
        (json!({ "exp": -1 }), Some("expired")),
        (json!({ "exp": NOW + 86_401 }), Some("too long")),
        (json!({ "nbf": NOW + 31 }), Some("nbf")),
        (json!({ "nbf": "soon" }), Some("nbf")),
    ] {
        let found = check_claims(&claims(changes.clone()), &config(), NOW);
        match refusal {
            None => assert_eq!(found, Ok(()), "{changes}"),
            Some(word) => {
                let text = found.expect_err("is refused").text;
                assert!(text.contains(word), "{changes}: {text}");
            }
        }
    }
}

#[test]
fn times_may_have_a_fraction_and_nothing_else() {
    let read = |text: &str| seconds(Some(&serde_json::from_str(text).expect("JSON")));
    assert_eq!(read("1795000000"), Some(1_795_000_000));
    assert_eq!(read("1795000000.75"), Some(1_795_000_000));
    for wrong in ["1e9", "1.5e9", "true", "\"1\"", "99999999999999999999"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}
