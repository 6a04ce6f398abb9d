//! What a payment knows of itself, and what it still has to ask of the gateway.

use std::collections::BTreeMap;

use messages::{
    Money, OrderId, Refusal, RequestId, Timestamp, UserId,
    payment::{Status, Token, View, merchant_uid},
};
use serde::{Deserialize, Serialize};

use super::change::{Change, What};

/// The payment of an order that was to be paid, or whose payment was to be kept away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) order_id: OrderId,
    pub(crate) user_id: Option<UserId>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) work: Work,
}

/// Every attempt, and what is to be given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Work {
    /// How many changes there were.
    pub(crate) serial: u32,
    pub(crate) attempts: BTreeMap<u32, Attempt>,
    /// Payments at the gateway that nobody is to pay, by the gateway's id.
    pub(crate) unwanted: BTreeMap<String, Unwanted>,
}

/// One attempt of the order to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    pub(crate) amount: Money,
    pub(crate) stand: Stand,
    /// The change by which it came to stand so: it names the call that is owed.
    pub(crate) since: u32,
    /// Whether it is paid by a card, which is charged under a merchant uid of the attempt's own;
    /// a customer who pays outside does so under that or under the order's id.
    #[serde(default)]
    pub(crate) card: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Token>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) imp_uid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway_id: Option<String>,
    /// Why it was declined, or its cancel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
    /// Since when the gateway is looked through for what it may have taken all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seek_since: Option<Timestamp>,
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Stand {
    /// The gateway is being asked.
    Asking,
    /// The money is taken.
    Authorised,
    /// The money is being given back.
    Cancelling,
    /// It was given back.
    Cancelled,
    /// The gateway said no.
    Declined,
    /// What was paid outside was not found; another may be named.
    NotFound,
    /// It was given up.
    Closed,
}

/// Where a payment stands that nobody is to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Unwanted {
    /// It is not known yet whether it is this order's.
    Looking,
    /// It is being given back.
    Refunding,
}

/// What the gateway is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To take money from a card, once.
    Charge {
        merchant_uid: String,
        amount: Money,
        token: Token,
    },
    /// Whether a payment made outside pays for the order.
    LookUp {
        order_id: OrderId,
        merchant_uid: String,
        amount: Money,
        imp_uid: String,
        price: Option<Money>,
    },
    /// Whether it has taken something for the attempt of this merchant uid after all.
    Seek {
        merchant_uid: String,
        /// The merchant uids that it may have been taken under.
        under: Vec<String>,
        since: Timestamp,
        /// Whether one look is enough, when the grace time is over: nobody waits for what is found.
        once: bool,
    },
    /// Whether a payment made outside is this order's.
    Judge { imp_uid: String },
    /// To give a payment back.
    Refund {
        gateway_id: String,
        amount: Option<Money>,
    },
}

impl State {
    pub(crate) fn new(order_id: OrderId, at: Timestamp) -> Self {
        Self {
            order_id,
            user_id: None,
            created_at: at,
            updated_at: at,
            work: Work::default(),
        }
    }

    /// The attempt that a reader sees.
    pub(crate) fn last(&self) -> Option<&Attempt> {
        self.work.attempts.values().next_back()
    }

    /// The attempt of this merchant uid.
    pub(crate) fn attempt_of(&self, uid: &str) -> Option<(u32, &Attempt)> {
        self.work
            .attempts
            .iter()
            .map(|(number, attempt)| (*number, attempt))
            .find(|(number, _)| merchant_uid(self.order_id, *number) == uid)
    }

    pub(crate) fn view(&self) -> Option<View> {
        self.last().map(|attempt| View {
            order_id: self.order_id,
            amount: attempt.amount,
            status: attempt.stand.status(),
            gateway: attempt.gateway.clone(),
            gateway_id: attempt.gateway_id.clone(),
        })
    }

    /// What the gateway is still to be asked, each under an id of its own.
    pub(crate) fn tasks(&self) -> Vec<(RequestId, Task)> {
        let mut tasks = Vec::new();
        for (number, attempt) in &self.work.attempts {
            let uid = merchant_uid(self.order_id, *number);
            if let Some(task) = attempt.task(self.order_id, &uid) {
                tasks.push((RequestId::from(format!("ask {}", attempt.since)), task));
            }
            if let Some(since) = attempt.seek_since {
                let mut under = vec![uid.clone()];
                let order_id = self.order_id.to_string();
                if !attempt.card && order_id != uid {
                    under.push(order_id);
                }
                let seek = Task::Seek {
                    under,
                    merchant_uid: uid,
                    since,
                    once: !attempt.card && attempt.stand != Stand::Closed,
                };
                tasks.push((RequestId::from(format!("seek {number}")), seek));
            }
        }
        for (gateway_id, unwanted) in &self.work.unwanted {
            tasks.push(match unwanted {
                Unwanted::Looking => (
                    RequestId::from(format!("judge {gateway_id}")),
                    Task::Judge {
                        imp_uid: gateway_id.clone(),
                    },
                ),
                Unwanted::Refunding => (
                    RequestId::from(format!("refund {gateway_id}")),
                    Task::Refund {
                        gateway_id: gateway_id.clone(),
                        amount: None,
                    },
                ),
            });
        }
        tasks
    }

    /// Whether everybody who asked can be answered.
    pub(crate) fn settled(&self) -> bool {
        let busy = |attempt: &Attempt| matches!(attempt.stand, Stand::Asking | Stand::Cancelling);
        !self.work.attempts.values().any(busy)
    }

    pub(crate) fn apply(&mut self, change: &Change, at: Timestamp) {
        self.updated_at = at;
        self.work.serial = change.serial;
        let number = change.attempt;
        match &change.what {
            What::Asked {
                user_id,
                amount,
                token,
                imp_uid,
                price,
            } => {
                self.user_id = Some(user_id.clone());
                let asked = Attempt {
                    card: token.is_some(),
                    token: token.clone(),
                    imp_uid: imp_uid.clone(),
                    price: *price,
                    ..Attempt::new(*amount, Stand::Asking, change.serial)
                };
                self.work.attempts.insert(number, asked);
                self.forget();
            }
            What::Closed { amount } => {
                let closed = Attempt::new(*amount, Stand::Closed, change.serial);
                let attempt = self.work.attempts.entry(number).or_insert(closed);
                attempt.stand(Stand::Closed, change.serial);
                attempt.seek_since = Some(at);
                // What the customer named is looked at by its own id too.
                if let Some(imp_uid) = attempt.imp_uid.clone() {
                    let unwanted = &mut self.work.unwanted;
                    unwanted.entry(imp_uid).or_insert(Unwanted::Looking);
                }
                self.forget();
            }
            What::Rejected { gateway_id } => {
                let unwanted = &mut self.work.unwanted;
                unwanted
                    .entry(gateway_id.clone())
                    .or_insert(Unwanted::Looking);
            }
            What::Spared { gateway_id } | What::Returned { gateway_id } => {
                self.work.unwanted.remove(gateway_id);
            }
            What::Found { gateway_id } => {
                self.work
                    .unwanted
                    .insert(gateway_id.clone(), Unwanted::Refunding);
                if let Some(attempt) = self.work.attempts.get_mut(&number)
                    && !attempt.stand.holds()
                {
                    attempt.gateway_id = Some(gateway_id.clone());
                    // A card is charged once; a customer may pay by himself as often as he likes.
                    if attempt.card {
                        attempt.seek_since = None;
                    }
                }
            }
            what => {
                if let Some(attempt) = self.work.attempts.get_mut(&number) {
                    attempt.apply(what, change.serial, at);
                }
            }
        }
    }

    /// Forgets earlier attempts that are at their end: the ledger remembers them.
    fn forget(&mut self) {
        let last = self.work.attempts.keys().next_back().copied();
        self.work.attempts.retain(|number, attempt| {
            Some(*number) == last || attempt.stand.holds() || attempt.seek_since.is_some()
        });
    }
}

impl Attempt {
    const fn new(amount: Money, stand: Stand, since: u32) -> Self {
        Self {
            amount,
            stand,
            since,
            card: false,
            token: None,
            imp_uid: None,
            price: None,
            gateway: None,
            gateway_id: None,
            refusal: None,
            seek_since: None,
        }
    }

    /// A card's token is kept no longer than the gateway is asked for money.
    fn stand(&mut self, stand: Stand, since: u32) {
        self.stand = stand;
        self.since = since;
        self.token = None;
        self.refusal = None;
    }

    fn apply(&mut self, what: &What, serial: u32, at: Timestamp) {
        match what {
            What::Authorised { moved } => {
                self.stand(Stand::Authorised, serial);
                self.gateway = Some(moved.gateway.clone());
                self.gateway_id = Some(moved.gateway_id.clone());
                // Who pays by himself may have paid more than once, and named one of them.
                self.seek_since = (!self.card).then_some(at);
            }
            What::Declined { refusal, seek, .. } => {
                self.stand(Stand::Declined, serial);
                self.refusal = Some(refusal.clone());
                self.seek_since = seek.then_some(at);
            }
            What::NotFound { refusal } => {
                self.stand(Stand::NotFound, serial);
                self.refusal = Some(refusal.clone());
            }
            What::CancelAsked => self.stand(Stand::Cancelling, serial),
            What::Cancelled { .. } => self.stand(Stand::Cancelled, serial),
            What::CancelRefused { reason } => {
                self.stand(Stand::Authorised, serial);
                self.refusal = Some(Refusal::PaymentDeclined {
                    reason: reason.clone(),
                });
            }
            What::LookedEnough => self.seek_since = None,
            What::Asked { .. }
            | What::Closed { .. }
            | What::Found { .. }
            | What::Rejected { .. }
            | What::Spared { .. }
            | What::Returned { .. } => {}
        }
    }

    fn task(&self, order_id: OrderId, uid: &str) -> Option<Task> {
        let merchant_uid = || uid.to_owned();
        match (self.stand, &self.token, &self.imp_uid, &self.gateway_id) {
            (Stand::Asking, Some(token), _, _) => Some(Task::Charge {
                merchant_uid: merchant_uid(),
                amount: self.amount,
                token: token.clone(),
            }),
            (Stand::Asking, None, Some(imp_uid), _) => Some(Task::LookUp {
                order_id,
                merchant_uid: merchant_uid(),
                amount: self.amount,
                imp_uid: imp_uid.clone(),
                price: self.price,
            }),
            (Stand::Cancelling, _, _, Some(gateway_id)) => Some(Task::Refund {
                gateway_id: gateway_id.clone(),
                amount: Some(self.amount),
            }),
            _ => None,
        }
    }
}

/// Whether a merchant uid is one of this order's.
pub(crate) fn is_of(order_id: OrderId, uid: &str) -> bool {
    let rest = uid.strip_prefix(&order_id.to_string());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

impl Stand {
    /// Whether the money is ours to keep or to give back.
    pub(crate) const fn holds(self) -> bool {
        matches!(self, Self::Asking | Self::Authorised | Self::Cancelling)
    }

    const fn status(self) -> Status {
        match self {
            Self::Asking => Status::Pending,
            Self::Authorised | Self::Cancelling => Status::Authorised,
            Self::Cancelled | Self::Closed => Status::Cancelled,
            Self::Declined | Self::NotFound => Status::Declined,
        }
    }
}
