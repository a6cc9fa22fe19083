//! What a newcomer tries first works, and trips nothing.

use anyhow::ensure;
use sluice_drill::commands::first_calls::{self, FirstCall};
use sluice_drill::load::http;
use sluice_tests::{TestStage, options, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_make_up_shows_calls_that_work() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    first_calls::fund(&set.stage).await?;
    let core = set.stage.target().address;
    let calls = FirstCall::all();
    let page = first_calls::page(&format!("http://{core}"), &calls);
    for call in &calls {
        let (status, body) = match &call.body {
            Some(body) => {
                ensure!(page.contains(body), "{body} is not on the page:\n{page}");
                http::post(&core, &call.path, body).await?
            }
            None => http::get(&core, &call.path).await?,
        };
        let body = String::from_utf8_lossy(&body);
        ensure!(
            page.contains(&call.path),
            "{} is not on the page",
            call.path
        );
        ensure!(
            (200..300).contains(&status) && body.contains("\"code\":0"),
            "{}: {status} {body}",
            call.purpose
        );
    }
    let what_became = &calls[1].path;
    until("the order is paid", async || {
        let (_, body) = http::get(&core, what_became).await?;
        Ok(String::from_utf8_lossy(&body).contains("\"status\":\"success\""))
    })
    .await?;
    set.everything_is_evaluated().await?;
    ensure!(set.verdicts().await?.is_empty(), "a first call trips");
    set.all_is_well().await
}
