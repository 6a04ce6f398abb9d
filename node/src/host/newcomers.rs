//! Which requests are certain to be new, so that the ledger need not be asked about them.
//!
//! The ids of orders grow with time. When a session begins, the ledger knows requests of orders up to
//! some id; from then on nothing is decided for the session's entities that has not come by here. So
//! an order behind that id which comes for the first time has no request in the ledger. Nobody's
//! clock need be right for that: where ids do not grow, the ledger is asked more often.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use messages::{EntityId, OrderId, Origin, RequestId};
use uuid::Uuid;

use crate::{
    entity::Entity,
    store::{Store, StoreFault},
};

/// Where the requests of orders stand in the order of texts: until the year 2527 their UUIDs begin
/// with 0, and little that is no order's is among them.
const OF_ORDERS: [(&str, &str); 2] = [("DEC-0", "DEC-1"), ("INC-0", "INC-1")];

/// The orders that have come for each entity, as far as the ledger cannot have known of them before.
pub(super) struct Newcomers {
    /// The ledger may know orders up to this one; `None` where it may know any.
    known_to: Option<OrderId>,
    /// Those that came last, and those that came before these.
    met: Met,
    met_before: Met,
    /// How many are noted before `met_before` is forgotten.
    notes_max: usize,
    hashes: RandomState,
}

/// The orders that have come for an entity: as hashes, since two that are alike cost a look into the
/// ledger and nothing else.
struct Met {
    hashes: HashSet<u64>,
    last: OrderId,
}

impl Met {
    fn nobody() -> Self {
        Self {
            hashes: HashSet::new(),
            last: OrderId::new(Uuid::nil()),
        }
    }
}

impl Newcomers {
    /// What the ledger knows as a session begins: nobody else decides for its entities from now on.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub(super) async fn from<E: Entity>(
        store: &dyn Store,
        remembered_max: usize,
    ) -> Result<Self, StoreFault> {
        let mut known_to = E::TABLE.requests_first.then(|| OrderId::new(Uuid::nil()));
        for (from, before) in OF_ORDERS {
            if let Some(known) = known_to
                && let Some(last) = store.last_request(from, before).await?
            {
                known_to = last.order().map(|last| last.max(known));
            }
        }
        Ok(Self::behind(known_to, remembered_max))
    }

    fn behind(known_to: Option<OrderId>, remembered_max: usize) -> Self {
        Self {
            known_to,
            met: Met::nobody(),
            met_before: Met::nobody(),
            notes_max: remembered_max.div_ceil(2),
            hashes: RandomState::new(),
        }
    }

    /// Notes a request that has come, and says whether the ledger can know nothing of it, nor of its
    /// counterpart, nor of the other attempts of its order at this entity.
    pub(super) fn meet(&mut self, entity: &EntityId, origin: Origin, request: &RequestId) -> bool {
        let Some(known_to) = self.known_to else {
            return false;
        };
        let order = request
            .order()
            .filter(|order| origin == Origin::Saga && begins_with_0(*order) && *order > known_to);
        let Some(order) = order else { return false };
        let hash = self.hashes.hash_one((entity, order));
        if self.met_before.hashes.contains(&hash) || !self.met.hashes.insert(hash) {
            return false;
        }
        self.met.last = self.met.last.max(order);
        if self.met.hashes.len() >= self.notes_max {
            let met = std::mem::replace(&mut self.met, Met::nobody());
            let forgotten = std::mem::replace(&mut self.met_before, met);
            self.known_to = Some(known_to.max(forgotten.last));
        }
        true
    }
}

/// Whether it stands where [`OF_ORDERS`] looks.
fn begins_with_0(order: OrderId) -> bool {
    order.uuid().as_bytes()[0] < 0x10
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(n: u128) -> OrderId {
        OrderId::new(Uuid::from_u128(n))
    }

    fn meet(newcomers: &mut Newcomers, entity: &str, request: &RequestId) -> bool {
        newcomers.meet(&entity.into(), Origin::Saga, request)
    }

    #[test]
    fn an_order_is_new_to_each_entity_once() {
        let mut newcomers = Newcomers::behind(Some(order(5)), 100);
        let reserve = |n| RequestId::reserve(order(n), 1);
        assert!(meet(&mut newcomers, "mug", &reserve(7)));
        assert!(meet(&mut newcomers, "cup", &reserve(7)));
        assert!(meet(&mut newcomers, "mug", &reserve(6)));
        for known in [
            reserve(7),
            RequestId::release(order(7), 1),
            RequestId::reserve(order(7), 2),
            reserve(5),
            reserve(4),
        ] {
            assert!(!meet(&mut newcomers, "mug", &known), "{known}");
        }
    }

    #[test]
    fn a_release_that_comes_first_is_new_and_its_reserve_is_not() {
        let mut newcomers = Newcomers::behind(Some(order(5)), 100);
        assert!(meet(
            &mut newcomers,
            "mug",
            &RequestId::release(order(7), 1)
        ));
        assert!(!meet(
            &mut newcomers,
            "mug",
            &RequestId::reserve(order(7), 1)
        ));
    }

    #[test]
    fn what_does_not_stand_among_the_requests_of_orders_is_asked_for() {
        let mut newcomers = Newcomers::behind(Some(order(5)), 100);
        let late = RequestId::reserve(order(1 << 124), 1);
        let own = RequestId::from("my-key");
        assert!(!meet(&mut newcomers, "mug", &late));
        assert!(!meet(&mut newcomers, "mug", &own));
        let reserve = RequestId::reserve(order(7), 1);
        for origin in [Origin::Rest, Origin::Client] {
            assert!(!newcomers.meet(&"mug".into(), origin, &reserve));
        }
        let mut newcomers = Newcomers::behind(None, 100);
        assert!(!meet(&mut newcomers, "mug", &reserve));
    }

    proptest! {
        /// Whatever comes, in whatever order, and however little is remembered: what has come before
        /// is never taken for new.
        #[test]
        fn nothing_that_has_come_is_new(
            coming in prop::collection::vec((0_u128..40, 0_u8..2, prop::bool::ANY, 1_u32..3), 0..200),
            known_to in 0_u128..20,
            remembered_max in 1_usize..20,
        ) {
            let mut newcomers = Newcomers::behind(Some(order(known_to)), remembered_max);
            let mut come = HashSet::new();
            for (n, entity, reserve, attempt) in coming {
                let make = if reserve { RequestId::reserve } else { RequestId::release };
                let request = make(order(n), attempt);
                let new = meet(&mut newcomers, &entity.to_string(), &request);
                let known = n <= known_to || !come.insert((entity, n));
                prop_assert!(!(new && known), "{request} at {entity}");
            }
        }
    }
}
