//! Progress for a person who waits: a line that moves, and a line per thing done.

use crate::stage::DrillStage;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

#[derive(Clone)]
pub struct ProgressDisplay {
    bar: ProgressBar,
    /// Without a terminal, steps are printed as lines of their own.
    plain: bool,
}

impl ProgressDisplay {
    pub fn new() -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = ProgressBar::new_spinner();
        if plain {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.enable_steady_tick(Duration::from_millis(120));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}") {
                bar.set_style(style);
            }
        }
        ProgressDisplay { bar, plain }
    }

    pub fn step(&self, what: &str) {
        self.bar.set_message(format!("{what} …"));
        if self.plain {
            print(&format!("  … {what}"));
        }
    }

    pub fn done(&self, what: &str) {
        self.line(&format!("✔ {what}"));
    }

    pub fn note(&self, what: &str) {
        self.line(&format!("    {what}"));
    }

    pub fn line(&self, text: &str) {
        if self.plain {
            print(text);
        } else {
            self.bar.println(text);
        }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Shows the core's own counters while load runs.
    pub async fn while_loading(&self, stage: &DrillStage, time: Duration, what: &str) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            let accepted = counted(stage, "init").await;
            let paid = counted(stage, "success").await;
            let left = time.saturating_sub(begun.elapsed()).as_secs();
            self.bar.set_message(format!(
                "{what}: {accepted} accepted, {paid} paid, {left} s to go …"
            ));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Default for ProgressDisplay {
    fn default() -> Self {
        ProgressDisplay::new()
    }
}

/// A counter that can't be read now is shown as 0: the bar is for the eye.
async fn counted(stage: &DrillStage, state: &str) -> u64 {
    stage
        .core_metric(&format!("sluice_core_orders_total{{state=\"{state}\"}}"))
        .await
        .unwrap_or(0)
}

#[allow(clippy::print_stdout)]
fn print(text: &str) {
    println!("{text}");
}
