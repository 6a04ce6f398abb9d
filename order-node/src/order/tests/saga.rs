//! An order with a ledger that knows what the host's knows, and checks of what always holds.

use std::collections::BTreeMap;

use messages::{
    Money, OrderId, Origin, ProductId, Quantity, RequestId,
    order::{Item, Pay, PayBy, Place, Retry, Status},
    product::{self, Answer, Released, Reserved},
    wire,
};
use node::entity::Prior;

use super::super::*;

pub(super) const ORDER: &str = "01890000-0000-7000-8000-0000000000ff";
pub(super) const DEADLINE_MS: u64 = 5_000;
pub(super) const PAYMENT_DEADLINE_MS: u64 = 900_000;
pub(super) const PRICE: i64 = 1_000;
pub(super) const COUPON: &str = "01890000-0000-7000-8000-0000000000cc";

/// An order, and what its ledger knows.
pub(super) struct Saga {
    pub(super) order: Order,
    pub(super) ledger: BTreeMap<(Origin, RequestId), Change>,
    pub(super) now: Timestamp,
    /// Whether the order's requests may have been sent more than once.
    pub(super) resent: bool,
}

impl Saga {
    pub(super) fn new() -> Self {
        Self {
            order: Order::new(&EntityId::from(ORDER)),
            ledger: BTreeMap::new(),
            now: Timestamp::from_millis(1_700_000_000_000),
            resent: false,
        }
    }

    /// An order of so many pieces of product 1, 2, …
    pub(super) fn placed(quantities: &[u32]) -> Self {
        let mut saga = Self::new();
        saga.place(quantities).expect("a new order");
        saga
    }

    /// An order of one line that is confirmed.
    pub(super) fn confirmed() -> Self {
        let mut saga = Self::placed(&[1]);
        saga.accept(1);
        saga
    }

    /// An order of one line that failed, and owes nothing.
    pub(super) fn failed() -> Self {
        let mut saga = Self::placed(&[1]);
        saga.refuse(1);
        saga
    }

    /// An order that was placed with more than its lines.
    pub(super) fn with(place: Place) -> Self {
        let mut saga = Self::new();
        saga.wish("a placement", &Command::Place(place))
            .expect("a new order");
        saga
    }

    pub(super) fn place(&mut self, quantities: &[u32]) -> Result<Reply, Refusal> {
        self.wish("a placement", &Command::Place(lines(quantities)))
    }

    /// Names a payment that was made outside.
    pub(super) fn pay(&mut self, key: &str, imp_uid: &str) -> Result<Reply, Refusal> {
        let pay = Pay {
            imp_uid: imp_uid.into(),
            price: Money::ZERO,
            deadline_ms: DEADLINE_MS,
        };
        self.wish(key, &Command::Pay(pay))
    }

    pub(super) fn cancel(&mut self, key: &str) -> Result<Reply, Refusal> {
        self.wish(key, &Command::Cancel)
    }

    pub(super) fn retry(&mut self, key: &str) -> Result<Reply, Refusal> {
        let retry = Retry {
            deadline_ms: DEADLINE_MS,
            payment_deadline_ms: PAYMENT_DEADLINE_MS,
        };
        self.wish(key, &Command::Retry(retry))
    }

    /// What a client asks under a key.
    pub(super) fn wish(&mut self, key: &str, command: &Command) -> Result<Reply, Refusal> {
        self.tell(Origin::Client, &RequestId::from(key), None, command)
    }

    /// What a product answers to a request.
    pub(super) fn hear(&mut self, n: u32, request_id: &RequestId, answer: Answer) {
        let source = product(n).entity();
        self.tell(
            Origin::Saga,
            request_id,
            Some(&source),
            &Command::Product(answer),
        )
        .expect("an answer is not refused");
    }

    pub(super) fn accept(&mut self, n: u32) {
        self.hear(n, &self.dec(), Ok(accepted()));
    }

    pub(super) fn refuse(&mut self, n: u32) {
        self.hear(n, &self.dec(), Err(short(n)));
    }

    pub(super) fn give_back(&mut self, n: u32) {
        self.hear(n, &self.inc(), Ok(given_back()));
    }

    pub(super) fn expire(&mut self) {
        self.expire_after(DEADLINE_MS);
    }

    pub(super) fn expire_after(&mut self, millis: u64) {
        let late = i64::try_from(millis).expect("short");
        self.now = self.now.plus_millis(late);
        self.tell(
            Origin::Saga,
            &RequestId::from("alarm"),
            None,
            &Command::Expire,
        )
        .expect("an alarm is not refused");
    }

    /// Tells the order as the host does, and checks what must hold after every command.
    pub(super) fn tell(
        &mut self,
        origin: Origin,
        request_id: &RequestId,
        source: Option<&EntityId>,
        command: &Command,
    ) -> Result<Reply, Refusal> {
        self.now = self.now.plus_millis(1);
        let known = self.ledger.get(&(origin, request_id.clone()));
        let prior = match (known, command) {
            _ if !Order::remembers(command) => Prior::New,
            (None, _) => Prior::New,
            (Some(change), Command::Cancel) if change.what == What::CancelRequested => {
                Prior::Done(change)
            }
            (Some(change), Command::Retry(_)) if matches!(change.what, What::Retried { .. }) => {
                Prior::Done(change)
            }
            (Some(change), Command::Pay(_)) if matches!(change.what, What::PaymentNamed { .. }) => {
                Prior::Done(change)
            }
            (Some(_), _) => Prior::OtherBody,
        };
        let context = Context {
            prior,
            request_id,
            origin,
            source,
            traceparent: Some("a trace"),
            now: self.now,
            resent: self.resent,
        };
        for change in self.order.decide(command, &context)? {
            self.order.apply(&change, self.now);
            self.check(&change);
            let own = Order::record(&change).request_id;
            let id = own.unwrap_or_else(|| request_id.clone());
            let taken = self.ledger.insert((origin, id), change);
            assert_eq!(taken, None, "the ledger's key is unique");
        }
        Ok(self.order.reply(None))
    }

    /// What was written reads as it was, and a change tells the order as it is after it.
    fn check(&self, change: &Change) {
        let json = serde_json::to_string(change).expect("it is JSON");
        assert_eq!(
            *change,
            serde_json::from_str(&json).expect("what was written")
        );
        let read = Order::from_row(&self.order.id, self.order.to_row());
        assert_eq!(read.expect("what was written"), self.order);
        if let What::Placed { order, .. }
        | What::TurnedAway { order, .. }
        | What::Confirmed { order, .. }
        | What::Failed { order, .. }
        | What::Cancelled { order }
        | What::Retried { order, .. } = &change.what
        {
            assert_eq!(Some(order), self.order.view().as_ref());
        }
    }

    /// The id of the reserve of the present attempt.
    pub(super) fn dec(&self) -> RequestId {
        RequestId::reserve(ORDER, self.state().attempt)
    }

    /// The id of the release of the present attempt.
    pub(super) fn inc(&self) -> RequestId {
        RequestId::release(ORDER, self.state().attempt)
    }

    pub(super) fn state(&self) -> &State {
        self.order.state.as_ref().expect("it was placed")
    }

    pub(super) fn status(&self) -> Status {
        self.state().phase.status()
    }

    pub(super) fn reason(&self) -> Option<Refusal> {
        self.state().reply().refusal
    }

    /// What it owes: request ids and the numbers of the products.
    pub(super) fn owes(&self) -> Vec<(String, u32)> {
        let owed = self.order.owes().into_iter().map(|outgoing| {
            let n = (1..100).find(|n| product(*n).entity() == outgoing.entity);
            (
                outgoing.request_id.to_string(),
                n.expect("a product of ours"),
            )
        });
        owed.collect()
    }

    /// What events of a kind say so far.
    pub(super) fn told(&self, kind: &str) -> Vec<serde_json::Value> {
        let events = self.ledger.values();
        let events = events.filter_map(|change| Order::event(&self.order.id, change));
        let mut told = Vec::new();
        for (_, body) in events.filter(|(of, _)| *of == kind) {
            told.push(wire::from_slice(&body).expect("MessagePack"));
        }
        told
    }

    /// The kinds of the events so far, without an order of their own.
    pub(super) fn events(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self
            .ledger
            .values()
            .filter_map(|change| Order::event(&self.order.id, change))
            .map(|(kind, _)| kind)
            .collect();
        kinds.sort_unstable();
        kinds
    }
}

/// An order of so many pieces of product 1, 2, … and nothing else.
pub(super) fn lines(quantities: &[u32]) -> Place {
    let items = (1..).zip(quantities).map(|(n, quantity)| Item {
        product_id: product(n),
        quantity: pieces(*quantity),
    });
    Place {
        buyer_id: "u-001".parse().expect("a name"),
        items: items.collect(),
        points: None,
        coupon_id: None,
        payment: None,
        deadline_ms: DEADLINE_MS,
        payment_deadline_ms: PAYMENT_DEADLINE_MS,
        short: None,
    }
}

/// An order of two lines that needs every row of the plan.
pub(super) fn everything(payment: PayBy) -> Place {
    Place {
        points: Money::new(500),
        coupon_id: Some(COUPON.parse().expect("a UUID")),
        payment: Some(payment),
        ..lines(&[1, 2])
    }
}

pub(super) fn card() -> PayBy {
    PayBy::Card {
        token: "approve".parse().expect("a token"),
    }
}

pub(super) fn product(n: u32) -> ProductId {
    let id = format!("01890000-0000-7000-8000-{n:012}");
    id.parse().expect("a UUID")
}

pub(super) fn order_id() -> OrderId {
    ORDER.parse().expect("a UUID")
}

pub(super) fn pieces(quantity: u32) -> Quantity {
    Quantity::new(quantity).expect("a quantity")
}

/// That product `n` is out of stock: `n` pieces are left, so that refusals can be told apart.
pub(super) fn short(n: u32) -> Refusal {
    Refusal::stock(n.into(), pieces(1_000))
}

pub(super) fn accepted() -> product::Reply {
    product::Reply::Reserved(Reserved {
        name: "mug".into(),
        unit_price: Money::new(PRICE).expect("a price"),
        quantity: pieces(1),
        remaining: 0,
    })
}

pub(super) fn given_back() -> product::Reply {
    product::Reply::Released(Released {
        quantity: 1,
        remaining: 1,
    })
}
