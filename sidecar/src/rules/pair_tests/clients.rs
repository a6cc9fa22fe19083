//! Halves by client and account, however many others have the same number.

use crate::rules::Evaluator;
use crate::rules::pair_memory::clients::MAX_HALVES_SEARCHED;
use crate::rules::tests::{
    TestRuleFolder, deposit, payment, rule, run, text, transaction, violations,
};
use crate::stream::change::RuleInput;

fn per_client() -> Evaluator {
    let trigger = "on = \"pair\"\nleft = { event = \"deposit.received\", key = \"biz_no\" }\n\
        right = { table = \"entry\", op = \"insert\", key = \"ref\" }\n\
        per = \"client\"\nwithin_ms = 5000\nkeep_ms = 20000\nrequire = \"none\"";
    let body = "fn check(l, r) { if l.account_id == r.account_id && l.amount != r.amount \
        { violation(l.account_id, r.client, \"differs\") } }";
    TestRuleFolder::of(&[("p.rhai", &rule("p", trigger, body))]).evaluator()
}

/// A credit by a client, all under one number.
fn credit(client: &str, account: &str, amount: &str) -> RuleInput {
    let mut row = deposit(account, "P-1", amount);
    let column = row.table.column("client").unwrap();
    let mut image = row.after.take().unwrap().into_vec();
    image[column] = text(client);
    row.after = Some(image.into());
    transaction(&format!("0-1-{account}"), vec![row])
}

#[test]
fn others_under_one_number_hide_no_half() {
    for others in [20, MAX_HALVES_SEARCHED - 1] {
        let mut evaluator = per_client();
        let own = [credit("mall", "A-1", "900")];
        let of_others = (0..others).map(|n| credit("gateway", &format!("B-{n}"), "1"));
        let event = payment("e", 1, "A-1", "P-1", "9");
        let inputs: Vec<RuleInput> = own.into_iter().chain(of_others).chain([event]).collect();
        assert_eq!(violations(&run(&mut evaluator, &inputs)), ["p A-1 mall"]);
    }
}

#[test]
fn a_half_becomes_a_clients_by_its_own_account_only() {
    let event = || payment("e", 1, "A-3", "P-1", "9");
    let (stranger, own) = (
        || credit("gateway", "A-1", "50"),
        || credit("mall", "A-3", "900"),
    );
    for inputs in [
        [stranger(), event(), own()],
        [event(), stranger(), own()],
        [stranger(), own(), event()],
        [own(), stranger(), event()],
        [own(), event(), stranger()],
    ] {
        let found = run(&mut per_client(), &inputs);
        assert_eq!(violations(&found), ["p A-3 mall"]);
    }
}

#[test]
fn a_half_that_became_a_clients_is_no_other_clients() {
    let inputs = [
        payment("e", 1, "A-3", "P-1", "9"),
        credit("mall", "A-3", "9"),
        credit("taxi", "A-3", "7"),
    ];
    assert!(run(&mut per_client(), &inputs).is_empty());
}
