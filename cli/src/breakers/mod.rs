//! `sluice breakers list | show | trip | reset`: breakers as the sidecar keeps them, moved
//! by hand under a person's own name.

mod reset;

use crate::breakers::reset::BreakerResetArgs;
use crate::client::{OperatorClient, SidecarArgs, text_of, time_of};
use clap::Subcommand;
use serde_json::{Value, json};
use sluice_contract::breaker::{BreakerPoint, BreakerScope};

#[derive(Debug, clap::Args)]
pub struct BreakersArgs {
    #[command(subcommand)]
    verb: BreakersCommand,
    #[command(flatten)]
    sidecar: SidecarArgs,
}

#[derive(Debug, Subcommand)]
enum BreakersCommand {
    /// List every breaker that is or was open, the open ones first.
    List,
    /// Open a breaker: what it covers stops with the next claim.
    Trip(BreakerMoveArgs),
    /// Show a breaker, what is open on it, and what still stands at rest.
    Show {
        #[command(flatten)]
        breaker: BreakerArgs,
    },
    /// Close a breaker, and answer what was found on it: what it held goes on.
    Reset(BreakerResetArgs),
    /// List what waits for a second person.
    Proposals,
    /// Say yes, as the second person, to what `proposals` lists.
    Approve {
        /// The breaker, `reset HASH`, the set or the suppression, as it is listed.
        subject: String,
        /// reset, resets, suppress, rollback, demote, trip or retire.
        #[arg(long)]
        step: String,
        #[arg(long)]
        hash: String,
    },
    /// Vouch for the breakers as they are, after somebody changed them by hand: list them
    /// and look at each first.
    Seal {
        /// Why; it is written down beside your name.
        #[arg(long)]
        reason: String,
    },
}

/// One breaker, as in `cash_out account A-17`.
#[derive(Debug, clap::Args)]
struct BreakerArgs {
    /// refund, settlement or cash_out.
    point: BreakerPoint,
    /// all, channel, merchant, account or currency.
    scope: BreakerScope,
    /// The channel, merchant, account or currency; * for the scope all.
    key: String,
}

/// One breaker, as in `cash_out account A-17 --reason …`.
#[derive(Debug, clap::Args)]
struct BreakerMoveArgs {
    #[command(flatten)]
    breaker: BreakerArgs,
    /// Why; it is written down beside your name.
    #[arg(long)]
    reason: String,
}

/// Calls the sidecar and prints its answer; a refusal is an error that says why.
#[allow(clippy::print_stdout)]
pub async fn run(options: BreakersArgs) -> anyhow::Result<()> {
    let client = OperatorClient::new(&options.sidecar)?;
    let text = match options.verb {
        BreakersCommand::List => table(&client.get("/breakers").await?),
        BreakersCommand::Trip(to) => to.trip(&client).await?,
        BreakersCommand::Show { breaker } => reset::shown(&client.get(&breaker.path()).await?),
        BreakersCommand::Reset(to) => to.send(&client).await?,
        BreakersCommand::Proposals => reset::proposals(&client.get("/proposals").await?),
        BreakersCommand::Approve {
            subject,
            step,
            hash,
        } => {
            let body = json!({ "subject": subject, "step": step, "hash": hash });
            let done = client.send("/proposals/approve", &body).await?;
            format!("done: {done}\n")
        }
        BreakersCommand::Seal { reason } => {
            let sealed = client
                .post("/breakers/seal", json!({ "reason": reason }))
                .await?;
            format!("sealed, version {}\n", text_of(&sealed["sealed"]))
        }
    };
    print!("{text}");
    Ok(())
}

impl BreakerArgs {
    fn path(&self) -> String {
        format!(
            "/breakers/{}/{}/{}",
            self.point.as_str(),
            self.scope.as_str(),
            in_path(&self.key)
        )
    }
}

impl BreakerMoveArgs {
    async fn trip(self, client: &OperatorClient) -> anyhow::Result<String> {
        let path = format!("{}/trip", self.breaker.path());
        let moved = client.post(&path, json!({ "reason": self.reason })).await?;
        Ok(done(&moved))
    }
}

/// A key as one part of a path: whatever a URL would read otherwise is written in hex.
pub(crate) fn in_path(key: &str) -> String {
    let part = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' | b'*' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    key.bytes().map(part).collect()
}

fn done(moved: &Value) -> String {
    let (breaker, state) = (text_of(&moved["breaker"]), text_of(&moved["state"]));
    if moved["already"] == true {
        format!("{breaker} was {state} already\n")
    } else {
        let version = text_of(&moved["version"]);
        format!("{breaker} is {state} now (version {version})\n")
    }
}

fn table(rows: &Value) -> String {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return "no breaker has ever been open\n".to_owned();
    }
    let mut text = format!(
        "{:<7} {:<34} {:<21} {:<16} reason\n",
        "state", "breaker", "since (UTC)", "by"
    );
    for row in rows {
        let breaker = format!(
            "{}/{}/{}",
            text_of(&row["point"]),
            text_of(&row["scope"]),
            text_of(&row["key"])
        );
        text += &format!(
            "{:<7} {breaker:<34} {:<21} {:<16} {}\n",
            text_of(&row["state"]),
            time_of(&row["updatedUs"]),
            text_of(&row["changedBy"]),
            text_of(&row["reason"])
        );
        if let Some(verdict) = row["verdictId"].as_str() {
            text += &format!("{:<7} see: sluice rules explain {verdict}\n", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_state_author_reason_and_verdict() {
        let rows = json!([
            { "point": "cash_out", "scope": "account", "key": "A-1", "state": "open", "verdictId": "ab12",
              "reason": "paid twice", "changedBy": "rule paid_once", "version": 3, "updatedUs": 1_000_000 },
            { "point": "refund", "scope": "all", "key": "*", "state": "closed", "verdictId": null,
              "reason": "looked at", "changedBy": "ann", "version": 2, "updatedUs": 0 },
        ]);
        let text = table(&rows);
        for part in [
            "open    cash_out/account/A-1",
            "1970-01-01 00:00:01Z",
            "rule paid_once   paid twice",
            "sluice rules explain ab12",
            "closed  refund/all/*",
            "looked at",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert_eq!(table(&json!([])), "no breaker has ever been open\n");
    }

    #[test]
    fn a_move_is_told_and_a_key_stays_one_part_of_the_path() {
        let moved = json!({ "breaker": "refund/all/*", "state": "open", "version": 4 });
        assert_eq!(done(&moved), "refund/all/* is open now (version 4)\n");
        let again = json!({ "breaker": "refund/all/*", "state": "open", "already": true });
        assert_eq!(done(&again), "refund/all/* was open already\n");
        assert_eq!(in_path("A-1:b*"), "A-1:b*");
        assert_eq!(in_path("a/b c?"), "a%2Fb%20c%3F");
    }
}
