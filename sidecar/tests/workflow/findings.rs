//! A verdict is open until a person answers it, and keeps its breaker open until then.

use super::*;

const BREAKER: &str = "/breakers/cash_out/account/v-1";
/// A second finding on the same account, of another currency.
pub async fn violate_again(stage: &WorkflowSetup, account: &str, currency: &str) {
    let sql = format!(
        "INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) \
         VALUES ('{account}','{currency}',10,5,4,1,0)"
    );
    stage.server.conn().await.query_drop(sql).await.unwrap();
}

/// Ids of what is open on a breaker, once there are as many.
pub async fn open_on(one: &WorkflowSidecar, breaker: &str, count: usize) -> Vec<String> {
    one.until(breaker, |data| {
        let open = data["open"].as_array()?;
        let ids = open
            .iter()
            .map(|v| v["verdictId"].as_str().unwrap().to_owned());
        (open.len() == count).then(|| ids.collect())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_open_until_somebody_answers_them() {
    let stage = WorkflowSetup::up("findings").await;
    stage.people();
    let one = start(&stage.server, "one", &stage.rules);
    one.ready().await;
    what_was_found_meanwhile_keeps_it_open(&stage, &one).await;
    what_stands_at_rest_keeps_it_open(&stage, &one).await;
    a_verdict_without_a_breaker_is_answered_by_itself(&stage, &one).await;
    lists_are_read_in_pages(&one).await;
    one.end().await;
    of_before_those_are_open_whose_breaker_is(&stage).await;
}

async fn what_was_found_meanwhile_keeps_it_open(stage: &WorkflowSetup, one: &WorkflowSidecar) {
    let first = stage.violate(one, "v-1", 1).await.remove(0);
    let first = first["verdictId"].as_str().unwrap().to_owned();
    assert_eq!(open_on(one, BREAKER, 1).await, std::slice::from_ref(&first));
    // While somebody looks at the first, a second is found.
    violate_again(stage, "v-1", "USD").await;
    let both = open_on(one, BREAKER, 2).await;
    let reset = format!("{BREAKER}/reset");
    let body = |version: i64, verdicts: &[String]| json!({ "reason": "mended", "version": version, "verdicts": verdicts });
    let (status, answer) = one.post(&reset, ANN_TOKEN, body(1, &[first])).await;
    assert_eq!(status, 409, "{answer}");
    let left = answer["data"]["open"].as_array().unwrap();
    assert!(left.len() == 1 && left[0]["item"] == "USD", "{answer}");
    one.refused(&reset, ANN_TOKEN, body(2, &both), "has moved")
        .await;
    one.refused(&reset, ANN_TOKEN, json!({ "reason": "mended" }), "version")
        .await;
    let done = one.done(&reset, ANN_TOKEN, body(1, &both)).await;
    assert_eq!(done["version"], 2);
    let none = "/verdicts?life=open&account=v-1";
    let (_, open) = one.call("GET", none, SIDECAR_TOKEN, "").await;
    assert_eq!(open["data"], json!([]));
    let answered = "/verdicts?life=answered&account=v-1";
    let (_, rows) = one.call("GET", answered, SIDECAR_TOKEN, "").await;
    for row in rows["data"].as_array().unwrap() {
        let said = [&row["answeredBy"], &row["answer"], &row["answeredWith"]];
        assert_eq!(said, ["ann", "mended", "cash_out/account/v-1@1"], "{row}");
    }
    assert_eq!(rows["data"].as_array().unwrap().len(), 2);
}

async fn what_stands_at_rest_keeps_it_open(stage: &WorkflowSetup, one: &WorkflowSidecar) {
    let id = stage.violate(one, "v-2", 1).await[0]["verdictId"].clone();
    let id = id.as_str().unwrap();
    let mut conn = stage.server.conn().await;
    let stands = format!("INSERT INTO t_guard.audit_finding VALUES ('f', 'adds_up', '{id}', 1)");
    conn.query_drop(stands).await.unwrap();
    let reset = "/breakers/cash_out/account/v-2/reset";
    let body = json!({ "reason": "mended", "version": 1, "verdicts": [id] });
    one.refused(reset, ANN_TOKEN, body.clone(), "still stand")
        .await;
    let gone = "DELETE FROM t_guard.audit_finding";
    conn.query_drop(gone).await.unwrap();
    one.done(reset, ANN_TOKEN, body).await;
}

async fn a_verdict_without_a_breaker_is_answered_by_itself(
    stage: &WorkflowSetup,
    one: &WorkflowSidecar,
) {
    let held = stage.violate(one, "v-3", 1).await[0]["verdictId"].clone();
    let alert = "INSERT INTO t_guard.verdict (verdict_id,rule,rule_hash,mode,outcome,position,item,account_id,message,found_us) \
         VALUES (REPEAT('a',32),'adds_up','h','alert','violation','p','i','v-4','m',1)";
    stage.server.conn().await.query_drop(alert).await.unwrap();
    let path = format!("/verdicts/{}/answer", "a".repeat(32));
    let why = json!({ "reason": "a test" });
    one.refused(&path, "x", why.clone(), "your own token").await;
    one.refused(&path, SIDECAR_TOKEN, why.clone(), "no person's")
        .await;
    one.done(&path, BOB_TOKEN, why.clone()).await;
    one.refused(&path, BOB_TOKEN, why.clone(), "is answered")
        .await;
    let path = format!("/verdicts/{}/answer", held.as_str().unwrap());
    one.refused(&path, BOB_TOKEN, why.clone(), "cash_out/account/v-3")
        .await;
    one.refused("/verdicts/0/answer", BOB_TOKEN, why, "no verdict")
        .await;
}

async fn lists_are_read_in_pages(one: &WorkflowSidecar) {
    let all = "/verdicts?severity=critical&rule=adds_up";
    let (_, rows) = one.call("GET", all, SIDECAR_TOKEN, "").await;
    let ids = |rows: &Value| -> Vec<Value> {
        let rows = rows["data"].as_array().unwrap();
        rows.iter().map(|row| row["verdictId"].clone()).collect()
    };
    let all_ids = ids(&rows);
    assert_eq!(all_ids.len(), 4, "{rows}");
    let (mut paged, mut path) = (Vec::new(), format!("{all}&limit=1"));
    while let (200, page) = one.call("GET", &path, SIDECAR_TOKEN, "").await {
        let Some(last) = page["data"].as_array().unwrap().last().cloned() else {
            break;
        };
        paged.extend(ids(&page));
        let (us, id) = (&last["foundUs"], last["verdictId"].as_str().unwrap());
        path = format!("{all}&limit=1&after_us={us}&after_id={id}");
    }
    assert_eq!(paged, all_ids);
    let (status, _) = one
        .call("GET", "/verdicts?life=dead", SIDECAR_TOKEN, "")
        .await;
    assert_eq!(status, 400);
}

/// As an upgrade finds them: v-3 is stopped, the others are not.
async fn of_before_those_are_open_whose_breaker_is(stage: &WorkflowSetup) {
    let mut conn = stage.server.conn().await;
    for sql in [
        "UPDATE t_guard.verdict SET life='before', breaker='refund+cash_out/account/v-3' WHERE account_id='v-3'",
        "UPDATE t_guard.verdict SET life='before' WHERE account_id<>'v-3'",
    ] {
        conn.query_drop(sql).await.unwrap();
    }
    let two = start(&stage.server, "two", &stage.rules);
    two.ready().await;
    let lives = "SELECT CONCAT(account_id,' ',life) FROM t_guard.verdict ORDER BY 1";
    let lives: Vec<String> = conn.query(lives).await.unwrap();
    let want = [
        "v-1 before",
        "v-1 before",
        "v-2 before",
        "v-3 open",
        "v-4 before",
    ];
    assert_eq!(lives, want);
    assert_eq!(
        open_on(&two, "/breakers/cash_out/account/v-3", 1)
            .await
            .len(),
        1
    );
    two.end().await;
}
