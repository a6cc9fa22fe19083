//! Two secrets, while they change.

use super::*;

#[test]
fn either_of_two_secrets_verifies_and_the_first_signs() {
    let (first, second) = (
        Secret::new("the-first-secret-of-two"),
        Secret::new("the-second-secret-of-two"),
    );
    let both = SigningKeys::new(first.clone(), Some(second.clone()));
    for (id, [good, _]) in END_CODES {
        let text = body(id, good, SERIAL_NO).to_string();
        let path = path(id, ChannelCall::Query);
        for secret in [&first, &second] {
            let reply = RawReply {
                status: 200,
                headers: signed(reply_scope(id, &path), secret, NOW_S, text.as_bytes()),
                body: text.clone().into(),
            };
            let heard = adapter(channel(id)).read(
                ChannelCall::Query,
                &order("1.25", "CNY"),
                NONCE,
                &reply,
                SigningContext {
                    keys: &both,
                    now_s: NOW_S,
                },
            );
            assert_eq!(heard.unwrap().answer, ChannelAnswer::Succeeded, "{id}");
        }
        let message = |keys: &SigningKeys| {
            let seal = SigningContext { keys, now_s: NOW_S };
            adapter(channel(id))
                .message(ChannelCall::Pay, &order("1.25", "CNY"), NONCE, seal)
                .unwrap()
                .headers
        };
        assert_eq!(
            message(&both),
            message(&SigningKeys::new(first.clone(), None)),
            "{id}"
        );
        assert_ne!(
            message(&both),
            message(&SigningKeys::new(second.clone(), None)),
            "{id}"
        );
    }
}
