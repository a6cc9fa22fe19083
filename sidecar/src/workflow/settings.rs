//! Settings of rules: what each may cost, how long a trial is, and what takes two people.

use anyhow::Context;
use rust_decimal::Decimal;
use serde::Deserialize;
use sluice_contract::settings::in_range;
use std::time::Duration;

/// Processor time of the machine's one core in a second.
const MAX_CPU_MS_PER_S: u64 = 1_000;
/// Longest trial that can be asked for: a month.
const MAX_SOAK_MINUTES: u64 = 31 * 24 * 60;
/// Longest stop by a budget: a person has looked long before.
const MAX_BUDGET_STOP_MINUTES: u64 = 24 * 60;
const MICROS_PER_MINUTE: u64 = 60_000_000;

/// The table `rules` of the settings.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleCostSettings {
    /// Processor time that one rule may take in a second, in ms. Past it a rule in shadow
    /// sleeps; of an armed one it is counted, and somebody is paged.
    pub cpu_ms_per_s: u64,
    /// Minutes for which a critical rule past its budget stops its points, beside the accounts
    /// that it names.
    pub budget_stop_minutes: u64,
    /// Time for which a version must have been evaluated in shadow before it is promoted, in
    /// minutes. Gaps don't count.
    pub soak_minutes: u64,
}

impl Default for RuleCostSettings {
    fn default() -> Self {
        RuleCostSettings {
            cpu_ms_per_s: 100,
            budget_stop_minutes: 30,
            soak_minutes: 0,
        }
    }
}

impl RuleCostSettings {
    /// # Errors
    /// The key that is out of range.
    pub fn check(&self) -> anyhow::Result<()> {
        in_range(
            "rules.cpu_ms_per_s",
            self.cpu_ms_per_s,
            1..=MAX_CPU_MS_PER_S,
        )?;
        in_range(
            "rules.budget_stop_minutes",
            self.budget_stop_minutes,
            1..=MAX_BUDGET_STOP_MINUTES,
        )?;
        in_range(
            "rules.soak_minutes",
            self.soak_minutes,
            0..=MAX_SOAK_MINUTES,
        )
    }

    pub fn cpu_per_second(&self) -> Duration {
        Duration::from_millis(self.cpu_ms_per_s)
    }

    pub fn budget_stop_us(&self) -> i64 {
        i64::try_from(self.budget_stop_minutes * MICROS_PER_MINUTE).unwrap_or(i64::MAX)
    }

    pub fn soak_us(&self) -> i64 {
        i64::try_from(self.soak_minutes * MICROS_PER_MINUTE).unwrap_or(i64::MAX)
    }
}

/// The table `suppress` of the settings.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SuppressSettings {
    /// Major units of whatever currency that suppressions of one rule may let pass together
    /// on one person's word; above it a second one approves.
    #[serde(with = "rust_decimal::serde::str")]
    pub two_people_above: Decimal,
}

impl Default for SuppressSettings {
    fn default() -> Self {
        SuppressSettings {
            two_people_above: Decimal::from(10_000),
        }
    }
}

impl SuppressSettings {
    /// # Errors
    /// The amount is negative.
    pub fn check(&self) -> anyhow::Result<()> {
        let is_amount = self.two_people_above >= Decimal::ZERO;
        is_amount
            .then_some(())
            .context("suppress.two_people_above is negative; 0 is two people for each")
    }
}
