use super::*;

#[test]
fn blind_until_the_last_cause_is_gone() -> anyhow::Result<()> {
    let gauge = IntGauge::new("blind_test", "test")?;
    let readiness = Readiness::default();
    let blind = Blind::new(readiness.clone(), gauge.clone());
    blind.set(BlindCause::Kafka, "timed out");
    blind.set(BlindCause::Binlog, "position lost");
    assert_eq!(
        blind.reason().as_deref(),
        Some("binlog: position lost; kafka: timed out")
    );
    blind.clear(BlindCause::Binlog);
    assert_eq!((gauge.get(), readiness.waits_for().len()), (1, 1));
    let balance = blind.of("balance");
    balance.set(BlindCause::Binlog, "gone");
    blind.clear(BlindCause::Binlog);
    assert_eq!(
        blind.reason().as_deref(),
        Some("binlog balance: gone; kafka: timed out")
    );
    balance.clear(BlindCause::Binlog);
    blind.clear(BlindCause::Kafka);
    assert_eq!(
        (gauge.get(), blind.reason(), readiness.waits_for().len()),
        (0, None, 0)
    );
    Ok(())
}
