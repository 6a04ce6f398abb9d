//! Asks the gateway what payments owe, and tells them what it said: only what is certain.
//!
//! A charge that may have been asked before is looked for by its merchant uid first, and asked
//! again only where the gateway knows nothing of it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use messages::{
    Money, Refusal, Timestamp,
    payment::{Command, Outcome, Token},
};
use node::{
    outside::{Call, Outside},
    seams::Clock,
};

use crate::{
    gateway::{Found, Gateway, Refund, Status, Unknown, Verdict},
    payment::{Payment, Task, is_of},
};

/// Carries out what payments owe.
pub struct Handler {
    gateway: Arc<dyn Gateway>,
    clock: Arc<dyn Clock>,
    wait: Duration,
    grace_ms: i64,
}

impl Handler {
    /// `wait` is how long the gateway may take to answer; `grace` for how long it is looked
    /// through for what nobody is to pay.
    pub fn new(
        gateway: Arc<dyn Gateway>,
        clock: Arc<dyn Clock>,
        wait: Duration,
        grace: Duration,
    ) -> Self {
        Self {
            gateway,
            clock,
            wait,
            grace_ms: i64::try_from(grace.as_millis()).unwrap_or(i64::MAX),
        }
    }

    async fn ask(&self, task: &Task, again: bool) -> Result<Vec<Outcome>, Unknown> {
        match task {
            Task::Charge {
                merchant_uid,
                amount,
                token,
            } => self.charge(merchant_uid, *amount, token, again).await,
            Task::LookUp {
                order_id,
                merchant_uid,
                amount,
                imp_uid,
                price,
            } => {
                let found = self.within(self.gateway.look_up(imp_uid)).await?;
                let found = found.filter(|found| is_of(*order_id, &found.merchant_uid));
                Ok(vec![self.judge(merchant_uid, *amount, *price, found)])
            }
            Task::Seek {
                merchant_uid,
                under,
                since,
                once,
            } => self.seek(merchant_uid, under, *since, *once).await,
            Task::Judge { imp_uid } => {
                let found = self.within(self.gateway.look_up(imp_uid)).await?;
                Ok(vec![match found {
                    Some(found) if found.status == Status::Paid => {
                        let uid = found.merchant_uid.clone();
                        self.paid(&uid, found)
                    }
                    _ => Outcome::NotOurs {
                        gateway_id: imp_uid.clone(),
                    },
                }])
            }
            Task::Refund { gateway_id, amount } => {
                let refund = self.gateway.refund(gateway_id, *amount);
                let gateway_id = gateway_id.clone();
                Ok(vec![match self.within(refund).await? {
                    Refund::Done => Outcome::Refunded { gateway_id },
                    Refund::Refused { reason } => {
                        tracing::warn!(
                            gateway_id,
                            reason,
                            "the gateway will not give a payment back"
                        );
                        Outcome::RefundRefused { gateway_id, reason }
                    }
                }])
            }
        }
    }

    async fn charge(
        &self,
        uid: &str,
        amount: Money,
        token: &Token,
        again: bool,
    ) -> Result<Vec<Outcome>, Unknown> {
        if again && let Some(found) = self.within(self.gateway.find(uid)).await? {
            match found.status {
                // A copy of the request is still under way: whatever becomes of it is seen later.
                Status::Ready => return Ok(vec![]),
                Status::Paid => return Ok(vec![self.fitting(uid, amount, None, found)]),
                Status::Cancelled => return Ok(vec![declined(uid, "it was cancelled", true)]),
                Status::Failed { reason } => return Ok(vec![declined(uid, &reason, true)]),
            }
        }
        let verdicts = self.within(self.gateway.charge(uid, amount, token)).await?;
        let outcomes = verdicts.into_iter().map(|verdict| match verdict {
            Verdict::Paid {
                gateway_id,
                amount: paid,
            } => {
                let found = Found {
                    gateway_id,
                    merchant_uid: uid.to_owned(),
                    amount: paid,
                    status: Status::Paid,
                };
                self.fitting(uid, amount, None, found)
            }
            Verdict::Declined { reason } => declined(uid, &reason, again),
        });
        Ok(outcomes.collect())
    }

    async fn seek(
        &self,
        uid: &str,
        under: &[String],
        since: Timestamp,
        once: bool,
    ) -> Result<Vec<Outcome>, Unknown> {
        // Before the gateway looks: only what it knows after the grace time is its last word.
        let over = self.clock.now() >= since.plus_millis(self.grace_ms);
        if once && !over {
            return Ok(vec![]);
        }
        let mut outcomes = Vec::new();
        for under in under {
            let paid = self.within(self.gateway.find_paid(under)).await?;
            outcomes.extend(paid.into_iter().map(|found| self.paid(uid, found)));
        }
        // What is found may be the one that pays, in another attempt: the search ends all the same.
        outcomes.extend(over.then(|| Outcome::Missing {
            merchant_uid: uid.to_owned(),
        }));
        Ok(outcomes)
    }

    /// What a payment made outside means to the order that it was made for.
    fn judge(&self, uid: &str, due: Money, price: Option<Money>, found: Option<Found>) -> Outcome {
        let declined = |refusal| Outcome::Declined {
            merchant_uid: uid.to_owned(),
            refusal,
            resent: false,
            unwanted: None,
        };
        match found {
            None => declined(Refusal::PaymentNotFound),
            Some(found) => match &found.status {
                Status::Paid => self.fitting(uid, due, price, found),
                Status::Ready => declined(Refusal::PaymentNotFound),
                Status::Cancelled => declined(Refusal::PaymentDeclined {
                    reason: "it was cancelled".to_owned(),
                }),
                Status::Failed { reason } => declined(Refusal::PaymentDeclined {
                    reason: reason.clone(),
                }),
            },
        }
    }

    /// A payment that was paid: fitting, or to be given back.
    fn fitting(&self, uid: &str, due: Money, price: Option<Money>, found: Found) -> Outcome {
        let said = price.unwrap_or(due);
        if found.amount == due && said == due {
            return self.paid(uid, found);
        }
        let paid = if found.amount == due {
            said
        } else {
            found.amount
        };
        Outcome::Declined {
            merchant_uid: uid.to_owned(),
            refusal: Refusal::PaymentMismatch {
                due: due.get(),
                paid: paid.get(),
            },
            resent: false,
            unwanted: Some(found.gateway_id),
        }
    }

    /// `uid` names the attempt, whatever the payment was made under.
    fn paid(&self, uid: &str, found: Found) -> Outcome {
        Outcome::Paid {
            merchant_uid: uid.to_owned(),
            gateway: self.gateway.name().to_owned(),
            gateway_id: found.gateway_id,
            amount: found.amount,
        }
    }

    /// What the gateway answers in time.
    async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, Unknown>> + Send,
    ) -> Result<T, Unknown> {
        tokio::time::timeout(self.wait, answer)
            .await
            .unwrap_or_else(|_| Err(Unknown("no answer in time".to_owned())))
    }
}

#[async_trait]
impl Outside<Payment> for Handler {
    async fn call(&self, payment: &Payment, call: &Call, again: bool) -> Vec<Command> {
        let Some(task) = payment.task(&call.id) else {
            return vec![];
        };
        match self.ask(&task, again).await {
            Ok(outcomes) => outcomes.into_iter().map(Command::Outcome).collect(),
            Err(Unknown(reason)) => {
                tracing::debug!(call = %call.id, gateway = self.gateway.name(), reason, "the gateway's answer is not known");
                vec![]
            }
        }
    }
}

fn declined(uid: &str, reason: &str, resent: bool) -> Outcome {
    Outcome::Declined {
        merchant_uid: uid.to_owned(),
        refusal: Refusal::PaymentDeclined {
            reason: reason.to_owned(),
        },
        resent,
        unwanted: None,
    }
}

#[cfg(test)]
mod tests {
    use messages::OrderId;

    use super::*;

    /// A gateway where everything is paid, by one payment.
    struct Paid;

    #[async_trait]
    impl Gateway for Paid {
        fn name(&self) -> &'static str {
            "paid"
        }

        async fn charge(&self, _: &str, _: Money, _: &Token) -> Result<Vec<Verdict>, Unknown> {
            Ok(vec![])
        }

        async fn find(&self, merchant_uid: &str) -> Result<Option<Found>, Unknown> {
            Ok(Some(Found {
                gateway_id: "imp_1".into(),
                merchant_uid: merchant_uid.into(),
                amount: Money::ZERO,
                status: Status::Paid,
            }))
        }

        async fn find_paid(&self, merchant_uid: &str) -> Result<Vec<Found>, Unknown> {
            Ok(self.find(merchant_uid).await?.into_iter().collect())
        }

        async fn look_up(&self, gateway_id: &str) -> Result<Option<Found>, Unknown> {
            self.find(gateway_id).await
        }

        async fn refund(&self, _: &str, _: Option<Money>) -> Result<Refund, Unknown> {
            Ok(Refund::Done)
        }
    }

    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0)
        }
    }

    #[tokio::test]
    async fn a_search_ends_when_its_time_is_over_though_it_finds_the_payment_that_pays() {
        let order: OrderId = "01890000-0000-7000-8000-000000000001".parse().unwrap();
        let second = Duration::from_secs(1);
        let uid = order.to_string();
        for (now, once, finds, ends) in [
            (999, false, true, false),
            (999, true, false, false),
            (1_000, false, true, true),
            (1_000, true, true, true),
        ] {
            let handler = Handler::new(Arc::new(Paid), Arc::new(At(now)), second, second);
            let since = Timestamp::from_millis(0);
            let told = handler.seek(&uid, std::slice::from_ref(&uid), since, once);
            let told = told.await.unwrap();
            let found = told.iter().any(|it| matches!(it, Outcome::Paid { .. }));
            let ended = told.iter().any(|it| matches!(it, Outcome::Missing { .. }));
            assert_eq!((found, ended), (finds, ends), "at {now}, once: {once}");
        }
    }
}
