//! How events become messages: one each, and where many wait those of a kind together.
//!
//! A message costs the broker and its readers the same however many events it has. An entity's events
//! keep their order; those of different entities may change places.

use std::collections::{BTreeMap, HashMap};

use messages::{EntityId, Event, Partition, Service, event, subject};

use crate::{
    bus::Outbound,
    failpoint::{self, Point},
    host::{Limits, turn::Told},
};

/// An event as it travels.
pub(super) struct Encoded {
    kind: &'static str,
    id: String,
    entity: EntityId,
    bytes: Vec<u8>,
}

impl Encoded {
    /// The event that tells a row; `None` where it makes none.
    pub(super) fn of(row: Told, service: Service) -> Option<Self> {
        let (kind, body) = row.event?;
        let event = Event {
            v: 1,
            kind: kind.to_owned(),
            id: event::id(service, row.partition, row.number),
            entity: row.entity,
            version: row.version,
            at: row.at,
            body: (),
        };
        failpoint::reach(service.name(), Point::Telling);
        Some(Self {
            kind,
            bytes: event.with_body(&body),
            id: event.id,
            entity: event.entity,
        })
    }

    /// The message that has it alone.
    pub(super) fn alone(self) -> Outbound {
        let mut parcel = Parcel::new(self.kind, self.id);
        parcel.put(self.bytes);
        parcel.message()
    }
}

/// Rows of the ledger as messages.
pub(super) struct Parcels {
    pub(super) messages: Vec<Outbound>,
    /// The partition and number of each row, and in which of the messages its event is.
    pub(super) rows: Vec<(Partition, i64, Option<u64>)>,
}

/// Events of one kind on their way into one message.
struct Parcel {
    kind: &'static str,
    /// The id of its first event.
    id: String,
    events: Vec<Vec<u8>>,
    bytes: usize,
}

impl Parcels {
    /// Puts the events of rows into messages, few or many of them in one.
    pub(super) fn of(rows: Vec<Told>, service: Service, limits: &Limits) -> Self {
        let events = rows.iter().filter(|row| row.event.is_some()).count();
        let together = events > limits.events_alone_max;
        let mut parcels: Vec<Parcel> = Vec::new();
        // The newest parcel of each kind, and the one that has the last event of an entity.
        let mut newest: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut last: HashMap<EntityId, usize> =
            HashMap::with_capacity(if together { events } else { 0 });
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let (partition, number) = (row.partition, row.number);
            let place = Encoded::of(row, service).map(|event| {
                let before = last.get(&event.entity).copied().unwrap_or_default();
                let open = newest.get(event.kind).copied().filter(|open| {
                    let bytes = parcels[*open].bytes + event.bytes.len();
                    together && *open >= before && bytes <= limits.message_bytes_max
                });
                let place = open.unwrap_or(parcels.len());
                if open.is_none() {
                    parcels.push(Parcel::new(event.kind, event.id));
                    newest.insert(event.kind, place);
                }
                if together {
                    last.insert(event.entity, place);
                }
                parcels[place].put(event.bytes);
                place as u64
            });
            places.push((partition, number, place));
        }
        Self {
            messages: parcels.into_iter().map(Parcel::message).collect(),
            rows: places,
        }
    }
}

impl Parcel {
    const fn new(kind: &'static str, id: String) -> Self {
        Self {
            kind,
            id,
            events: Vec::new(),
            bytes: 0,
        }
    }

    fn put(&mut self, event: Vec<u8>) {
        self.bytes += event.len();
        self.events.push(event);
    }

    fn message(self) -> Outbound {
        Outbound {
            subject: subject::event(self.kind),
            id: self.id,
            headers: Vec::new(),
            payload: event::join(self.events).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use messages::{Timestamp, wire};
    use proptest::prelude::*;

    use super::*;

    const KINDS: [&str; 3] = ["order.created.pending", "order.confirmed", "order.failed"];

    fn limits(events_alone_max: usize, message_bytes_max: usize) -> Limits {
        Limits {
            message_bytes_max,
            events_alone_max,
            ..Limits::default()
        }
    }

    /// The row of this number: of an entity, and the kind of its event where it makes one.
    fn row(number: i64, entity: usize, kind: Option<usize>) -> Told {
        Told {
            partition: Partition(1),
            number,
            entity: EntityId::from(format!("o-{entity}").as_str()),
            version: number,
            at: Timestamp::default(),
            event: kind.map(|kind| (KINDS[kind], wire::to_vec(&number))),
        }
    }

    fn parcels(rows: &[(usize, Option<usize>)], limits: &Limits) -> Parcels {
        let rows = (1..)
            .zip(rows)
            .map(|(number, (entity, kind))| row(number, *entity, *kind));
        Parcels::of(rows.collect(), Service::Order, limits)
    }

    fn ids(parcels: &Parcels) -> Vec<Vec<String>> {
        let messages = parcels.messages.iter();
        messages
            .map(|message| event::ids(&message.payload))
            .collect()
    }

    #[test]
    fn few_events_are_a_message_each_in_the_order_of_their_rows() {
        let parcels = parcels(
            &[(1, Some(0)), (2, None), (2, Some(1)), (3, Some(0))],
            &limits(3, 4_096),
        );
        assert_eq!(ids(&parcels), [["order-1-1"], ["order-1-3"], ["order-1-4"]]);
        let places: Vec<Option<u64>> = parcels.rows.iter().map(|row| row.2).collect();
        assert_eq!(places, [Some(0), None, Some(1), Some(2)]);
        for (message, ids) in parcels.messages.iter().zip(ids(&parcels)) {
            assert_eq!(message.id, ids[0]);
        }
    }

    #[test]
    fn of_many_those_of_a_kind_share_a_message() {
        let rows = [(1, Some(1)), (2, Some(0)), (3, Some(1)), (4, Some(0))];
        let parcels = parcels(&rows, &limits(3, 4_096));
        assert_eq!(
            ids(&parcels),
            [["order-1-1", "order-1-3"], ["order-1-2", "order-1-4"]]
        );
        let named: Vec<(&str, &str)> = parcels
            .messages
            .iter()
            .map(|message| (&*message.subject, &*message.id))
            .collect();
        assert_eq!(
            named,
            [
                ("event.order.confirmed", "order-1-1"),
                ("event.order.created.pending", "order-1-2")
            ]
        );
    }

    #[test]
    fn what_became_of_an_entity_does_not_pass_before_what_it_was() {
        // The second order is created behind the first one's confirmation, and confirmed too.
        let rows = [(1, Some(1)), (2, Some(0)), (2, Some(1)), (3, Some(1))];
        let parcels = parcels(&rows, &limits(0, 4_096));
        assert_eq!(
            ids(&parcels),
            [
                vec!["order-1-1"],
                vec!["order-1-2"],
                vec!["order-1-3", "order-1-4"]
            ]
        );
    }

    proptest! {
        #[test]
        fn every_event_has_its_place_and_an_entity_its_order(
            rows in prop::collection::vec((0..5_usize, prop::option::of(0..3_usize)), 0..60),
            alone in 0..30_usize,
            bytes in 1..1_500_usize,
        ) {
            let limits = limits(alone, bytes);
            let parcels = parcels(&rows, &limits);
            prop_assert_eq!(parcels.rows.len(), rows.len());
            let ids = ids(&parcels);
            let mut had = 0;
            let mut before = BTreeMap::new();
            for ((entity, kind), (_, number, place)) in rows.iter().zip(&parcels.rows) {
                prop_assert_eq!(kind.is_some(), place.is_some());
                let (Some(kind), Some(place)) = (kind, place) else { continue };
                let place = usize::try_from(*place).unwrap();
                let within = ids[place].iter().position(|id| *id == format!("order-1-{number}"));
                prop_assert!(within.is_some());
                had += 1;
                prop_assert_eq!(&parcels.messages[place].subject, &subject::event(KINDS[*kind]));
                let last = before.insert(entity, (place, within));
                prop_assert!(last < Some((place, within)));
            }
            prop_assert_eq!(ids.iter().map(Vec::len).sum::<usize>(), had);
            for (message, ids) in parcels.messages.iter().zip(&ids) {
                let small = message.payload.len() <= bytes + 5;
                prop_assert!(ids.len() == 1 || had > alone && small);
            }
        }
    }
}
