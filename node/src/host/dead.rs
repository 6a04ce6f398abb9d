//! Dead letters: what cannot be understood or carried out, kept with the reason.

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use bytes::Bytes;
use messages::{EntityId, Partition, RequestId, Service, Subject};

use crate::bus::{Bus, Outbound, publish};

/// A message, or a part of one, that is put aside.
pub(super) struct DeadLetter {
    pub(super) service: Service,
    pub(super) partition: Partition,
    pub(super) sequence: u64,
    /// What tells it from others of its message.
    pub(super) part: String,
    pub(super) reason: String,
    pub(super) payload: Bytes,
}

/// Envelopes that the database refused, until the position is behind their messages: when their
/// message is read again they are passed over, so that what stands beside them is done.
#[derive(Default)]
pub(super) struct Aside(Mutex<BTreeSet<(Partition, u64, EntityId, RequestId)>>);

impl Aside {
    pub(super) fn put(&self, partition: Partition, sequence: u64, to: &EntityId, id: &RequestId) {
        self.lock()
            .insert((partition, sequence, to.clone(), id.clone()));
    }

    pub(super) fn has(
        &self,
        partition: Partition,
        sequence: u64,
        to: &EntityId,
        id: &RequestId,
    ) -> bool {
        let aside = self.lock();
        !aside.is_empty() && aside.contains(&(partition, sequence, to.clone(), id.clone()))
    }

    /// Forgets what the position is behind.
    pub(super) fn passed(&self, partition: Partition, position: u64) {
        self.lock()
            .retain(|(of, sequence, ..)| *of != partition || *sequence > position);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<(Partition, u64, EntityId, RequestId)>> {
        self.0.lock().expect("no panic while it is locked")
    }
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
            letter.part
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
