//! Retries: how often something is tried, and the pauses between.

use std::time::Duration;

/// Bounds of a series of tries. Each pause is twice the one before it.
#[derive(Debug, Clone, Copy)]
pub struct RetrySchedule {
    /// Tries in all; `None`: for ever, nothing may be dropped.
    pub max_attempts: Option<u32>,
    pub first_pause: Duration,
    pub max_pause: Duration,
}

impl RetrySchedule {
    /// Tries `attempts` times, with the same pause between any two.
    pub const fn fixed(attempts: u32, pause: Duration) -> RetrySchedule {
        RetrySchedule {
            max_attempts: Some(attempts),
            first_pause: pause,
            max_pause: pause,
        }
    }

    /// Begins a series; the first try needs no leave.
    pub fn begin(self) -> RetrySeries {
        RetrySeries {
            schedule: self,
            attempts: 1,
            pause: self.first_pause,
        }
    }
}

/// A series of tries under way.
#[derive(Debug)]
pub struct RetrySeries {
    schedule: RetrySchedule,
    attempts: u32,
    pause: Duration,
}

impl RetrySeries {
    /// Counts a try that failed: the pause before the next one, or `None` if it was the
    /// last.
    pub fn after_failure(&mut self) -> Option<Duration> {
        let most = self.schedule.max_attempts;
        if most.is_some_and(|most| self.attempts >= most) {
            return None;
        }
        self.attempts = self.attempts.saturating_add(1);
        let next = (self.pause * 2).min(self.schedule.max_pause);
        Some(std::mem::replace(&mut self.pause, next))
    }

    /// Goes on at the slowest pace: what failed is no matter of a moment.
    pub fn slow_down(&mut self) {
        self.pause = self.schedule.max_pause;
    }
}

#[cfg(test)]
mod tests {
    use super::RetrySchedule;
    use std::time::Duration;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let ms = Duration::from_millis;
        let mut tries = RetrySchedule {
            max_attempts: None,
            first_pause: ms(20),
            max_pause: ms(100),
        }
        .begin();
        let pauses: Vec<_> = (0..5).map(|_| tries.after_failure().unwrap()).collect();
        assert_eq!(pauses, [20, 40, 80, 100, 100].map(ms));
        let mut slow = RetrySchedule {
            max_attempts: None,
            first_pause: ms(20),
            max_pause: ms(100),
        }
        .begin();
        slow.slow_down();
        assert_eq!(slow.after_failure(), Some(ms(100)));
    }

    #[test]
    fn a_bounded_series_ends_with_its_last_try() {
        let mut tries = RetrySchedule::fixed(3, Duration::ZERO).begin();
        assert_eq!(tries.after_failure(), Some(Duration::ZERO));
        assert_eq!(tries.after_failure(), Some(Duration::ZERO));
        assert_eq!(tries.after_failure(), None);
    }
}
