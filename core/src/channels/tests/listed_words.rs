//! Words that are listed, and every other word.

use super::*;

/// Every listed word: on pay, on query, as a notification.
const LISTED_ANSWERS: &[(&str, &str, ChannelAnswer, ChannelAnswer, ChannelAnswer)] = {
    use crate::channels::ChannelAnswer::*;
    &[
        ("netsunion", "0000", Succeeded, Succeeded, Succeeded),
        ("netsunion", "1001", Declined, Declined, Declined),
        ("netsunion", "1002", Declined, Declined, Declined),
        ("netsunion", "1003", Unknown, Unknown, Unknown),
        ("netsunion", "1005", NotHere, NotHere, NotHere),
        ("netsunion", "2001", Accepted, Accepted, Unknown),
        ("netsunion", "9001", Unknown, NoSuchTrade, Unknown),
        ("netsunion", "9002", Duplicate, Unknown, Unknown),
        ("unionpay", "00", Accepted, Unknown, Unknown),
        ("unionpay", "03", Duplicate, Unknown, Unknown),
        ("unionpay", "05", Unknown, Accepted, Unknown),
        ("unionpay", "11", Declined, Unknown, Unknown),
        ("unionpay", "12", Unknown, Unknown, Unknown),
        ("unionpay", "15", NotHere, Unknown, Unknown),
        ("unionpay", "00N", Unknown, NotHere, NotHere),
        ("unionpay", "34", Unknown, NoSuchTrade, Unknown),
        ("unionpay", "00S", Unknown, Succeeded, Succeeded),
        ("unionpay", "00F", Unknown, Declined, Declined),
        ("unionpay", "00R", Unknown, Returned, Returned),
        ("psp", "pending", Accepted, Accepted, Unknown),
        ("psp", "paid", Succeeded, Succeeded, Succeeded),
        ("psp", "returned", Returned, Returned, Returned),
        (
            "psp",
            "failed:bank_not_supported",
            NotHere,
            NotHere,
            NotHere,
        ),
        ("psp", "failed:account_closed", Declined, Declined, Declined),
        (
            "psp",
            "failed:invalid_account",
            Declined,
            Declined,
            Declined,
        ),
        (
            "psp",
            "failed:account_blocked",
            Declined,
            Declined,
            Declined,
        ),
        ("psp", "failed:payee_refused", Declined, Declined, Declined),
    ]
};

#[test]
fn listed_words_prove_what_their_table_says() {
    for (id, word, on_pay, on_query, on_notify) in LISTED_ANSWERS {
        assert_eq!(proves(id, ChannelCall::Pay, word), *on_pay, "{id} {word}");
        assert_eq!(
            proves(id, ChannelCall::Query, word),
            *on_query,
            "{id} {word}"
        );
        let told = notified(id, &notice(id, word)).unwrap();
        assert_eq!(
            (told.result.answer, told.serial_no.as_str()),
            (*on_notify, SERIAL_NO),
            "{id} {word}"
        );
    }
}

#[test]
fn what_is_not_listed_proves_nothing() {
    let numbers = (0..10_000)
        .map(|n| format!("{n:04}"))
        .chain((0..100).map(|n| format!("{n:02}")));
    let words = [
        "",
        "null",
        "OK",
        "SIG",
        "success",
        "FAILED",
        "failed",
        "Paid",
        " 0000",
        "0000 ",
        "00s",
        "paid:late",
    ];
    let failures = [
        "insufficient_funds",
        "timeout",
        "internal_error",
        "account_closed ",
        "",
        "unknown",
    ];
    let failures = failures.iter().map(|f| format!("failed:{f}"));
    let all: Vec<String> = numbers
        .chain(words.map(String::from))
        .chain(failures)
        .collect();
    for id in ChannelId::ALL.map(ChannelId::as_str) {
        for word in all.iter().filter(|w| {
            !LISTED_ANSWERS
                .iter()
                .any(|l| l.0 == id && l.1 == w.as_str())
        }) {
            assert_eq!(
                proves(id, ChannelCall::Pay, word),
                ChannelAnswer::Unknown,
                "{id} {word}"
            );
            assert_eq!(
                proves(id, ChannelCall::Query, word),
                ChannelAnswer::Unknown,
                "{id} {word}"
            );
            let told =
                notified(id, &notice(id, word)).map_or(ChannelAnswer::Unknown, |n| n.result.answer);
            assert_eq!(told, ChannelAnswer::Unknown, "{id} {word}");
        }
    }
}
