//! One stream of the broker: a log with an identity, and the ids that it remembers.

use std::collections::{BTreeMap, BTreeSet};

use ::node::bus::{Delivery, Outbound, Start, StreamState};
use messages::Timestamp;

/// For how many ms an id is remembered.
const DUPLICATE_WINDOW_MS: i64 = 120_000;

/// A log with an identity.
pub(super) struct Stream {
    identity: String,
    first: u64,
    last: u64,
    messages: BTreeMap<u64, Delivery>,
    ids: BTreeMap<String, (u64, Timestamp)>,
}

impl Stream {
    pub(super) fn new(identity: String) -> Self {
        Self {
            identity,
            first: 1,
            last: 0,
            messages: BTreeMap::new(),
            ids: BTreeMap::new(),
        }
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn state(&self) -> StreamState {
        StreamState {
            identity: self.identity.clone(),
            first: self.first,
            last: self.last,
        }
    }

    pub(super) fn message(&self, sequence: u64) -> Option<&Delivery> {
        self.messages.get(&sequence)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Delivery> {
        self.messages.values()
    }

    /// Appends a message, and answers its sequence; that of the first copy where its id is known.
    pub(super) fn append(&mut self, message: &Outbound, now: Timestamp) -> u64 {
        let remembered = now.plus_millis(-DUPLICATE_WINDOW_MS);
        self.ids.retain(|_, (_, at)| *at > remembered);
        if let Some((sequence, _)) = self.ids.get(&message.id) {
            return *sequence;
        }
        self.last += 1;
        let mut headers = vec![("Nats-Msg-Id".to_owned(), message.id.clone())];
        headers.extend(
            message
                .headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        let delivery = Delivery {
            subject: message.subject.clone(),
            sequence: self.last,
            at: now,
            pending: 0,
            headers,
            payload: message.payload.clone(),
        };
        self.ids.insert(message.id.clone(), (self.last, now));
        self.messages.insert(self.last, delivery);
        self.last
    }

    pub(super) fn delete(&mut self, sequence: u64) {
        self.messages.remove(&sequence);
    }

    /// Forgets the newest messages, as a server does that acknowledged them before they were on
    /// its disk: their sequences are given out again.
    pub(super) fn lose_tail(&mut self, messages: usize) {
        for _ in 0..messages {
            self.messages.pop_last();
        }
        self.last = self.messages.last_key_value().map_or(0, |(last, _)| *last);
        let last = self.last;
        self.ids.retain(|_, (sequence, _)| *sequence <= last);
    }

    /// The sequence at which a reader starts.
    pub(super) fn from(&self, start: Start) -> u64 {
        match start {
            Start::Sequence(sequence) => sequence,
            Start::Time(time) => self
                .messages
                .values()
                .find(|message| message.at >= time)
                .map_or(self.last + 1, |message| message.sequence),
        }
    }

    /// The next messages on these subjects, each with the number of those behind it.
    pub(super) fn next(&self, subjects: &BTreeSet<String>, from: u64, max: usize) -> Vec<Delivery> {
        let wanted = || {
            self.messages
                .range(from..)
                .map(|(_, message)| message)
                .filter(|message| subjects.contains(&message.subject))
        };
        let mut pending = wanted().count() as u64;
        wanted()
            .take(max)
            .map(|message| {
                pending -= 1;
                Delivery {
                    pending,
                    ..message.clone()
                }
            })
            .collect()
    }
}
