use super::*;
use std::path::Path;

/// The page with the text between `begin` and `end` of that name replaced.
fn with(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = (
        format!("<!-- {name}: from core/src/orders/diagram.rs -->\n"),
        format!("<!-- end {name} -->"),
    );
    let from = page.find(&begin).expect("the page has the mark") + begin.len();
    let to = page.find(&end).expect("the page has the end mark");
    format!("{}{text}{}", &page[..from], &page[to..])
}

#[test]
fn the_page_shows_what_the_function_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ORDERS.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let want = with(&with(&page, "picture", &diagram()), "table", &table());
    if std::env::var_os("SLUICE_BLESS").is_some() {
        std::fs::write(&path, &want).unwrap();
    } else {
        assert!(
            page == want,
            "docs/ORDERS.md is behind `step`: run this test with SLUICE_BLESS=1"
        );
    }
}

#[test]
fn nothing_is_left_out() {
    let (picture, table) = (diagram(), table());
    assert!(
        OrderState::ALL
            .iter()
            .all(|s| picture.contains(&format!(" {}:", s.as_str())) || *s == OrderState::Booking)
    );
    assert!(
        OrderInput::ALL
            .iter()
            .all(|e| table.contains(&format!("`{}`", e.as_str())))
    );
    let effects = [
        OrderEffect::Finalize,
        OrderEffect::Release,
        OrderEffect::GiveBack,
        OrderEffect::CloseAttempt,
        OrderEffect::FreeLimits,
        OrderEffect::OpenCase,
        OrderEffect::CloseCase,
        OrderEffect::Publish,
        OrderEffect::PublishAgain,
    ];
    assert!(effects.iter().all(|e| table.contains(e.as_str())));
}
