use super::*;
use crate::routing::configuration::file::parse;

fn problems(limits: &str) -> Vec<String> {
    let text = format!("[[channel]]\nid = \"psp\"\npriority = 1\n{limits}");
    let channel = r#"{ "id": "psp", "url": "http://127.0.0.1:1", "currencies": ["CNY", "ISK"] }"#;
    let channels = [serde_json::from_str(channel).unwrap()];
    let (draft, _) = parse(&text).unwrap();
    let found = check(&draft, &channels).unwrap();
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_limit_in_a_currency_that_its_channel_is_never_sent_is_refused() {
    let limit = |scope: &str, key: &str, channel: &str, currency: &str| {
        format!(
            "[[limit]]\nscope = \"{scope}\"\nkey = \"{key}\"\nchannel = \"{channel}\"\ncurrency = \"{currency}\"\nday = 1\n"
        )
    };
    for (text, wrong) in [
        (limit("account", "*", "psp", "ISK"), false),
        (limit("account", "*", "psp", "TWD"), true),
        (limit("channel", "psp", "*", "TWD"), true),
        // Of all channels: another may take it.
        (limit("account", "*", "*", "TWD"), false),
    ] {
        let found = problems(&text);
        let named = found.iter().any(|p| p.contains("not known to take TWD"));
        assert!(
            named == wrong && found.len() == usize::from(wrong),
            "{found:?}"
        );
    }
}
