//! Lanes: what waits for one subject leaves together, one message in flight, no timer.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use messages::{Subject, digest::fnv1a, wire};
use tokio::sync::mpsc;

use crate::{
    bus::{Bus, Outbound, publish},
    failpoint::{self, Point},
    telemetry::names,
};

/// How long the broker is left alone between two tries, at most.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How often an envelope left this process, and whether it waits to.
#[derive(Default)]
pub(super) struct Sent {
    attempts: AtomicU32,
    waiting: AtomicBool,
}

impl Sent {
    /// Counts what an earlier life may have sent.
    pub(super) fn before() -> Self {
        Self {
            attempts: AtomicU32::new(1),
            waiting: AtomicBool::new(false),
        }
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Acquire)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }
}

/// An envelope on its way out.
pub(super) struct Letter {
    /// The dedup id: `{request id}/{entity id}`.
    pub(super) id: String,
    pub(super) envelope: Arc<[u8]>,
    /// For a command, which is sent again until it is answered.
    pub(super) sent: Option<Arc<Sent>>,
}

/// The lanes of a session, one a subject.
pub(super) struct Lanes {
    bus: Arc<dyn Bus>,
    lane_max: usize,
    message_bytes_max: usize,
    by_subject: Mutex<BTreeMap<Subject, Lane>>,
}

#[derive(Clone)]
struct Lane {
    letters: mpsc::UnboundedSender<Letter>,
    waiting: Arc<AtomicUsize>,
}

impl Lanes {
    pub(super) fn new(bus: Arc<dyn Bus>, limits: &super::Limits) -> Arc<Self> {
        Arc::new(Self {
            bus,
            lane_max: limits.lane_max,
            message_bytes_max: limits.message_bytes_max,
            by_subject: Mutex::default(),
        })
    }

    /// Puts a letter into its subject's lane. Where the lane is full the letter is let go: a
    /// command is sent again by its schedule, a reply when it is asked for again.
    pub(super) fn put(&self, subject: Subject, letter: Letter) {
        let lane = self.lane(subject);
        if lane.waiting.load(Ordering::Acquire) >= self.lane_max {
            metrics::counter!(names::LANE_FULL).increment(1);
            return;
        }
        if let Some(sent) = &letter.sent {
            sent.waiting.store(true, Ordering::Release);
        }
        lane.waiting.fetch_add(1, Ordering::AcqRel);
        // The lane's end is gone when the session has ended: the next one sends what is owed.
        let _ = lane.letters.send(letter);
    }

    /// Whether nothing waits any more.
    pub(super) fn is_empty(&self) -> bool {
        let lanes = self
            .by_subject
            .lock()
            .expect("no panic while the lanes are locked");
        lanes
            .values()
            .all(|lane| lane.waiting.load(Ordering::Acquire) == 0)
    }

    /// Ends all lanes; what waits is not sent.
    pub(super) fn close(&self) {
        self.by_subject
            .lock()
            .expect("no panic while the lanes are locked")
            .clear();
    }

    fn lane(&self, subject: Subject) -> Lane {
        let mut lanes = self
            .by_subject
            .lock()
            .expect("no panic while the lanes are locked");
        lanes
            .entry(subject)
            .or_insert_with(|| {
                let (letters, receiver) = mpsc::unbounded_channel();
                let waiting = Arc::new(AtomicUsize::new(0));
                tokio::spawn(run(
                    Arc::clone(&self.bus),
                    subject,
                    self.message_bytes_max,
                    receiver,
                    Arc::clone(&waiting),
                ));
                Lane { letters, waiting }
            })
            .clone()
    }
}

async fn run(
    bus: Arc<dyn Bus>,
    subject: Subject,
    bytes_max: usize,
    mut letters: mpsc::UnboundedReceiver<Letter>,
    waiting: Arc<AtomicUsize>,
) {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(letter) => letter,
            None => match letters.recv().await {
                Some(letter) => letter,
                None => return,
            },
        };
        let mut bytes = first.envelope.len();
        let mut together = vec![first];
        while let Ok(letter) = letters.try_recv() {
            if bytes + letter.envelope.len() > bytes_max {
                next = Some(letter);
                break;
            }
            bytes += letter.envelope.len();
            together.push(letter);
        }
        if !deliver(&*bus, subject, &together, &letters).await {
            return;
        }
        for letter in &together {
            if let Some(sent) = &letter.sent {
                sent.waiting.store(false, Ordering::Release);
            }
        }
        waiting.fetch_sub(together.len(), Ordering::AcqRel);
    }
}

/// Publishes letters in one message, again and again under the same id until the broker has it;
/// `false` where the lane was closed.
async fn deliver(
    bus: &dyn Bus,
    subject: Subject,
    letters: &[Letter],
    lane: &mpsc::UnboundedReceiver<Letter>,
) -> bool {
    let attempts: Vec<u32> = letters
        .iter()
        .map(|letter| {
            letter
                .sent
                .as_ref()
                .map_or(1, |sent| sent.attempts.fetch_add(1, Ordering::AcqRel) + 1)
        })
        .collect();
    let message = Outbound {
        subject: subject.to_string(),
        id: message_id(letters, &attempts),
        headers: Vec::new(),
        payload: wire::join(letters.iter().map(|letter| &*letter.envelope)).into(),
    };
    let begun = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(50);
    let mut told = false;
    loop {
        failpoint::reach(failpoint::PROCESS, Point::Sending);
        match publish(bus, message.clone()).await {
            Ok(_) => {
                failpoint::reach(failpoint::PROCESS, Point::Sent);
                metrics::histogram!(names::STAGE, "stage" => "publish", "service" => subject.service().name())
                    .record(begun.elapsed());
                return true;
            }
            // Once a lane and outage, however long it lasts.
            Err(error) if pause >= PAUSE_MAX && !told => {
                told = true;
                tracing::warn!(%subject, %error, "still not acknowledged, publishing again");
            }
            Err(error) => {
                tracing::debug!(%subject, %error, "not acknowledged, publishing again");
            }
        }
        if lane.is_closed() {
            return false;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
        // The broker may have taken it and then lost what it knows of its id: from now on a
        // second copy must be reckoned with.
        for letter in letters {
            if let Some(sent) = &letter.sent {
                sent.attempts.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}

/// The dedup id of a message: its one letter's (`#2` when it is sent again), or a hash over all.
fn message_id(letters: &[Letter], attempts: &[u32]) -> String {
    let room = letters.iter().map(|letter| letter.id.len() + 4).sum();
    let mut ids = String::with_capacity(room);
    for (letter, attempt) in letters.iter().zip(attempts) {
        ids.push('\n');
        ids.push_str(&letter.id);
        if *attempt > 1 {
            let _ = write!(ids, "#{attempt}");
        }
    }
    let joined = ids.get(1..).unwrap_or_default();
    match letters.len() {
        1 => joined.to_owned(),
        several => format!(
            "{several}-{:016x}{:016x}",
            fnv1a(joined.as_bytes()),
            fnv1a(ids.as_bytes())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(id: &str) -> Letter {
        Letter {
            id: id.into(),
            envelope: Arc::from(Vec::new()),
            sent: None,
        }
    }

    #[test]
    fn a_letter_alone_travels_under_its_own_id_and_several_under_a_hash_of_theirs() {
        assert_eq!(message_id(&[letter("DEC-1/p")], &[1]), "DEC-1/p");
        assert_eq!(message_id(&[letter("DEC-1/p")], &[2]), "DEC-1/p#2");
        let two = message_id(&[letter("DEC-1/p"), letter("DEC-2/p")], &[1, 1]);
        assert_eq!(
            two,
            message_id(&[letter("DEC-1/p"), letter("DEC-2/p")], &[1, 1])
        );
        assert_ne!(
            two,
            message_id(&[letter("DEC-1/p"), letter("DEC-2/p")], &[1, 2])
        );
        assert!(two.starts_with("2-"));
    }
}
