//! API keys: requests signed whole, each once.

use crate::access::{Upstream, available, client, stage, token, write_secret};
use anyhow::{Context, ensure};
use sluice_contract::clock::now_us;
use sluice_contract::request_signing::SignedRequest;
use sluice_contract::settings::Secret;
use sluice_drill::stage::StagePorts;
use sluice_tests::TestStage;
use std::time::Duration;

const STOP_TIMEOUT: Duration = Duration::from_secs(15);

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

/// A request, its method, path and body, signed under a new nonce.
fn signed_as(method: &str, target: &str, key: &str, body: &str) -> String {
    let nonce = nonce();
    let whole = SignedRequest {
        method,
        target,
        body: body.as_bytes(),
        ..request(&nonce, key)
    };
    whole.authorization(&Secret::new(&token("shop")))
}

/// A request that was caught on the way counts nowhere again: at no other core, nor at one that was
/// restarted.
#[tokio::test(flavor = "multi_thread")]
async fn a_caught_request_counts_at_no_core_again() -> anyhow::Result<()> {
    let (mut set, nobody) = up().await?;
    let ports = StagePorts::free()?;
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let url = ports.url(ports.core);
    let deposit = r#"{"accountId":"A-1","amount":"5.00","bizNo":"in-1"}"#;
    let mut caught = Vec::new();
    for (method, target, key, body, status) in [
        ("POST", "/withdraw", "k-1", BODY, 202),
        ("POST", "/deposit", "", deposit, 202),
        ("GET", "/accounts/A-1", "", "", 200),
    ] {
        let shown = signed_as(method, target, key, body);
        let mut here = nobody.with("authorization", &shown);
        if !key.is_empty() {
            here = here.with("idempotent-key", key);
        }
        here.send(method, target, body).await?.is(status, 0)?;
        let again = here.at(&url).send(method, target, body).await?;
        again.is(401, 40100).context(target)?;
        caught.push((here, method, target, body));
    }
    second.terminate(STOP_TIMEOUT).await?;
    let core = set.stage.core.as_mut().context("it runs")?;
    core.terminate(STOP_TIMEOUT).await?;
    set.stage.start_core().await?;
    for (here, method, target, body) in caught {
        let again = here.send(method, target, body).await?;
        again.is(401, 40100).context(target)?;
    }
    ensure!(available(&set, "A-1").await? == "14.0000", "10 - 1 + 5");
    Ok(())
}

/// A refusal is final: whoever caught the request can't have it accepted once there is
/// money, while its upstream believes that nothing leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_is_used_up_at_every_core() -> anyhow::Result<()> {
    let (set, nobody) = up().await?;
    let ports = StagePorts::free()?;
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let body = BODY.replace("1.00", "50.00");
    let shown = signed_as("POST", "/withdraw", "k-1", &body);
    let here = nobody
        .with("authorization", &shown)
        .with("idempotent-key", "k-1");
    here.send("POST", "/withdraw", &body)
        .await?
        .is(422, 42202)?;
    let bank = Upstream::of(&set, "bank")?;
    bank.deposit("A-1", "100.00", "more").await?.is(202, 0)?;
    let there = here.at(&ports.url(ports.core));
    there
        .send("POST", "/withdraw", &body)
        .await?
        .is(401, 40100)?;
    here.send("POST", "/withdraw", &body)
        .await?
        .is(401, 40100)?;
    ensure!(available(&set, "A-1").await? == "110.0000", "nothing left");
    second.terminate(STOP_TIMEOUT).await?;
    Ok(())
}

/// Of many at a time, at two cores, one counts.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_at_a_time_counts() -> anyhow::Result<()> {
    let (set, nobody) = up().await?;
    let ports = StagePorts::free()?;
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let url = ports.url(ports.core);
    for _ in 0..5 {
        let shown = signed_as("GET", "/accounts/A-1", "", "");
        let here = nobody.with("authorization", &shown);
        let asked = (0..40).map(|at| {
            let caller = if at % 2 == 0 {
                here.clone()
            } else {
                here.at(&url)
            };
            async move { caller.get("/accounts/A-1").await }
        });
        let answers = futures_util::future::try_join_all(asked).await?;
        let count = |status: u16| answers.iter().filter(|a| a.status == status).count();
        ensure!(
            count(200) == 1 && count(401) == 39,
            "{} {}",
            count(200),
            count(401)
        );
    }
    second.terminate(STOP_TIMEOUT).await?;
    Ok(())
}

/// The rate is that of the client whose signature holds: a stranger who knows its name, on
/// the same host, doesn't use it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_signature_or_token_lowers_no_clients_rate() -> anyhow::Result<()> {
    let signed = "may = [\"read\"]\naccounts = [\"*\"]\nauthentication = \"hmac\"\n";
    let tables = client("shop", signed) + &client("bank", "accounts = [\"*\"]");
    let rate = "[listener]\nrequests_per_second_per_client = 1\n";
    let mut set = stage(&format!("{tables}{rate}")).await?;
    crate::access::start(&mut set, &["shop", "bank"]).await?;
    let nobody = Upstream::nobody(&set)?;
    let forged = "Sluice-HMAC-SHA256 client=shop,timestamp=1,nonce=12345678,signature=00";
    let asked = (0..64).map(|at| {
        let shown = match at % 2 {
            0 => format!("{forged}{at:02}"),
            _ => format!("Bearer client=shop {}{at}", token("bank")),
        };
        let stranger = nobody.with("authorization", &shown);
        async move { stranger.get("/accounts/A-1").await }
    });
    for answer in futures_util::future::try_join_all(asked).await? {
        answer.is(401, 40100)?;
    }
    let shown = signed_as("GET", "/accounts/A-1", "", "");
    let shop = nobody.with("authorization", &shown);
    shop.get("/accounts/A-1").await?.is(404, 40402)?;
    Upstream::of(&set, "bank")?
        .get("/accounts/A-1")
        .await?
        .is(404, 40402)?;
    // Its own requests do, whatever their signatures.
    let asked = (0..64).map(|_| {
        let shown = signed_as("GET", "/accounts/A-1", "", "");
        let shop = nobody.with("authorization", &shown);
        async move { anyhow::Ok((shop.get("/accounts/A-1").await?, shop)) }
    });
    let answers = futures_util::future::try_join_all(asked).await?;
    let refused = answers.iter().find(|(answer, _)| answer.status == 429);
    let (answer, shop) = refused.context("64 at once pass a rate of 1")?;
    answer.is(429, 42902)?;
    // What was refused for its rate is sent again as it is.
    loop {
        let again = shop.get("/accounts/A-1").await?;
        if again.status != 429 {
            return again.is(404, 40402);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
