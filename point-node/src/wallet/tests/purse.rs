//! A wallet with a ledger that knows what the host's knows, and checks of what always holds.

use std::collections::BTreeMap;

use messages::{
    Digest, Origin, RequestId,
    envelope::{Body as _, Raw},
    point::{Charge, Refund, Use},
};
use node::entity::Prior;

use super::super::*;

pub(super) const USER: &str = "u-001";

/// A wallet, and what its ledger knows.
pub(super) struct Purse {
    pub(super) wallet: Wallet,
    pub(super) ledger: BTreeMap<RequestId, (Option<Digest>, Change)>,
    now: Timestamp,
}

impl Purse {
    pub(super) fn empty() -> Self {
        Self {
            wallet: Wallet::new(&EntityId::from(USER)),
            ledger: BTreeMap::new(),
            now: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    pub(super) fn with(points: i64) -> Self {
        let mut purse = Self::empty();
        purse.charge("opening", points).expect("within the limit");
        purse
    }

    /// Asks as the host does, and checks what must hold after every command.
    pub(super) fn ask(&mut self, id: &str, command: &Command) -> Result<Reply, Refusal> {
        self.now = self.now.plus_millis(1);
        let id = RequestId::from(id);
        let digest = Digest::of(command.kind(), &format!("{:?}", Raw::of(command)));
        let known = self.ledger.get(&id);
        let counterpart = id.counterpart().and_then(|id| self.ledger.get(&id));
        let prior = match (known, counterpart) {
            _ if !Wallet::remembers(command) => Prior::New,
            (Some((Some(other), _)), _) if *other != digest => Prior::OtherBody,
            (Some((_, change)), _) => Prior::Done(change),
            (None, Some((_, change))) => Prior::Counterpart(change),
            (None, None) => Prior::New,
        };
        let context = Context {
            prior,
            request_id: &id,
            origin: Origin::Saga,
            source: None,
            traceparent: None,
            now: self.now,
            resent: false,
        };
        let changes = self.wallet.decide(command, &context)?;
        if changes.is_empty() {
            return Ok(self.wallet.reply(prior.change()));
        }
        for change in &changes {
            self.wallet.apply(change, self.now);
            let json = serde_json::to_string(change).expect("it is JSON");
            assert_eq!(
                *change,
                serde_json::from_str(&json).expect("what was written")
            );
            let (id, digest) = match Wallet::record(change).request_id {
                Some(other) => (other, None),
                None => (id.clone(), Some(digest)),
            };
            let taken = self.ledger.insert(id, (digest, change.clone()));
            assert_eq!(taken, None, "the ledger's key is unique");
            assert_eq!(Wallet::record(change).balance, Some(self.wallet.balance));
        }
        let read = Wallet::from_row(&self.wallet.user, self.wallet.to_row());
        assert_eq!(read.expect("what was written"), self.wallet);
        assert!(self.wallet.balance >= 0);
        Ok(self.wallet.reply(changes.last()))
    }

    pub(super) fn charge(&mut self, id: &str, amount: i64) -> Result<Reply, Refusal> {
        let amount = points(amount);
        self.ask(id, &Command::Charge(Charge { amount }))
    }

    pub(super) fn take(&mut self, id: &str, amount: i64) -> Result<Reply, Refusal> {
        let wanted = Use {
            order_id: "an order".into(),
            amount: points(amount),
        };
        self.ask(id, &Command::Use(wanted))
    }

    pub(super) fn refund(&mut self, id: &str, amount: i64) -> Result<Reply, Refusal> {
        let refund = Refund {
            order_id: "an order".into(),
            amount: points(amount),
        };
        self.ask(id, &Command::Refund(refund))
    }

    pub(super) fn events(&self) -> Vec<(&'static str, serde_json::Value)> {
        let told = |(_, change): &(_, Change)| {
            let (kind, body) = Wallet::event(&self.wallet.user, change)?;
            let body = messages::wire::from_slice(&body).expect("a body is MessagePack");
            Some((kind, body))
        };
        self.ledger.values().filter_map(told).collect()
    }
}

pub(super) fn points(amount: i64) -> Money {
    Money::new(amount).expect("an amount")
}

pub(super) fn charged(balance: i64) -> Reply {
    Reply::Charged(Charged { balance })
}

pub(super) fn used(amount: i64, balance: i64) -> Reply {
    Reply::Used(Used {
        amount: points(amount),
        balance,
    })
}

pub(super) fn refunded(amount: i64, balance: i64) -> Reply {
    super::super::refunded(points(amount), balance)
}
