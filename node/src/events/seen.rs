//! Which events were had, by their ids.
//!
//! Numbers of one source mostly rise, with gaps (not every row of a ledger tells something, and a
//! reader may want few kinds). An event whose publish failed comes behind later ones, though, so
//! the highest number does not say that all below it were had.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// How many numbers behind the highest of its source an event may come; what comes later counts as
/// had. No event does that a reader has not had: its owner has at most `ONHAND_EVENTS_IN_FLIGHT_MAX`
/// rows under way, and begins again with the first that was not acknowledged. (Unless a broker forgot
/// more than that of what was never read; see *Reading events* in ARCHITECTURE.md.)
pub const WINDOW: i64 = 16_384;

/// An event's id, `{service}-{partition}-{number}`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    /// The service and the partition, such as `order-3`.
    pub source: String,
    /// The number of the ledger row there.
    pub number: i64,
}

/// A text that is no event's id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event's id")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (source, number) = text.rsplit_once('-').ok_or(EventIdError)?;
        let (service, partition) = source.rsplit_once('-').ok_or(EventIdError)?;
        let number: i64 = number.parse().map_err(|_| EventIdError)?;
        let named = !service.is_empty() && partition.parse::<u16>().is_ok() && number > 0;
        let id = Self {
            source: source.to_owned(),
            number,
        };
        // Only the one spelling: another one would be another id of the same event.
        (named && id.to_string() == text)
            .then_some(id)
            .ok_or(EventIdError)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.source, self.number)
    }
}

/// The events that were had: of each source those in the window, and all behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen(BTreeMap<String, BTreeSet<i64>>);

impl Seen {
    /// Notes an event; `false` where it was had before.
    pub fn insert(&mut self, id: &EventId) -> bool {
        let numbers = match self.0.get_mut(&id.source) {
            Some(numbers) => numbers,
            None => self.0.entry(id.source.clone()).or_default(),
        };
        if floor(numbers) >= id.number || !numbers.insert(id.number) {
            return false;
        }
        let floor = floor(numbers);
        while numbers.first().is_some_and(|first| *first <= floor) {
            numbers.pop_first();
        }
        true
    }

    /// Whether an event was had.
    pub fn contains(&self, id: &EventId) -> bool {
        self.0
            .get(&id.source)
            .is_some_and(|numbers| floor(numbers) >= id.number || numbers.contains(&id.number))
    }

    /// The number up to which every event of a source counts as had.
    pub fn floor(&self, source: &str) -> i64 {
        self.0.get(source).map_or(0, floor)
    }
}

fn floor(numbers: &BTreeSet<i64>) -> i64 {
    numbers.last().map_or(0, |last| (last - WINDOW).max(0))
}

impl FromIterator<EventId> for Seen {
    fn from_iter<I: IntoIterator<Item = EventId>>(ids: I) -> Self {
        let mut seen = Self::default();
        for id in ids {
            seen.insert(&id);
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> EventId {
        text.parse().expect("an id")
    }

    #[test]
    fn an_event_counts_once_also_where_it_comes_behind_later_ones() {
        let mut seen = Seen::default();
        for new in ["order-3-1", "order-3-7", "order-3-4", "product-3-7"] {
            assert!(seen.insert(&id(new)), "{new}");
        }
        for had in ["order-3-1", "order-3-7", "order-3-4", "product-3-7"] {
            assert!(!seen.insert(&id(had)), "{had}");
        }
        assert!(seen.insert(&id("order-3-5")));
    }

    #[test]
    fn what_lies_behind_the_window_counts_as_had_and_is_not_kept() {
        let mut seen = Seen::default();
        assert!(seen.insert(&id("order-3-5")));
        assert!(seen.insert(&id(&format!("order-3-{}", WINDOW + 10))));
        assert_eq!(seen.floor("order-3"), 10);
        assert_eq!(seen.0["order-3"].len(), 1);
        assert!(!seen.insert(&id("order-3-9")));
        assert!(seen.insert(&id("order-3-11")));
        assert_eq!(seen.floor("order-4"), 0);
    }

    #[test]
    fn an_id_has_one_spelling() {
        for bad in [
            "",
            "order",
            "order-3",
            "order-3-0",
            "order-3--1",
            "order-3-x",
            "order-x-1",
            "-3-1",
            "order-03-1x",
            "order-3-01",
            "order-3-+1",
            "order-99999-1",
        ] {
            assert_eq!(bad.parse::<EventId>(), Err(EventIdError), "{bad}");
        }
        assert_eq!(id("order-3-17").to_string(), "order-3-17");
    }

    proptest! {
        /// Whatever comes again, in whatever order: what is new is told so once.
        #[test]
        fn every_event_is_new_once(numbers in proptest::collection::vec(1..500_i64, 0..300)) {
            let mut seen = Seen::default();
            let mut model = BTreeSet::new();
            for number in numbers {
                let id = EventId { source: "order-1".into(), number };
                prop_assert_eq!(seen.insert(&id), model.insert(number));
            }
        }
    }
}
