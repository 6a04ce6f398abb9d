//! The gateway of a simulation: it does what a card's token says, as the sandbox does, and its
//! books outlive every process. Besides, its answers may be lost.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use messages::{Money, payment::Token};
use payment_node::gateway::{Found, Gateway, Refund, Status, Unknown, Verdict};
use sim::Chance;
use tokio::time::{Instant, sleep};

/// When a card of the token `late` is charged.
const LATE: Duration = Duration::from_millis(1_800);

/// A bank that all processes of the payments reach.
#[derive(Clone)]
pub(crate) struct Bank(Arc<Shared>);

struct Shared {
    chance: Chance,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    charges: BTreeMap<String, Charge>,
    made: u64,
    /// How many answers out of a hundred are lost now.
    loses: u64,
}

struct Charge {
    merchant_uid: String,
    amount: Money,
    status: Status,
    due: Instant,
}

impl Bank {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Shared {
            chance: Chance::new(seed, "bank", 0),
            state: Mutex::default(),
        }))
    }

    /// Loses so many answers out of a hundred from now on.
    pub(crate) fn lose(&self, percent: u64) {
        self.lock().loses = percent;
    }

    /// A payment that a customer makes by himself: its id.
    pub(crate) fn pay(&self, merchant_uid: &str, amount: Money) -> String {
        let mut state = self.lock();
        state.made += 1;
        let id = format!("imp_{}", state.made);
        let charge = Charge {
            merchant_uid: merchant_uid.to_owned(),
            amount,
            status: Status::Paid,
            due: Instant::now(),
        };
        state.charges.insert(id.clone(), charge);
        id
    }

    /// What is paid and not given back: merchant uid and amount.
    pub(crate) fn paid(&self) -> Vec<(String, Money)> {
        let state = self.lock();
        let paid = state.charges.values().filter(|c| c.status == Status::Paid);
        paid.map(|c| (c.merchant_uid.clone(), c.amount)).collect()
    }

    async fn answer<T>(&self, answer: impl FnOnce(&mut State) -> T) -> Result<T, Unknown> {
        sleep(Duration::from_millis(self.0.chance.between(1, 8))).await;
        let (answer, loses) = {
            let mut state = self.lock();
            (answer(&mut state), state.loses)
        };
        if self.0.chance.percent(loses) {
            if self.0.chance.percent(50) {
                return Err(Unknown("the answer is lost".into()));
            }
            return std::future::pending().await;
        }
        sleep(Duration::from_millis(self.0.chance.between(1, 8))).await;
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no panic while it is locked")
    }
}

impl State {
    fn found(&self, id: &str) -> Option<Found> {
        let charge = self.charges.get(id).filter(|c| c.due <= Instant::now())?;
        Some(Found {
            gateway_id: id.to_owned(),
            merchant_uid: charge.merchant_uid.clone(),
            amount: charge.amount,
            status: charge.status.clone(),
        })
    }
}

#[async_trait]
impl Gateway for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    async fn charge(
        &self,
        merchant_uid: &str,
        amount: Money,
        token: &Token,
    ) -> Result<Vec<Verdict>, Unknown> {
        let declined = || Status::Failed {
            reason: "the card was declined".to_owned(),
        };
        let (status, late, answers) = match token.as_str() {
            "approve" => (Status::Paid, Duration::ZERO, 1),
            "twice" => (Status::Paid, Duration::ZERO, 2),
            "late" => (Status::Paid, LATE, 0),
            "timeout" => return std::future::pending().await,
            _ => (declined(), Duration::ZERO, 1),
        };
        let id = format!("card_{merchant_uid}");
        let found = self
            .answer(|state| {
                let charge = Charge {
                    merchant_uid: merchant_uid.to_owned(),
                    amount,
                    status,
                    due: Instant::now() + late,
                };
                state.charges.entry(id.clone()).or_insert(charge);
                state.found(&id)
            })
            .await?;
        if answers == 0 {
            return std::future::pending().await;
        }
        let verdict = match found {
            Some(Found {
                status: Status::Paid,
                gateway_id,
                amount,
                ..
            }) => Verdict::Paid { gateway_id, amount },
            Some(Found {
                status: Status::Failed { reason },
                ..
            }) => Verdict::Declined { reason },
            _ => Verdict::Declined {
                reason: "this merchant uid was used before".to_owned(),
            },
        };
        Ok(vec![verdict; answers])
    }

    async fn find(&self, merchant_uid: &str) -> Result<Option<Found>, Unknown> {
        self.answer(|state| {
            let of = state.charges.iter();
            let of = of.filter(|(_, charge)| charge.merchant_uid == merchant_uid);
            let mut found: Vec<Found> = of.filter_map(|(id, _)| state.found(id)).collect();
            // The one that is paid, where there are several.
            found.sort_by_key(|found| found.status != Status::Paid);
            found.into_iter().next()
        })
        .await
    }

    async fn find_paid(&self, merchant_uid: &str) -> Result<Vec<Found>, Unknown> {
        self.answer(|state| {
            let all = state.charges.iter();
            let of = all.filter(|(_, charge)| charge.merchant_uid == merchant_uid);
            of.filter_map(|(id, _)| state.found(id))
                .filter(|found| found.status == Status::Paid)
                .collect()
        })
        .await
    }

    async fn look_up(&self, gateway_id: &str) -> Result<Option<Found>, Unknown> {
        self.answer(|state| state.found(gateway_id)).await
    }

    async fn refund(&self, gateway_id: &str, amount: Option<Money>) -> Result<Refund, Unknown> {
        self.answer(|state| {
            let refused = |reason: &str| Refund::Refused {
                reason: reason.to_owned(),
            };
            let Some(found) = state.found(gateway_id) else {
                return refused("there is no such payment");
            };
            match found.status {
                Status::Cancelled => Refund::Done,
                Status::Paid if amount.is_some_and(|amount| amount != found.amount) => {
                    refused("another amount was paid")
                }
                Status::Paid => {
                    if let Some(charge) = state.charges.get_mut(gateway_id) {
                        charge.status = Status::Cancelled;
                    }
                    Refund::Done
                }
                _ => refused("there is no such payment"),
            }
        })
        .await
    }
}
