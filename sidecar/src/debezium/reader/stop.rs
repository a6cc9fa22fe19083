//! Reasons why reading the feed stopped.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// A reason why reading stopped.
pub enum FeedStop {
    Cancelled,
    Unreadable(String),
}

impl From<anyhow::Error> for FeedStop {
    fn from(error: anyhow::Error) -> Self {
        FeedStop::Unreadable(format!("{error:#}"))
    }
}

impl From<KafkaError> for FeedStop {
    fn from(error: KafkaError) -> Self {
        FeedStop::Unreadable(error.to_string())
    }
}

/// Judges an error of the consumer.
///
/// # Errors
/// One that says that the position is lost.
pub fn check_error(error: &KafkaError) -> Result<(), FeedStop> {
    let lost = [
        RDKafkaErrorCode::AutoOffsetReset,
        RDKafkaErrorCode::OffsetOutOfRange,
    ];
    if error
        .rdkafka_error_code()
        .is_some_and(|code| lost.contains(&code))
    {
        return Err(FeedStop::Unreadable(format!(
            "position of the change feed lost ({error}); check the gap with audit rules, then delete the checkpoint \
             row of source changes and restart"
        )));
    }
    // A broker that is away comes back; lag says how long it takes.
    tracing::warn!(%error, "change feed");
    Ok(())
}
