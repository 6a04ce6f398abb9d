//! Where what the gateway answers is judged: by the state, since an answer may come late, twice,
//! or to an attempt that was given up meanwhile. Money that nobody is to pay is given back.

use messages::{
    RequestId,
    payment::{MoneyMoved, Outcome},
};

use super::{
    change::{Change, What},
    state::{Attempt, Stand, State, Unwanted, is_of},
};

impl State {
    /// Decides what an outcome changes; one that is known already changes nothing.
    pub(super) fn hear(&self, outcome: &Outcome) -> Vec<Change> {
        match outcome {
            Outcome::Paid {
                merchant_uid,
                gateway,
                gateway_id,
                ..
            } => self.hear_paid(merchant_uid, gateway, gateway_id),
            Outcome::Declined {
                merchant_uid,
                refusal,
                resent,
                unwanted,
            } => {
                let declined = self.asking(merchant_uid).map(|(number, attempt)| {
                    let refusal = refusal.clone();
                    // What was paid outside may be named again, since nothing was asked for.
                    let again = attempt.imp_uid.is_some() && unwanted.is_none();
                    let what = if again {
                        What::NotFound { refusal }
                    } else {
                        What::Declined {
                            amount: attempt.amount,
                            refusal,
                            seek: *resent || !attempt.card,
                        }
                    };
                    self.change(number, what)
                });
                let number = self
                    .attempt_of(merchant_uid)
                    .map_or(0, |(number, _)| number);
                let found = unwanted
                    .as_ref()
                    .filter(|id| !self.work.unwanted.contains_key(*id))
                    .filter(|id| !self.has_given_back(id))
                    .map(|id| {
                        let what = What::Found {
                            gateway_id: id.clone(),
                        };
                        let mut change = self.change(number, what);
                        change.serial += u32::from(declined.is_some());
                        change
                    });
                declined.into_iter().chain(found).collect()
            }
            Outcome::Missing { merchant_uid } => self
                .attempt_of(merchant_uid)
                .filter(|(_, attempt)| attempt.seek_since.is_some())
                .map(|(number, _)| self.change(number, What::LookedEnough))
                .into_iter()
                .collect(),
            Outcome::NotOurs { gateway_id } => {
                self.unwanted(gateway_id, Unwanted::Looking, || What::Spared {
                    gateway_id: gateway_id.clone(),
                })
            }
            Outcome::Refunded { gateway_id } => self.hear_refunded(gateway_id),
            Outcome::RefundRefused { gateway_id, reason } => self
                .cancelling(gateway_id)
                .map(|(number, _)| {
                    let reason = reason.clone();
                    self.change(number, What::CancelRefused { reason })
                })
                // What nobody is to pay is asked back again: there is no one to be refused.
                .into_iter()
                .collect(),
        }
    }

    fn hear_paid(&self, uid: &str, gateway: &str, gateway_id: &str) -> Vec<Change> {
        let id = || gateway_id.to_owned();
        if self.work.unwanted.get(gateway_id) == Some(&Unwanted::Looking) {
            let pays = |attempt: &Attempt| {
                attempt.stand.holds() && attempt.gateway_id.as_deref() == Some(gateway_id)
            };
            let what = if !is_of(self.order_id, uid) || self.work.attempts.values().any(pays) {
                What::Spared { gateway_id: id() }
            } else {
                What::Found { gateway_id: id() }
            };
            return vec![self.change(0, what)];
        }
        let Some((number, attempt)) = self.attempt_of(uid) else {
            return vec![];
        };
        // The one that pays, or may turn out to, is found in looking for another attempt's too.
        let pays_otherwise = self.work.attempts.iter().any(|(other, attempt)| {
            *other != number
                && attempt.stand.holds()
                && [&attempt.gateway_id, &attempt.imp_uid]
                    .into_iter()
                    .any(|id| id.as_deref() == Some(gateway_id))
        });
        if pays_otherwise
            || attempt.gateway_id.as_deref() == Some(gateway_id)
            || self.work.unwanted.contains_key(gateway_id)
        {
            return vec![];
        }
        let what = match (attempt.stand, &self.user_id) {
            (Stand::Asking, Some(user_id)) => What::Authorised {
                moved: MoneyMoved {
                    order_id: self.order_id,
                    user_id: user_id.clone(),
                    request_id: RequestId::reserve(self.order_id, number).to_string(),
                    amount: attempt.amount,
                    gateway: gateway.to_owned(),
                    gateway_id: id(),
                },
            },
            _ => What::Found { gateway_id: id() },
        };
        vec![self.change(number, what)]
    }

    fn hear_refunded(&self, gateway_id: &str) -> Vec<Change> {
        if let Some((number, attempt)) = self.cancelling(gateway_id)
            && let (Some(user_id), Some(gateway)) = (&self.user_id, &attempt.gateway)
        {
            let moved = MoneyMoved {
                order_id: self.order_id,
                user_id: user_id.clone(),
                request_id: RequestId::release(self.order_id, number).to_string(),
                amount: attempt.amount,
                gateway: gateway.clone(),
                gateway_id: gateway_id.to_owned(),
            };
            return vec![self.change(number, What::Cancelled { moved })];
        }
        self.unwanted(gateway_id, Unwanted::Refunding, || What::Returned {
            gateway_id: gateway_id.to_owned(),
        })
    }

    /// A change of what nobody is to pay, where it stands so.
    fn unwanted(&self, id: &str, stand: Unwanted, what: impl FnOnce() -> What) -> Vec<Change> {
        if self.work.unwanted.get(id) == Some(&stand) {
            vec![self.change(0, what())]
        } else {
            vec![]
        }
    }

    fn asking(&self, uid: &str) -> Option<(u32, &Attempt)> {
        self.attempt_of(uid)
            .filter(|(_, attempt)| attempt.stand == Stand::Asking)
    }

    fn cancelling(&self, gateway_id: &str) -> Option<(u32, &Attempt)> {
        let mut attempts = self.work.attempts.iter();
        attempts
            .find(|(_, attempt)| {
                attempt.stand == Stand::Cancelling
                    && attempt.gateway_id.as_deref() == Some(gateway_id)
            })
            .map(|(number, attempt)| (*number, attempt))
    }

    /// Whether this payment was found before and is given back by now.
    fn has_given_back(&self, gateway_id: &str) -> bool {
        let mut attempts = self.work.attempts.values();
        attempts.any(|attempt| attempt.gateway_id.as_deref() == Some(gateway_id))
    }
}
