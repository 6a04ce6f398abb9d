//! Dead letters: what cannot be understood or carried out, kept with the reason.

use std::time::Duration;

use bytes::Bytes;
use messages::{Partition, Service, Subject};

use crate::bus::{Bus, Outbound, publish};

/// A message, or a part of one, that is put aside.
pub(super) struct DeadLetter {
    pub(super) service: Service,
    pub(super) partition: Partition,
    pub(super) sequence: u64,
    /// The place within its message, counted from 0.
    pub(super) index: usize,
    pub(super) reason: String,
    pub(super) payload: Bytes,
}

/// Puts a letter aside; returns only when the stream has it, since only then may its position be
/// passed.
pub(super) async fn bury(bus: &dyn Bus, letter: DeadLetter) {
    let origin = letter.service.inbox_subject(letter.partition);
    tracing::warn!(subject = %origin, sequence = letter.sequence, reason = letter.reason, "dead letter");
    metrics::counter!(crate::telemetry::names::DEAD_LETTERS, "service" => letter.service.name())
        .increment(1);
    let message = Outbound {
        subject: Subject::Dead(letter.service, letter.partition).to_string(),
        id: format!(
            "dead/{}/{}/{}",
            letter.service.inbox(),
            letter.sequence,
            letter.index
        ),
        headers: vec![
            ("Onhand-Reason", letter.reason.replace(['\r', '\n'], " ")),
            ("Onhand-Subject", origin.to_string()),
            ("Onhand-Sequence", letter.sequence.to_string()),
        ],
        payload: letter.payload,
    };
    let mut pause = Duration::from_millis(100);
    while let Err(error) = publish(bus, message.clone()).await {
        tracing::warn!(%error, "the dead letter is not kept yet, trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}
