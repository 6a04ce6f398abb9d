//! A product with a ledger that knows what the host's knows, and checks of what always holds.

use std::collections::BTreeMap;

use messages::{
    Digest, Origin, Quantity, RequestId,
    envelope::{Body as _, Raw},
    product::{Adjust, AdjustReason, Create, Edit, Release, Reserve},
};
use node::entity::Prior;

use super::super::*;

pub(super) const ID: &str = "01890000-0000-7000-8000-000000000001";

/// A product, and what its ledger knows.
pub(super) struct Shop {
    pub(super) product: Product,
    pub(super) ledger: BTreeMap<RequestId, (Option<Digest>, Change)>,
    now: Timestamp,
}

impl Shop {
    pub(super) fn empty() -> Self {
        Self {
            product: Product::new(&EntityId::from(ID)),
            ledger: BTreeMap::new(),
            now: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    pub(super) fn with(stock: i64) -> Self {
        let mut shop = Self::empty();
        shop.create(stock).expect("a stock within the limit");
        shop
    }

    /// Asks as the host does, and checks what must hold after every command.
    pub(super) fn ask(&mut self, id: &str, command: &Command) -> Result<Reply, Refusal> {
        self.now = self.now.plus_millis(1);
        let id = RequestId::from(id);
        let digest = Digest::of(command.kind(), &format!("{:?}", Raw::of(command)));
        let known = self.ledger.get(&id);
        let counterpart = id.counterpart().and_then(|id| self.ledger.get(&id));
        let prior = match (known, counterpart) {
            _ if !Product::remembers(command) => Prior::New,
            (Some((Some(other), _)), _) if *other != digest => Prior::OtherBody,
            (Some((_, change)), _) => Prior::Done(change),
            (None, Some((_, change))) => Prior::Counterpart(change),
            (None, None) => Prior::New,
        };
        let context = Context {
            prior,
            request_id: &id,
            origin: Origin::Rest,
            source: None,
            traceparent: None,
            now: self.now,
            resent: false,
        };
        let changes = self.product.decide(command, &context)?;
        if changes.is_empty() {
            return Ok(self.product.reply(prior.change()));
        }
        for change in &changes {
            self.product.apply(change, self.now);
            let json = serde_json::to_string(change).expect("it is JSON");
            assert_eq!(
                *change,
                serde_json::from_str(&json).expect("what was written")
            );
            let (id, digest) = match Product::record(change).request_id {
                Some(other) => (other, None),
                None => (id.clone(), Some(digest)),
            };
            let taken = self.ledger.insert(id, (digest, change.clone()));
            assert_eq!(taken, None, "the ledger's key is unique");
        }
        let row = self.product.to_row();
        let read = Product::from_row(&self.product.id, row).expect("what was written");
        assert_eq!(read, self.product);
        assert!(self.stock() >= 0);
        Ok(self.product.reply(changes.last()))
    }

    pub(super) fn create(&mut self, stock: i64) -> Result<Reply, Refusal> {
        let create = Create {
            name: "mug".into(),
            price: Money::new(7_000).expect("a price"),
            stock,
        };
        self.ask("a creation", &Command::Create(create))
    }

    pub(super) fn reserve(&mut self, id: &str, quantity: u32) -> Result<Reply, Refusal> {
        let reserve = Reserve {
            order_id: "an order".into(),
            quantity: pieces(quantity),
        };
        self.ask(id, &Command::Reserve(reserve))
    }

    pub(super) fn release(&mut self, id: &str, quantity: u32) -> Result<Reply, Refusal> {
        let release = Release {
            order_id: "an order".into(),
            quantity: pieces(quantity),
            reason: None,
        };
        self.ask(id, &Command::Release(release))
    }

    pub(super) fn adjust(&mut self, id: &str, delta: i64) -> Result<Reply, Refusal> {
        let reason = AdjustReason::Manual;
        self.ask(id, &Command::Adjust(Adjust { delta, reason }))
    }

    pub(super) fn edit(&mut self, id: &str, edit: Edit) -> Result<Reply, Refusal> {
        self.ask(id, &Command::Edit(edit))
    }

    pub(super) fn discontinue(&mut self) {
        let edit = Edit {
            status: Some(Status::Discontinued),
            ..Edit::default()
        };
        self.edit("discontinue", edit).expect("it exists");
    }

    pub(super) fn events(&self) -> Vec<(&'static str, serde_json::Value)> {
        let told = |(_, change): &(_, Change)| {
            let (kind, body) = Product::event(&self.product.id, change)?;
            let body = messages::wire::from_slice(&body).expect("a body is MessagePack");
            Some((kind, body))
        };
        self.ledger.values().filter_map(told).collect()
    }

    pub(super) fn stock(&self) -> i64 {
        self.product.facts.as_ref().map_or(0, |facts| facts.stock)
    }
}

pub(super) fn pieces(quantity: u32) -> Quantity {
    Quantity::new(quantity).expect("a quantity")
}

pub(super) fn reserved(quantity: u32, remaining: i64) -> Reply {
    Reply::Reserved(Reserved {
        name: "mug".into(),
        unit_price: Money::new(7_000).expect("a price"),
        quantity: pieces(quantity),
        remaining,
    })
}
