use super::*;

const UUID: &str = "24bc7850-2c16-11e6-a073-0242ac110001";

#[test]
fn text_and_back_for_both_kinds_of_server() -> anyhow::Result<()> {
    for (first, next, text) in [
        (
            "0-1-56".to_owned(),
            "0-1-57".to_owned(),
            "0-1-57|a=3".to_owned(),
        ),
        (
            format!("{UUID}:56"),
            format!("{UUID}:57"),
            format!("{UUID}:1-55:57|a=3"),
        ),
    ] {
        let mut reached = FeedPosition::parse("")?;
        assert!(!reached.knows_stream_of(&gtid(&first)?));
        reached.begin_at(&gtid(&first)?)?;
        assert!(reached.knows_stream_of(&gtid(&next)?) && !reached.contains(&first));
        reached.offsets.set("a", 0, 3);
        reached.add(&gtid(&next)?)?;
        assert_eq!(reached.render(), text);
        assert_eq!(FeedPosition::parse(&text)?.render(), text);
        assert!(reached.contains(&next));
    }
    for wrong in ["0-1-56", "x|a=1", "0-1-5|a"] {
        assert!(FeedPosition::parse(wrong).is_err(), "{wrong}");
    }
    assert!(gtid("file=binlog.1,pos=4").is_err());
    Ok(())
}
