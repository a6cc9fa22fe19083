use super::*;

#[test]
fn callback_urls_by_table() {
    let paths =
        |url: &str| CallbackTarget::parse(url).map(|t| t.map(|t| (t.address, t.paths[1].clone())));
    let at = |path: &str| Some(("127.0.0.1:7100".to_owned(), path.to_owned()));
    assert_eq!(paths("").unwrap(), None);
    assert_eq!(
        paths("http://127.0.0.1:7100").unwrap(),
        at("/withdraw/notify/unionpay")
    );
    assert_eq!(
        paths("http://127.0.0.1:7100/").unwrap(),
        at("/withdraw/notify/unionpay")
    );
    assert_eq!(
        paths("http://127.0.0.1:7100/gw/").unwrap(),
        at("/gw/withdraw/notify/unionpay")
    );
    assert!(paths("https://127.0.0.1:7100").is_err());
    assert!(paths("http://core").is_err());
}
