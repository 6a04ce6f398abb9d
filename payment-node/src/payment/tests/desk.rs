//! A payment with a ledger that knows what the host's knows, and checks of what always holds.

use std::collections::BTreeMap;

use messages::{
    Digest, OrderId, Origin, RequestId,
    envelope::{Body as _, Raw},
    payment::{Authorise, Cancel, Method, Outcome, Reject, Token, merchant_uid},
};
use node::entity::Prior;

use super::super::*;

pub(super) const ORDER: &str = "01890000-0000-7000-8000-000000000001";

/// A payment, what its ledger knows, and what everybody was told.
pub(super) struct Desk {
    pub(super) payment: Payment,
    ledger: BTreeMap<RequestId, (Option<Digest>, Change)>,
    pub(super) told: Vec<&'static str>,
    now: Timestamp,
}

impl Desk {
    pub(super) fn open() -> Self {
        Self {
            payment: Payment::new(&EntityId::from(ORDER)),
            ledger: BTreeMap::new(),
            told: Vec::new(),
            now: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    /// Asks as the host does: the answer, or `None` where it waits for the gateway. Checks what
    /// must hold after every command.
    pub(super) fn ask(&mut self, id: &str, command: &Command) -> Option<Result<Reply, Refusal>> {
        self.now = self.now.plus_millis(1);
        let id = RequestId::from(id);
        let digest = Digest::of(command.kind(), &format!("{:?}", Raw::of(command)));
        let counterpart = id.counterpart().and_then(|id| self.ledger.get(&id));
        let prior = match (self.ledger.get(&id), counterpart) {
            _ if !Payment::remembers(command) => Prior::New,
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
        let changes = match self.payment.decide(command, &context) {
            Ok(changes) => changes,
            Err(refusal) => return Some(Err(refusal)),
        };
        let answer = if changes.is_empty() {
            self.payment.reply(prior.change())
        } else {
            for change in &changes {
                self.happen(change, &id, digest);
            }
            self.payment.reply(changes.first())
        };
        self.payment.settled().then_some(Ok(answer))
    }

    fn happen(&mut self, change: &Change, id: &RequestId, digest: Digest) {
        self.payment.apply(change, self.now);
        let json = serde_json::to_string(change).expect("it is JSON");
        assert!(!json.contains("s3cret"), "a token in the ledger: {json}");
        let read: Change = serde_json::from_str(&json).expect("what was written");
        assert_eq!(Payment::record(&read).kind, Payment::record(change).kind);
        let (id, digest) = match Payment::record(change).request_id {
            Some(other) => (other, None),
            None => (id.clone(), Some(digest)),
        };
        let taken = self.ledger.insert(id, (digest, change.clone()));
        assert_eq!(taken, None, "the ledger's key is unique");
        let event = Payment::event(&EntityId::from(ORDER), change);
        self.told.extend(event.map(|(kind, _)| kind));
        let read = Payment::from_row(&EntityId::from(ORDER), self.payment.to_row());
        assert_eq!(read.expect("what was written"), self.payment);
    }

    pub(super) fn authorise(&mut self, attempt: u32) -> Option<Result<Reply, Refusal>> {
        self.authorise_of(attempt, 500)
    }

    pub(super) fn authorise_of(
        &mut self,
        attempt: u32,
        amount: i64,
    ) -> Option<Result<Reply, Refusal>> {
        let token: Token = "s3cret".parse().expect("a token");
        self.pay(attempt, amount, Method::Card { token })
    }

    /// Names a payment that was made outside.
    pub(super) fn name(&mut self, attempt: u32, imp_uid: &str) -> Option<Result<Reply, Refusal>> {
        let method = Method::External {
            imp_uid: imp_uid.into(),
            price: None,
        };
        self.pay(attempt, 500, method)
    }

    fn pay(&mut self, attempt: u32, amount: i64, method: Method) -> Option<Result<Reply, Refusal>> {
        let authorise = Command::Authorise(Authorise {
            order_id: order(),
            user_id: "u-1".parse().expect("a name"),
            amount: money(amount),
            method,
        });
        let id = RequestId::reserve(ORDER, attempt);
        self.ask(id.as_str(), &authorise)
    }

    pub(super) fn cancel(&mut self, attempt: u32) -> Option<Result<Reply, Refusal>> {
        let cancel = Command::Cancel(Cancel {
            order_id: order(),
            amount: money(500),
        });
        let id = RequestId::release(ORDER, attempt);
        self.ask(id.as_str(), &cancel)
    }

    pub(super) fn reject(&mut self, imp_uid: &str) -> Option<Result<Reply, Refusal>> {
        let reject = Command::Reject(Reject {
            order_id: order(),
            imp_uid: imp_uid.into(),
        });
        self.ask("a reject", &reject)
    }

    pub(super) fn get(&mut self) -> Result<Reply, Refusal> {
        let answer = self.payment.decide(
            &Command::Get,
            &Context {
                prior: Prior::New,
                request_id: &RequestId::from("ask"),
                origin: Origin::Client,
                source: None,
                traceparent: None,
                now: self.now,
                resent: false,
            },
        );
        answer.map(|_| self.payment.reply(None))
    }

    /// The gateway's answer, and what the one who waits for this attempt is answered then.
    pub(super) fn hear(&mut self, outcome: Outcome) {
        self.ask("an outcome", &Command::Outcome(outcome));
    }

    pub(super) fn paid(&mut self, attempt: u32, gateway_id: &str) {
        self.hear(Outcome::Paid {
            merchant_uid: merchant_uid(ORDER, attempt),
            gateway: "sandbox".into(),
            gateway_id: gateway_id.into(),
            amount: money(500),
        });
    }

    pub(super) fn declined(&mut self, attempt: u32, resent: bool) {
        self.hear(Outcome::Declined {
            merchant_uid: merchant_uid(ORDER, attempt),
            refusal: no_cover(),
            resent,
            unwanted: None,
        });
    }

    /// What is still to be asked of the gateway, in words.
    pub(super) fn owes(&self) -> Vec<String> {
        let state = self.payment.state.as_ref();
        let tasks = state.map(State::tasks).unwrap_or_default();
        let calls = self.payment.calls();
        assert_eq!(tasks.len(), calls.len());
        tasks.into_iter().map(|(_, task)| words(&task)).collect()
    }
}

fn words(task: &Task) -> String {
    let short = |uid: &str| uid.replace(ORDER, "o");
    match task {
        Task::Charge { merchant_uid, .. } => format!("charge {}", short(merchant_uid)),
        Task::LookUp { imp_uid, .. } => format!("look up {imp_uid}"),
        Task::Seek { under, .. } => {
            let under: Vec<_> = under.iter().map(|uid| short(uid)).collect();
            format!("seek {}", under.join(" and "))
        }
        Task::Judge { imp_uid } => format!("judge {imp_uid}"),
        Task::Refund { gateway_id, .. } => format!("refund {gateway_id}"),
    }
}

pub(super) fn order() -> OrderId {
    ORDER.parse().expect("an id")
}

pub(super) fn money(amount: i64) -> Money {
    Money::new(amount).expect("an amount")
}

pub(super) fn no_cover() -> Refusal {
    Refusal::PaymentDeclined {
        reason: "no cover".into(),
    }
}
