//! Access tokens of an issuer (OAuth 2.0): what is believed, and what isn't.

use crate::access::issuer::{Issuer, IssuerPair, base64url};
use crate::access::{Answer, Upstream, available, client, stage, start};
use anyhow::{Context, ensure};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_tests::TestStage;
use std::time::Duration;

pub(super) fn settings(issuer: &Issuer) -> String {
    let all = r#"may = ["withdraw", "deposit", "read", "cancel"]"#;
    client("desk", "accounts = [\"*\"]\nmay = [\"deposit\"]")
        + &client(
            "app",
            &format!("{all}\nauthentication = \"jwt\"\nend_user = \"claim\""),
        )
        + &client(
            "batch",
            &format!("{all}\nauthentication = \"jwt\"\naccounts = [\"A-*\"]"),
        )
        + &client(
            "cloud",
            &format!(
                "{all}\nauthentication = \"jwt\"\naccounts = [\"A-*\"]\nsubject = \"cloud@clients\""
            ),
        )
        + &client(
            "gate",
            &format!("{all}\nauthentication = \"jwt\"\nend_user = \"header\""),
        )
        + &format!(
            "[oauth]\nissuer = \"https://login.example\"\naudience = \"sluice\"\nalgorithms = [\"ES256\"]\n\
             jwks = \"{}\"\nscope_prefix = \"sluice:\"\nmin_refresh_ms = 200\n",
            issuer.url
        )
}

/// Claims of a good token.
pub(super) fn claims() -> Value {
    json!({ "iss": "https://login.example", "aud": "sluice", "client_id": "app", "account_id": "A-1",
            "scope": "openid sluice:withdraw sluice:read sluice:cancel", "exp": now_us() / 1_000_000 + 300 })
}

pub(super) fn with(changes: Value) -> Value {
    let mut all = claims();
    for (name, value) in changes.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    all
}

pub(super) async fn read(set: &TestStage, token: &str) -> anyhow::Result<Answer> {
    let caller = Upstream::nobody(set)?.with("authorization", &format!("Bearer {token}"));
    caller.get("/accounts/A-1").await
}

pub(super) async fn up(issuer: &Issuer) -> anyhow::Result<TestStage> {
    let mut set = stage(&settings(issuer)).await?;
    start(&mut set, &["desk"]).await?;
    let desk = Upstream::of(&set, "desk")?;
    for account in ["A-1", "A-2"] {
        desk.deposit(account, "10.00", account).await?.is(202, 0)?;
    }
    Ok(set)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_counts_by_its_issuer_audience_time_and_signature() -> anyhow::Result<()> {
    let issuer = Issuer::start().await?;
    let (first, second, foreign) = (
        IssuerPair::new("1")?,
        IssuerPair::new("2")?,
        IssuerPair::new("1")?,
    );
    issuer.publish(&[&first, &second]);
    let set = up(&issuer).await?;
    read(&set, &first.sign(&claims())?).await?.is(200, 0)?;
    read(&set, &second.sign(&claims())?).await?.is(200, 0)?;
    let now = now_us() / 1_000_000;
    for wrong in [
        json!({ "iss": "https://evil.example" }),
        json!({ "aud": "another-api" }),
        json!({ "exp": now - 60 }),
        json!({ "exp": now + 90_000 }),
        json!({ "exp": null }),
        json!({ "nbf": now + 120 }),
        json!({ "client_id": "desk" }),
        json!({ "client_id": "nobody" }),
        json!({ "client_id": null }),
    ] {
        let answer = read(&set, &first.sign(&with(wrong.clone()))?).await?;
        answer.is(401, 40100).with_context(|| wrong.to_string())?;
    }
    // Another's key under the same name; a key that the token doesn't name.
    read(&set, &foreign.sign(&claims())?)
        .await?
        .is(401, 40100)?;
    let mut unnamed = Header::new(Algorithm::ES256);
    unnamed.typ = Some("at+jwt".to_owned());
    let unnamed = first.sign_under(&unnamed, &claims())?;
    read(&set, &unnamed).await?.is(401, 40100)?;
    for token in forged(&first)? {
        read(&set, &token)
            .await?
            .is(401, 40100)
            .with_context(|| token)?;
    }
    Ok(())
}

/// Tokens that are made from what everybody knows: the public key.
fn forged(known: &IssuerPair) -> anyhow::Result<Vec<String>> {
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(known.key_id.clone());
    let public = known.public();
    let mut tokens = Vec::new();
    for secret in [known.point(), public.to_string().as_bytes()] {
        let key = EncodingKey::from_secret(secret)?;
        tokens.push(jsonwebtoken::encode(&header, &claims(), &key)?);
    }
    let good = known.sign(&claims())?;
    let parts: Vec<&str> = good.split('.').collect();
    let part = |json: Value| base64url(json.to_string().as_bytes());
    for algorithm in ["none", "None", "NONE", "HS256", "ES384"] {
        let header = part(json!({ "alg": algorithm, "typ": "at+jwt", "kid": known.key_id }));
        tokens.push(format!("{header}.{}.", parts[1]));
        tokens.push(format!("{header}.{}.{}", parts[1], parts[2]));
    }
    // The claims of somebody else under a good signature.
    let other = part(with(json!({ "account_id": "A-2" })));
    tokens.push(format!("{}.{other}.{}", parts[0], parts[2]));
    tokens.push(format!("{}.{}", parts[0], parts[1]));
    tokens.push(format!("{good}.{}", parts[2]));
    Ok(tokens)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_moves_its_own_users_money_as_far_as_its_scope() -> anyhow::Result<()> {
    let issuer = Issuer::start().await?;
    let pair = IssuerPair::new("only")?;
    issuer.publish(&[&pair]);
    let set = up(&issuer).await?;
    let by = |changes: Value| -> anyhow::Result<Upstream> {
        let token = pair.sign(&with(changes))?;
        Ok(Upstream::nobody(&set)?.with("authorization", &format!("Bearer {token}")))
    };
    let order = |from: &str| json!({ "fromAccountId": from, "toAccountId": "p", "amount": "1.00" });
    let user = by(json!({}))?;
    user.withdraw("k-1", &order("A-1")).await?.is(202, 0)?;
    user.withdraw("k-2", &order("A-2")).await?.is(403, 40300)?;
    user.get("/accounts/A-2").await?.is(404, 40402)?;
    let headed = user.with("x-account-id", "A-2");
    headed
        .withdraw("k-3", &order("A-2"))
        .await?
        .is(403, 40300)?;
    // Not in the token's scope, though in the client's grants; and the other way round.
    user.deposit("A-1", "1.00", "n").await?.is(403, 40300)?;
    let wide = by(json!({ "scope": "sluice:refund" }))?;
    wide.get("/accounts/A-1").await?.is(403, 40300)?;
    wide.with("idempotent-key", "k")
        .post("/refund", &json!({}))
        .await?
        .is(403, 40300)?;
    by(json!({ "scope": null }))?
        .get("/accounts/A-1")
        .await?
        .is(403, 40300)?;
    for nobody in [json!(null), json!(""), json!("A 1"), json!(7)] {
        let odd = by(json!({ "account_id": nobody }))?;
        odd.get("/accounts/A-1").await?.is(403, 40300)?;
    }
    // A machine's token: its client has accounts of its own.
    let batch = by(json!({ "client_id": "batch", "sub": "batch", "account_id": null }))?;
    batch.withdraw("k-4", &order("A-2")).await?.is(202, 0)?;
    batch.withdraw("k-5", &order("B-1")).await?.is(403, 40300)?;
    ensure!(available(&set, "A-1").await? == "9.0000", "A-1");
    ensure!(available(&set, "A-2").await? == "9.0000", "A-2");
    Ok(())
}

/// A user who logs in through a client holds a token with the client's name on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_users_token_never_speaks_for_the_whole_client() -> anyhow::Result<()> {
    let issuer = Issuer::start().await?;
    let pair = IssuerPair::new("only")?;
    issuer.publish(&[&pair]);
    let set = up(&issuer).await?;
    let order = json!({ "fromAccountId": "A-2", "toAccountId": "p", "amount": "1.00" });
    let cases = [
        ("batch", json!("u-7"), 401, 40100),
        ("batch", json!(null), 401, 40100),
        ("batch", json!(""), 401, 40100),
        ("batch", json!(["batch"]), 401, 40100),
        ("batch", json!("Batch"), 401, 40100),
        ("batch", json!("batch"), 202, 0),
        ("cloud", json!("cloud"), 401, 40100),
        ("cloud", json!("cloud@clients"), 202, 0),
        ("gate", json!("u-7"), 401, 40100),
        ("gate", json!("gate"), 202, 0),
        // Its tokens are the users' own, and name the account that pays.
        ("app", json!("u-7"), 202, 0),
    ];
    for (n, (client, subject, status, code)) in cases.into_iter().enumerate() {
        let claims = with(json!({ "client_id": client, "sub": subject, "account_id": "A-2" }));
        let mut caller = Upstream::nobody(&set)?;
        caller = caller.with("authorization", &format!("Bearer {}", pair.sign(&claims)?));
        if client == "gate" {
            caller = caller.with("x-account-id", "A-2");
        }
        let answer = caller.withdraw(&format!("s-{n}"), &order).await?;
        answer
            .is(status, code)
            .with_context(|| format!("{client} {subject}"))?;
    }
    ensure!(available(&set, "A-2").await? == "6.0000", "A-2");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_issuers_keys_roll_and_stay_while_it_is_away() -> anyhow::Result<()> {
    let issuer = Issuer::start().await?;
    let (old, new) = (IssuerPair::new("old")?, IssuerPair::new("new")?);
    let set = up(&issuer).await?;
    // No keys yet: nobody is called a liar.
    read(&set, &old.sign(&claims())?).await?.is(503, 50301)?;
    issuer.publish(&[&old]);
    until(&set, &old.sign(&claims())?, 200).await?;
    // The issuer goes away, with every kind of bad answer: its keys stay.
    let huge = format!("{{\"keys\":[],\"pad\":\"{}\"}}", "x".repeat(300_000));
    for (status, body) in [
        (500, ""),
        (200, "no JSON"),
        (200, "{\"keys\":[]}"),
        (200, huge.as_str()),
    ] {
        issuer.answer(status, body.to_owned());
        let before = issuer.asked();
        while issuer.asked() == before {
            read(&set, &new.sign(&claims())?).await?.is(401, 40100)?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        read(&set, &old.sign(&claims())?).await?.is(200, 0)?;
    }
    issuer.publish(&[&old, &new]);
    until(&set, &new.sign(&claims())?, 200).await?;
    read(&set, &old.sign(&claims())?).await?.is(200, 0)?;
    issuer.publish(&[&new]);
    let unknown = IssuerPair::new("unknown")?.sign(&claims())?;
    let (before, begun) = (issuer.asked(), now_us());
    for _ in 0..200 {
        read(&set, &unknown).await?.is(401, 40100)?;
    }
    // One look an interval, however many ask.
    let intervals = u64::try_from((now_us() - begun) / 200_000)?;
    ensure!(
        issuer.asked() - before <= intervals + 1,
        "{} looks",
        issuer.asked() - before
    );
    until(&set, &old.sign(&claims())?, 401).await
}

/// Asks until the answer is this one; unknown keys make the core look again.
pub(super) async fn until(set: &TestStage, token: &str, status: u16) -> anyhow::Result<()> {
    let unknown = IssuerPair::new("nobody's")?.sign(&claims())?;
    for _ in 0..600 {
        if read(set, token).await?.status == status {
            return Ok(());
        }
        read(set, &unknown).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("never {status}")
}
