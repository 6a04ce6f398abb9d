//! A campaign with a ledger that knows what the host's knows, and checks of what always holds.

use std::collections::{BTreeMap, BTreeSet};

use messages::{
    Digest, Money, OrderId, Origin, RequestId, UserId,
    coupon::{Create, Discount, DiscountKind, Issue, Restore, Use},
    envelope::{Body as _, Raw},
};
use node::entity::Prior;

use super::super::*;

pub(super) const ID: &str = "01890000-0000-7000-8000-000000000001";
/// What an order costs where a test does not say.
pub(super) const SUBTOTAL: i64 = 39_000;

/// A campaign, and what its ledger knows.
pub(super) struct Desk {
    pub(super) campaign: Campaign,
    pub(super) ledger: BTreeMap<(Origin, RequestId), (Option<Digest>, Change)>,
    pub(super) now: Timestamp,
}

impl Desk {
    pub(super) fn empty() -> Self {
        Self {
            campaign: Campaign::new(&EntityId::from(ID)),
            ledger: BTreeMap::new(),
            now: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    /// A campaign of so many coupons, each of them 3,000 off.
    pub(super) fn with(quantity: u32) -> Self {
        Self::of(create(quantity))
    }

    pub(super) fn of(create: Create) -> Self {
        let mut desk = Self::empty();
        let made = desk.ask(Origin::Client, "a creation", &Command::Create(create));
        made.expect("within its limits");
        desk
    }

    /// Asks as the host does, and checks what must hold after every command.
    pub(super) fn ask(
        &mut self,
        origin: Origin,
        id: &str,
        command: &Command,
    ) -> Result<Reply, Refusal> {
        let id = RequestId::from(id);
        let digest = Digest::of(command.kind(), &format!("{:?}", Raw::of(command)));
        let known = self.ledger.get(&(origin, id.clone()));
        let counterpart = id
            .counterpart()
            .and_then(|id| self.ledger.get(&(origin, id)));
        let prior = match (known, counterpart) {
            _ if !Campaign::remembers(command) => Prior::New,
            (Some((Some(other), _)), _) if *other != digest => Prior::OtherBody,
            (Some((_, change)), _) => Prior::Done(change),
            (None, Some((_, change))) => Prior::Counterpart(change),
            (None, None) => Prior::New,
        };
        let context = Context {
            prior,
            request_id: &id,
            origin,
            source: None,
            traceparent: None,
            now: self.now,
            resent: false,
        };
        let changes = self.campaign.decide(command, &context)?;
        if changes.is_empty() {
            return Ok(self.campaign.reply(prior.change()));
        }
        for change in &changes {
            let before = self.campaign.to_row();
            self.campaign.apply(change, self.now);
            self.check(change, &before);
            let (id, digest) = match Campaign::record(change).request_id {
                Some(other) => (other, None),
                None => (id.clone(), Some(digest)),
            };
            let row = (digest, change.clone());
            let taken = self.ledger.insert((origin, id), row);
            assert_eq!(taken, None, "the ledger's key is unique");
        }
        Ok(self.campaign.reply(changes.last()))
    }

    /// What was written reads as it was; a line that is not written has not changed; and the
    /// coupons are numbered from 1, one to a user, no more than there are.
    fn check(&self, change: &Change, before: &Row) {
        let json = serde_json::to_string(change).expect("it is JSON");
        assert_eq!(
            *change,
            serde_json::from_str(&json).expect("what was written")
        );
        let row = self.campaign.to_row();
        let mut touched = TouchedLines::default();
        touched.add(self.campaign.touches(change));
        for line in &row.lines {
            let written = touched.holds(line.number);
            assert!(written || before.lines.contains(line), "{change:?}");
        }
        let written = self.campaign.changed_row(&touched);
        assert_eq!(written.values, row.values);
        assert!(written.lines.iter().all(|line| row.lines.contains(line)));
        assert_eq!(
            written.lines.len(),
            row.lines.iter().filter(|l| touched.holds(l.number)).count()
        );
        let numbers: Vec<i64> = row.lines.iter().map(|line| line.number).collect();
        let facts = self.facts();
        assert_eq!(
            numbers,
            (1..=i64::from(facts.coupons.issued())).collect::<Vec<_>>()
        );
        assert!(facts.coupons.issued() <= facts.about.quantity);
        let users: BTreeSet<&UserId> = facts.coupons.iter().map(|(_, c)| &c.user_id).collect();
        assert_eq!(users.len(), numbers.len(), "one to a user");
        let read = Campaign::from_row(&self.campaign.id, row).expect("what was written");
        assert_eq!(read, self.campaign);
    }

    pub(super) fn facts(&self) -> &Facts {
        self.campaign.facts.as_ref().expect("it was made")
    }

    /// Asks for a coupon without a key, and answers with its number.
    pub(super) fn issue(&mut self, user: &str) -> Result<u32, Refusal> {
        self.issue_as("ask", user, false)
    }

    /// Asks for a coupon under a key.
    pub(super) fn issue_under(&mut self, key: &str, user: &str) -> Result<u32, Refusal> {
        self.issue_as(key, user, true)
    }

    fn issue_as(&mut self, id: &str, user: &str, keyed: bool) -> Result<u32, Refusal> {
        let user_id = name(user);
        let issue = Command::Issue(Issue { user_id, keyed });
        match self.ask(Origin::Client, id, &issue)? {
            Reply::Issued(issued) => Ok(issued.number),
            other => panic!("{other:?}"),
        }
    }

    /// Uses a user's coupon for the first attempt of an order, and answers with what it takes off.
    pub(super) fn take(&mut self, order: u8, user: &str) -> Result<i64, Refusal> {
        self.take_from(order, user, SUBTOTAL)
    }

    pub(super) fn take_from(&mut self, order: u8, user: &str, cost: i64) -> Result<i64, Refusal> {
        self.take_in(1, order, user, cost)
    }

    pub(super) fn take_in(
        &mut self,
        attempt: u32,
        order: u8,
        user: &str,
        cost: i64,
    ) -> Result<i64, Refusal> {
        let id = RequestId::reserve(order_id(order), attempt);
        let using = Command::Use(Use {
            order_id: order_id(order),
            user_id: name(user),
            subtotal: Money::new(cost).expect("an amount"),
        });
        match self.ask(Origin::Saga, id.as_str(), &using)? {
            Reply::Used(answer) => Ok(answer.discount.get()),
            other => panic!("{other:?}"),
        }
    }

    /// Undoes what [`Desk::take`] did.
    pub(super) fn restore(&mut self, order: u8, user: &str) -> Result<Reply, Refusal> {
        self.restore_in(1, order, user)
    }

    pub(super) fn restore_in(
        &mut self,
        attempt: u32,
        order: u8,
        user: &str,
    ) -> Result<Reply, Refusal> {
        let id = RequestId::release(order_id(order), attempt);
        let restore = Command::Restore(Restore {
            order_id: order_id(order),
            user_id: name(user),
        });
        self.ask(Origin::Saga, id.as_str(), &restore)
    }

    /// The order that uses a user's coupon.
    pub(super) fn used_by(&self, user: &str) -> Option<OrderId> {
        let coupons = &self.facts().coupons;
        let number = coupons.number_of(&name(user))?;
        Some(coupons.get(number)?.usage?.order_id)
    }

    /// What everybody was told, in no particular order.
    pub(super) fn told(&self) -> BTreeMap<&'static str, Vec<serde_json::Value>> {
        let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (_, change) in self.ledger.values() {
            if let Some((kind, body)) = Campaign::event(&self.campaign.id, change) {
                let body = messages::wire::from_slice(&body).expect("a body is MessagePack");
                told.entry(kind).or_default().push(body);
            }
        }
        told
    }
}

pub(super) fn create(quantity: u32) -> Create {
    Create {
        name: "spring sale".into(),
        discount: Discount {
            kind: DiscountKind::Fixed,
            value: 3_000,
            maximum: None,
        },
        minimum_amount: Money::ZERO,
        quantity,
        valid_from: None,
        valid_until: None,
    }
}

pub(super) fn order_id(order: u8) -> OrderId {
    let text = format!("01890000-0000-7000-8000-0000000001{order:02x}");
    text.parse().expect("a UUID")
}

fn name(user: &str) -> UserId {
    user.parse().expect("a name")
}

pub(super) fn unusable<T>(reason: &str) -> Result<T, Refusal> {
    Err(Refusal::CouponNotUsable {
        reason: reason.to_owned(),
    })
}
