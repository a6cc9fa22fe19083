use super::*;
use crate::health::blind::BlindCause;
use sluice_contract::settings::Secret;

fn token(instance: &str, token: u64) -> FenceToken {
    FenceToken {
        instance: instance.to_owned(),
        token,
        updated_us: i64::try_from(token).unwrap(),
    }
}

#[test]
fn tokens_rise_per_core_and_stand_still_while_blind() -> anyhow::Result<()> {
    let blind = Blind::new(
        Default::default(),
        prometheus::IntGauge::new("fence_test", "test")?,
    );
    let fence = FencePublisher::new(
        blind.clone(),
        BreakerSeal::new(Secret::new("0123456789abcdef")),
    );
    fence.announce(
        &[token("a", 5), token("b", 9), token("a", 3)],
        Some(Arc::new(vec!["acct".to_owned()])),
    );
    let line = |instance: &str, before: u64| fence.line(instance, (0, before)).1;
    assert_eq!(
        line("a", 0),
        FenceLine {
            token: 5,
            breakers: 0,
            signed: None,
            blind: None,
            holds: vec!["acct".to_owned()]
        }
    );
    blind.set(BlindCause::Binlog, "gone");
    fence.announce(&[token("a", 6)], None);
    let blinded = line("a", 5);
    assert_eq!(
        (blinded.token, blinded.blind.as_deref()),
        (5, Some("binlog: gone"))
    );
    blind.clear(BlindCause::Binlog);
    assert_eq!((line("a", 5).token, line("new", 0).token), (6, 0));
    // A token of before must not pass while the holds are not known again.
    fence.leadership_begins();
    assert_eq!(
        line("a", 6),
        FenceLine {
            token: 0,
            breakers: 0,
            signed: None,
            blind: None,
            holds: vec![]
        }
    );
    fence.announce(&[token("a", 7)], None);
    assert_eq!(
        fence.line("a", (0, 6)),
        (
            1,
            FenceLine {
                token: 7,
                breakers: 0,
                signed: None,
                blind: None,
                holds: vec![]
            }
        )
    );
    Ok(())
}
