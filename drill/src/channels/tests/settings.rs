//! Settings files are read, and what contradicts itself is refused by name.

use crate::channels::{ScriptedAction, SimulatorConfig, SimulatorKind};

#[test]
fn settings_are_read_and_contradictions_refused() {
    let text = r#"
        callback_url = "http://127.0.0.1:7100"
        [unionpay]
        callback_delay_ms = 20
        rates = { late_callback = 100, ms = 50 }
        [[unionpay.scripts]]
        match = "ret-"
        action = { kind = "return_after_success", ms = 10 }
    "#;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("channel.toml");
    std::fs::write(&file, text).unwrap();
    let config = SimulatorConfig::load(&file).unwrap();
    assert_eq!(
        config.channels[SimulatorKind::UnionPay].scripts[0].action,
        ScriptedAction::ReturnAfterSuccess { ms: 10 }
    );
    std::fs::write(&file, text.replace("unionpay", "netsunion")).unwrap();
    let error = format!("{:#}", SimulatorConfig::load(&file).unwrap_err());
    assert!(
        error.contains("netsunion.scripts") && error.contains("never returns"),
        "{error}"
    );
    std::fs::write(&file, "listen = '0.0.0.0:1'").unwrap();
    assert!(SimulatorConfig::load(&file).is_err());
    // Neither a setting nor a channel.
    for unknown in ["listne = '127.0.0.1:1'", "[nobody]\nreply_delay_ms = 1"] {
        std::fs::write(&file, unknown).unwrap();
        let error = format!("{:#}", SimulatorConfig::load(&file).unwrap_err());
        assert!(error.contains("netsunion"), "{error}");
    }
}
