//! API keys: requests signed whole, each once.

use crate::access::{Upstream, available, client, stage, token, write_secret};
use anyhow::{Context, ensure};
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::request_signing::SignedRequest;
use sluice_contract::settings::Secret;
use sluice_drill::stage::StagePorts;
use sluice_tests::TestStage;

const BODY: &str = r#"{"fromAccountId":"A-1","toAccountId":"payee","amount":"1.00"}"#;

fn now_s() -> i64 {
    now_us() / 1_000_000
}

fn nonce() -> String {
    format!("n-{:016x}", rand::random::<u64>())
}

/// A withdrawal under the key, as it is signed.
fn request<'a>(nonce: &'a str, key: &str) -> SignedRequest<'a> {
    SignedRequest {
        client: "shop",
        timestamp_s: now_s(),
        nonce,
        method: "POST",
        target: "/withdraw",
        headers: [key.to_owned(), String::new(), String::new()],
        body: BODY.as_bytes(),
    }
}

async fn up() -> anyhow::Result<(TestStage, Upstream)> {
    let all = "may = [\"withdraw\", \"deposit\", \"read\"]\naccounts = [\"A-1\"]";
    let signed = format!("{all}\nauthentication = \"hmac\"");
    let tables = client("bank", all) + &client("shop", &signed) + &client("other", &signed);
    let mut set = stage(&tables).await?;
    write_secret(&set, "client_shop_next", &token("shop-next"))?;
    crate::access::start(&mut set, &["bank", "shop", "other"]).await?;
    let bank = Upstream::of(&set, "bank")?;
    bank.deposit("A-1", "10.00", "fund").await?.is(202, 0)?;
    let nobody = Upstream::nobody(&set)?;
    Ok((set, nobody))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_counts_once_and_as_it_was_signed() -> anyhow::Result<()> {
    let (set, nobody) = up().await?;
    let key = Secret::new(&token("shop"));
    let nonce_1 = nonce();
    let signed = request(&nonce_1, "k-1").authorization(&key);
    let by = |authorization: &str| nobody.with("authorization", authorization);
    let keyed = by(&signed).with("idempotent-key", "k-1");
    keyed.send("POST", "/withdraw", BODY).await?.is(202, 0)?;
    // Caught on the way and sent again: to the letter, and as something else.
    keyed
        .send("POST", "/withdraw", BODY)
        .await?
        .is(401, 40100)?;
    let nonce_2 = nonce();
    let signed = request(&nonce_2, "k-2").authorization(&key);
    let keyed = by(&signed).with("idempotent-key", "k-2");
    let bent = BODY.replace("1.00", "9.00");
    keyed
        .send("POST", "/withdraw", &bent)
        .await?
        .is(401, 40100)?;
    keyed
        .send("POST", "/withdraw?", BODY)
        .await?
        .is(401, 40100)?;
    keyed
        .send("POST", "/withdraw/submit", BODY)
        .await?
        .is(401, 40100)?;
    by(&signed)
        .with("idempotent-key", "k-3")
        .send("POST", "/withdraw", BODY)
        .await?
        .is(401, 40100)?;
    keyed
        .with("x-account-id", "A-1")
        .send("POST", "/withdraw", BODY)
        .await?
        .is(401, 40100)?;
    by(&signed.replace("shop", "other"))
        .with("idempotent-key", "k-2")
        .send("POST", "/withdraw", BODY)
        .await?
        .is(401, 40100)?;
    // What was bent has not used the nonce up.
    keyed.send("POST", "/withdraw", BODY).await?.is(202, 0)?;
    times_and_keys(&nobody).await?;
    ensure!(available(&set, "A-1").await? == "7.0000", "three orders");
    Ok(())
}

async fn times_and_keys(nobody: &Upstream) -> anyhow::Result<()> {
    let (key, next) = (
        Secret::new(&token("shop")),
        Secret::new(&token("shop-next")),
    );
    let nonce = nonce();
    let by = |authorization: &str| nobody.with("authorization", authorization);
    for wrong in [-301, 400] {
        let mut late = request(&nonce, "k-4");
        late.timestamp_s += wrong;
        let answer = by(&late.authorization(&key)).with("idempotent-key", "k-4");
        answer
            .send("POST", "/withdraw", BODY)
            .await?
            .is(401, 40100)?;
    }
    // The other key of two while they roll; and one that is a bearer's.
    let rolled = request(&nonce, "k-5").authorization(&next);
    by(&rolled)
        .with("idempotent-key", "k-5")
        .send("POST", "/withdraw", BODY)
        .await?
        .is(202, 0)?;
    let bearer = format!("Bearer {}", token("shop"));
    by(&bearer).get("/accounts/A-1").await?.is(401, 40100)?;
    let bank = SignedRequest {
        client: "bank",
        ..request(&nonce, "k-6")
    };
    by(&bank.authorization(&Secret::new(&token("bank"))))
        .with("idempotent-key", "k-6")
        .send("POST", "/withdraw", BODY)
        .await?
        .is(401, 40100)?;
    Ok(())
}

/// Nonces are remembered by each core. What is caught and sent to another one is the same
/// request under the same key: it moves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_caught_request_moves_nothing_at_another_core() -> anyhow::Result<()> {
    let (set, nobody) = up().await?;
    let ports = StagePorts::free()?;
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let (key, nonce) = (Secret::new(&token("shop")), nonce());
    let signed = request(&nonce, "k-1").authorization(&key);
    let here = nobody
        .with("authorization", &signed)
        .with("idempotent-key", "k-1");
    let first = here.send("POST", "/withdraw", BODY).await?;
    first.is(202, 0)?;
    let there = here.at(&ports.url(ports.core));
    let caught = there.send("POST", "/withdraw", BODY).await?;
    ensure!(
        caught.replayed && caught.body["data"] == first.body["data"],
        "{}",
        caught.body
    );
    let deposit = json!({ "accountId": "A-1", "amount": "5.00", "bizNo": "in-1" }).to_string();
    let nonce = crate::access::signatures::nonce();
    let signed = SignedRequest {
        target: "/deposit",
        headers: Default::default(),
        body: deposit.as_bytes(),
        ..request(&nonce, "")
    };
    let here = nobody.with("authorization", &signed.authorization(&key));
    let first = here.send("POST", "/deposit", &deposit).await?;
    let caught = here
        .at(&ports.url(ports.core))
        .send("POST", "/deposit", &deposit)
        .await?;
    first.is(202, 0).context("deposit")?;
    ensure!(
        caught.replayed && caught.body["data"] == first.body["data"],
        "{}",
        caught.body
    );
    ensure!(available(&set, "A-1").await? == "14.0000", "10 - 1 + 5");
    second.terminate(std::time::Duration::from_secs(15)).await?;
    Ok(())
}
