//! One stream of the broker: a log with an identity, and the ids that it remembers.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use messages::Timestamp;
use node::bus::{Delivery, Outbound, Start, StreamState};

/// A log with an identity.
pub(crate) struct Stream {
    identity: String,
    first: u64,
    last: u64,
    messages: BTreeMap<u64, Delivery>,
    ids: HashMap<String, u64>,
    ids_by_age: VecDeque<(Timestamp, String)>,
    /// The id of the newest message.
    newest: Option<String>,
}

impl Stream {
    pub(crate) fn new(identity: String) -> Self {
        Self {
            identity,
            first: 1,
            last: 0,
            messages: BTreeMap::new(),
            ids: HashMap::new(),
            ids_by_age: VecDeque::new(),
            newest: None,
        }
    }

    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    pub(crate) fn state(&self) -> StreamState {
        StreamState {
            identity: self.identity.clone(),
            first: self.first,
            last: self.last,
        }
    }

    pub(crate) fn message(&self, sequence: u64) -> Option<&Delivery> {
        self.messages.get(&sequence)
    }

    pub(crate) fn messages(&self) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.messages.values()
    }

    /// Forgets the ids that are as old as that.
    pub(crate) fn forget_ids_of(&mut self, remembered: Timestamp) {
        while let Some((at, _)) = self.ids_by_age.front()
            && *at <= remembered
        {
            if let Some((_, id)) = self.ids_by_age.pop_front() {
                self.ids.remove(&id);
            }
        }
    }

    /// Appends a message, and answers its sequence; that of the first copy where its id is known.
    pub(crate) fn append(&mut self, message: &Outbound, now: Timestamp) -> u64 {
        if let Some(sequence) = self.ids.get(&message.id) {
            return *sequence;
        }
        self.append_anyway(message, now);
        self.ids.insert(message.id.clone(), self.last);
        self.ids_by_age.push_back((now, message.id.clone()));
        self.last
    }

    /// Whether it takes a message that is to follow the one with the id `after`: where that is the
    /// newest, and where it has the message already.
    pub(crate) fn takes(&self, message: &Outbound, after: Option<&str>) -> bool {
        after.is_none() || self.newest.as_deref() == after || self.ids.contains_key(&message.id)
    }

    /// Appends a message whatever is known of its id.
    pub(crate) fn append_anyway(&mut self, message: &Outbound, now: Timestamp) {
        self.last += 1;
        self.newest = Some(message.id.clone());
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
        self.messages.insert(self.last, delivery);
    }

    pub(crate) fn delete(&mut self, sequence: u64) {
        self.messages.remove(&sequence);
    }

    pub(crate) fn forget_ids(&mut self) {
        self.ids.clear();
        self.ids_by_age.clear();
    }

    /// Forgets the newest messages, as a server does that acknowledged them before they were on
    /// its disk: their sequences are given out again.
    pub(crate) fn lose_tail(&mut self, messages: usize) {
        for _ in 0..messages {
            self.messages.pop_last();
        }
        let last = self.messages.last_key_value().map(|(last, _)| *last);
        // A server that starts again looks no further back either.
        self.newest = None;
        self.last = last.unwrap_or(self.first - 1);
        let last = self.last;
        self.ids.retain(|_, sequence| *sequence <= last);
        let ids = &self.ids;
        self.ids_by_age.retain(|(_, id)| ids.contains_key(id));
    }

    /// Removes the oldest messages.
    pub(crate) fn expire(&mut self, messages: usize) {
        for _ in 0..messages {
            self.messages.pop_first();
        }
        let first = self.messages.first_key_value().map(|(first, _)| *first);
        self.first = first.unwrap_or(self.last + 1);
    }

    /// The sequence at which a reader starts.
    pub(crate) fn from(&self, start: Start) -> u64 {
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
    pub(crate) fn next(&self, subjects: &BTreeSet<String>, from: u64, max: usize) -> Vec<Delivery> {
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
