//! An issuer whose address has an authority of its own and asks for a certificate: both roll
//! while the core runs.

use crate::access::issuer::{Issuer, IssuerPair};
use crate::access::tokens::{claims, read, settings, until};
use crate::access::{Upstream, stage, start};
use crate::listeners::certificates::CertificateFolder;
use anyhow::ensure;
use sluice_contract::supervisor::Supervisor;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_issuers_own_authority_is_believed_and_rolls() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let certificates = CertificateFolder::new(dir.path())?;
    let parts = Supervisor::default();
    let issuer = Issuer::start_over_tls(&parts, &certificates).await?;
    let (old, new) = (IssuerPair::new("old")?, IssuerPair::new("new")?);
    issuer.publish(&[&old]);
    let tls = format!("tls = {}\n", certificates.client_table());
    let mut set = stage(&(settings(&issuer) + &tls)).await?;
    start(&mut set, &["desk"]).await?;
    Upstream::of(&set, "desk")?
        .deposit("A-1", "10.00", "A-1")
        .await?
        .is(202, 0)?;
    until(&set, &old.sign(&claims())?, 200).await?;
    certificates.sign_all()?;
    issuer.publish(&[&old, &new]);
    until(&set, &new.sign(&claims())?, 200).await?;
    ensure!(read(&set, &old.sign(&claims())?).await?.status == 200);
    parts.stop(Duration::from_secs(10)).await?;
    Ok(())
}

/// Without the settings the world's authorities count, and this one is none of them.
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_nobody_named_is_not_believed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let certificates = CertificateFolder::new(dir.path())?;
    let parts = Supervisor::default();
    let issuer = Issuer::start_over_tls(&parts, &certificates).await?;
    let pair = IssuerPair::new("only")?;
    issuer.publish(&[&pair]);
    let mut set = stage(&settings(&issuer)).await?;
    start(&mut set, &["desk"]).await?;
    for _ in 0..5 {
        let answer = read(&set, &pair.sign(&claims())?).await?;
        answer.is(503, 50301)?;
    }
    ensure!(issuer.asked() == 0, "the core has asked an impostor");
    parts.stop(Duration::from_secs(10)).await?;
    Ok(())
}
