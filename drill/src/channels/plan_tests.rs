use super::*;

#[test]
fn what_is_not_paid_is_never_told_as_paid() {
    let unpaid = [
        ScriptedAction::TimeoutWithoutPaying { hold_ms: 1 },
        ScriptedAction::UnknownCode {
            code: "7777".into(),
            pays: false,
        },
        ScriptedAction::JunkBody { pays: false },
        ScriptedAction::RefuseAndForget { not_here: false },
        ScriptedAction::RefuseAndForget { not_here: true },
        ScriptedAction::DeliverLate { ms: 1, hold_ms: 1 },
    ];
    for kind in SimulatorKind::ALL {
        for action in &unpaid {
            let plan = plan(kind, action, 5);
            assert_eq!(
                (plan.stage, plan.settle, plan.tell_ms),
                (None, None, vec![]),
                "{kind} {action:?}"
            );
        }
        assert_eq!(
            plan(kind, &ScriptedAction::Fail, 5).stage,
            Some(TradeStage::Failed)
        );
        assert_eq!(
            plan(kind, &ScriptedAction::FailLater { ms: 1 }, 5).settle,
            Some((1, TradeStage::Failed))
        );
    }
}

#[test]
fn the_usual_way_differs_by_channel() {
    let nets = plan(SimulatorKind::NetsUnion, &ScriptedAction::Normal, 5);
    assert_eq!(
        (nets.stage, nets.say, nets.tell_ms),
        (
            Some(TradeStage::Paid),
            PlannedReply::Code("0000".into()),
            vec![]
        )
    );
    let union = plan(SimulatorKind::UnionPay, &ScriptedAction::Normal, 5);
    assert_eq!(
        (union.stage, union.settle),
        (Some(TradeStage::InProcess), Some((5, TradeStage::Paid)))
    );
    assert_eq!(
        (union.say, union.tell_ms),
        (PlannedReply::Code("00".into()), vec![0])
    );
}
