//! How far each partition's stream is decided: the position that the next commit writes.
//!
//! A position is the last message up to which every envelope is decided. It never goes back.

use std::collections::{BTreeMap, VecDeque};

use messages::{Partition, Timestamp};

use crate::store::{Mark, Position, PositionWrite};

/// A message whose envelopes are not all decided yet.
struct Open {
    sequence: u64,
    at: Timestamp,
    left: usize,
}

#[derive(Default)]
struct Partial {
    /// The newest message that was taken in, and its time where there is one.
    taken: (u64, Option<Timestamp>),
    /// Where the stream lost its tail: what lies at or below this, in sequence and in time, was
    /// decided before.
    decided_before: Option<(u64, Timestamp)>,
    open: VecDeque<Open>,
    /// The newest message up to which all is decided, where no commit has written it yet.
    decided: Option<(u64, Timestamp)>,
}

/// The progress of all owned partitions in one stream.
#[derive(Default)]
pub(super) struct Progress {
    stream: String,
    partitions: BTreeMap<Partition, Partial>,
}

impl Progress {
    /// Starts, with the sequence that each partition was read to.
    pub(super) fn start(
        &mut self,
        stream: String,
        read_to: impl IntoIterator<Item = (Partition, (u64, Option<Timestamp>))>,
    ) {
        self.stream = stream;
        self.partitions = read_to
            .into_iter()
            .map(|(partition, taken)| {
                (
                    partition,
                    Partial {
                        taken,
                        ..Partial::default()
                    },
                )
            })
            .collect();
    }

    /// A partition was read to here in this stream, which has lost what came last since: what is
    /// left of it is not to be decided anew. A command that was refused would be new again, and
    /// nobody may want it any more; who still does asks again.
    pub(super) fn was_decided(&mut self, partition: Partition, sequence: u64, at: Timestamp) {
        if let Some(partial) = self.partitions.get_mut(&partition) {
            partial.decided_before = Some((sequence, at));
        }
    }

    /// The newest message that was taken in, of each partition.
    pub(super) fn taken(&self) -> BTreeMap<Partition, (u64, Option<Timestamp>)> {
        self.partitions
            .iter()
            .map(|(partition, partial)| (*partition, partial.taken))
            .collect()
    }

    /// Takes a message in; `false` where it was taken before, or is none of ours.
    pub(super) fn take(
        &mut self,
        partition: Partition,
        sequence: u64,
        at: Timestamp,
        envelopes: usize,
    ) -> bool {
        let Some(partial) = self.partitions.get_mut(&partition) else {
            return false;
        };
        let again = partial
            .decided_before
            .is_some_and(|(last, until)| sequence <= last && at <= until);
        if sequence <= partial.taken.0 || again {
            return false;
        }
        partial.taken = (sequence, Some(at));
        partial.open.push_back(Open {
            sequence,
            at,
            left: envelopes,
        });
        partial.settle();
        true
    }

    /// One envelope of a message is decided.
    pub(super) fn decided(&mut self, partition: Partition, sequence: u64) {
        let Some(partial) = self.partitions.get_mut(&partition) else {
            return;
        };
        if let Ok(n) = partial
            .open
            .binary_search_by_key(&sequence, |open| open.sequence)
        {
            partial.open[n].left = partial.open[n].left.saturating_sub(1);
        }
        partial.settle();
    }

    /// The positions that have moved since they were last asked for.
    pub(super) fn moved(&mut self) -> Vec<PositionWrite> {
        let stream = &self.stream;
        self.partitions
            .iter_mut()
            .filter_map(|(partition, partial)| {
                let (sequence, at) = partial.decided.take()?;
                Some(PositionWrite {
                    mark: Mark::Inbox,
                    partition: *partition,
                    position: Position {
                        stream: stream.clone(),
                        sequence,
                        at,
                    },
                    number: 0,
                })
            })
            .collect()
    }
}

impl Partial {
    fn settle(&mut self) {
        while self.open.front().is_some_and(|open| open.left == 0) {
            let open = self.open.pop_front().expect("there is a front");
            self.decided = Some((open.sequence, open.at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        let mut progress = Progress::default();
        progress.start("s".into(), [(Partition(1), (10, None))]);
        progress
    }

    fn positions(progress: &mut Progress) -> Vec<u64> {
        progress
            .moved()
            .into_iter()
            .map(|write| write.position.sequence)
            .collect()
    }

    #[test]
    fn a_position_does_not_pass_a_message_that_is_not_wholly_decided() {
        let (mut progress, at) = (progress(), Timestamp::default());
        assert!(progress.take(Partition(1), 11, at, 2));
        assert!(progress.take(Partition(1), 12, at, 1));
        progress.decided(Partition(1), 12);
        progress.decided(Partition(1), 11);
        assert_eq!(positions(&mut progress), [0_u64; 0]);
        progress.decided(Partition(1), 11);
        assert_eq!(positions(&mut progress), [12]);
        assert_eq!(positions(&mut progress), [0_u64; 0]);
    }

    #[test]
    fn of_a_stream_that_lost_its_tail_what_is_left_is_not_taken_again_and_what_is_new_is() {
        let time = Timestamp::from_millis;
        let mut progress = Progress::default();
        progress.start("s".into(), [(Partition(1), (0, None))]);
        progress.was_decided(Partition(1), 10, time(1_000));
        assert!(!progress.take(Partition(1), 7, time(900), 1));
        // By a clock that is behind, which another server may have.
        assert!(!progress.take(Partition(1), 8, time(990), 1));
        assert!(progress.take(Partition(1), 9, time(1_001), 1));
        assert!(progress.take(Partition(1), 11, time(995), 1));
    }

    #[test]
    fn a_message_is_taken_once_and_an_empty_one_is_decided_at_once() {
        let (mut progress, at) = (progress(), Timestamp::default());
        assert!(!progress.take(Partition(1), 10, at, 1));
        assert!(!progress.take(Partition(2), 11, at, 1));
        assert!(progress.take(Partition(1), 13, at, 0));
        assert!(!progress.take(Partition(1), 13, at, 0));
        assert_eq!(positions(&mut progress), [13]);
    }
}
