use super::*;

fn request() -> SealedRequest<'static> {
    SealedRequest {
        order: "o-1",
        account: "A",
        client: "c",
        kind: "cash_out",
        to: "payee",
        bank: "ICBC",
        user: "u",
        payment_no: "p",
        serial_no: "O-1",
        units: 100_000,
        currency: "CNY",
    }
}

#[test]
fn a_request_seal_covers_every_field() {
    let secret = Secret::new("key");
    let keys = OrderSealKeys::new([&secret]);
    let seal = OrderSealKey::derive(&secret).request(&request());
    assert_eq!(keys.check_request(&seal, &request()), Ok(()));
    let changes: [fn(&mut SealedRequest<'static>); 11] = [
        |r| r.order = "x",
        |r| r.account = "x",
        |r| r.client = "x",
        |r| r.kind = "x",
        |r| r.to = "x",
        |r| r.bank = "x",
        |r| r.user = "x",
        |r| r.payment_no = "x",
        |r| r.serial_no = "x",
        |r| r.units += 1,
        |r| r.currency = "USD",
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut changed = request();
        change(&mut changed);
        assert_eq!(
            keys.check_request(&seal, &changed),
            Err(SealError::Mismatch),
            "{at}"
        );
    }
    let moved = SealedRequest {
        to: "payeeI",
        bank: "CBC",
        ..request()
    };
    assert_eq!(keys.check_request(&seal, &moved), Err(SealError::Mismatch));
    assert_eq!(
        keys.check_request("x", &request()),
        Err(SealError::Malformed)
    );
}

#[test]
fn a_sending_seal_covers_every_field_and_is_no_request_seal() {
    let secret = Secret::new("key");
    let (keys, key) = (OrderSealKeys::new([&secret]), OrderSealKey::derive(&secret));
    let sending = SealedSending {
        order: "o",
        account: "A",
        serial_no: "O",
        channel: "psp",
        trade_time: "20261129120000",
        attempts: 1,
        phase: "open",
    };
    let seal = key.sending(&sending);
    assert_eq!(keys.check_sending(&seal, &sending), Ok(()));
    let changes: [fn(&mut SealedSending<'static>); 7] = [
        |s| s.order = "x",
        |s| s.phase = "ended",
        |s| s.account = "x",
        |s| s.serial_no = "x",
        |s| s.channel = "",
        |s| s.trade_time = "20261130120000",
        |s| s.attempts = 0,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut changed = sending;
        change(&mut changed);
        assert_eq!(
            keys.check_sending(&seal, &changed),
            Err(SealError::Mismatch),
            "{at}"
        );
    }
    let asked = key.request(&request());
    assert_eq!(
        keys.check_sending(&asked, &sending),
        Err(SealError::Mismatch)
    );
}

#[test]
fn two_keys_hold_while_one_replaces_the_other() {
    let (old, new) = (Secret::new("old"), Secret::new("new"));
    let seal = OrderSealKey::derive(&old).request(&request());
    let check = |keys: OrderSealKeys| keys.check_request(&seal, &request());
    assert_eq!(check(OrderSealKeys::new([&new, &old])), Ok(()));
    assert_eq!(check(OrderSealKeys::new([&old, &new])), Ok(()));
    assert_eq!(
        check(OrderSealKeys::new([&new])),
        Err(SealError::UnknownKey)
    );
}

#[test]
fn a_key_is_never_printed() {
    let key = OrderSealKey::derive(&Secret::new("hunter2"));
    let shown = format!("{key:?} {:?}", OrderSealKeys(vec![key.clone()]));
    assert!(
        !shown.contains("hunter2") && !shown.contains("Hmac"),
        "{shown}"
    );
}

#[test]
fn a_cut_or_foreign_seal_is_none() {
    let secret = Secret::new("key");
    let keys = OrderSealKeys::new([&secret]);
    let seal = OrderSealKey::derive(&secret).request(&request());
    for bad in [
        "",
        "..",
        &seal[..seal.len() - 2],
        &seal.replacen('1', "2", 1),
        &format!("{seal}.00"),
    ] {
        assert!(keys.check_request(bad, &request()).is_err(), "{bad}");
    }
}

#[test]
fn a_sending_sealed_before_phases_is_known_again() {
    let keys = OrderSealKeys::new([&Secret::new("a provenance key")]);
    let sending = SealedSending {
        order: "01a2280000007000800000000000aa07",
        account: "A",
        serial_no: "S",
        channel: "psp",
        trade_time: "20261129120000",
        attempts: 1,
        phase: "ended",
    };
    // As a build before decision 029 wrote it.
    let former = "1.8b2a9558.299baf8bdeb13aa9ae0a6b4392aea6c9";
    assert_eq!(keys.check_former_sending(former, &sending), Ok(()));
    assert_eq!(
        keys.check_sending(former, &sending),
        Err(SealError::Mismatch)
    );
    let bent = SealedSending {
        channel: "x",
        ..sending
    };
    assert_eq!(
        keys.check_former_sending(former, &bent),
        Err(SealError::Mismatch)
    );
}
