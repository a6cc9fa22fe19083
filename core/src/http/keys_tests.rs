use super::*;
use axum::http::HeaderName;
use proptest::prelude::*;

fn read(headers: &[(&str, &str)]) -> Result<String, ApiCode> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, value.parse().unwrap());
    }
    header_key(&map).map_err(|e| e.code)
}

#[test]
fn two_keys_are_one_only_if_they_say_the_same() {
    let (one, other) = (("idempotent-key", "a"), ("idempotency-key", "b"));
    assert_eq!(read(&[one]), Ok("a".into()));
    assert_eq!(read(&[other]), Ok("b".into()));
    assert_eq!(read(&[one, ("idempotency-key", "a")]), Ok("a".into()));
    assert_eq!(read(&[one, one]), Ok("a".into()));
    assert_eq!(read(&[one, other]), Err(ApiCode::BadKey));
    assert_eq!(
        read(&[one, ("idempotent-key", "b")]),
        Err(ApiCode::BadKey),
        "the same name twice"
    );
    assert_eq!(read(&[one, ("idempotency-key", "")]), Err(ApiCode::BadKey));
    assert_eq!(read(&[]), Err(ApiCode::MissingKey));
    assert_eq!(read(&[("idempotent-key", "a b")]), Err(ApiCode::BadKey));
    assert_eq!(read(&[("idempotent-key", "biz/x")]), Err(ApiCode::BadKey));
}

proptest! {
    #[test]
    fn a_uuid_is_one_key_however_it_is_spelt(bits in any::<u128>()) {
        let uuid = Uuid::from_u128(bits);
        let canonical = uuid.hyphenated().to_string();
        let spellings = [
            canonical.clone(),
            canonical.to_uppercase(),
            uuid.simple().to_string(),
            uuid.simple().to_string().to_uppercase(),
            uuid.braced().to_string(),
            uuid.urn().to_string(),
        ];
        for spelling in spellings {
            prop_assert_eq!(read(&[("idempotent-key", &spelling)]), Ok(canonical.clone()));
        }
    }

    #[test]
    fn a_key_is_canonical_once_and_for_all(text in "[A-Za-z0-9_.:{}-]{1,70}") {
        if let Some(key) = canonical_key(&text) {
            prop_assert!(is_plain(&key, MAX_KEY_BYTES));
            prop_assert_eq!(canonical_key(&key), Some(key.clone()));
        }
    }
}
