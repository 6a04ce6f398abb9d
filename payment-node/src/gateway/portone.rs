//! `PortOne` (Iamport), by version 1 of its REST API: what is asked of it, and what its answers mean.
//!
//! A card's token is the `customer_uid` under which the gateway keeps it.

mod api;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use messages::{Money, payment::Token};
use node::seams::Clock;
use serde::{Deserialize, Serialize};

pub use self::api::{Account, ClientError};
use self::api::{Answer, Api};
use super::{Found, Gateway, Refund, Status, Unknown, Verdict};

/// What a customer reads on the bill.
const BILL: &str = "Onhand order";

/// The gateway.
pub struct PortOne(Api);

#[derive(Deserialize)]
struct Payment {
    imp_uid: String,
    merchant_uid: String,
    amount: Money,
    status: String,
    #[serde(default)]
    fail_reason: Option<String>,
}

/// A page of payments.
#[derive(Deserialize)]
struct Payments {
    list: Vec<Payment>,
    /// The number of the next page; 0 where this is the last.
    #[serde(default)]
    next: u32,
}

#[derive(Serialize)]
struct Again<'a> {
    customer_uid: &'a str,
    merchant_uid: &'a str,
    amount: Money,
    name: &'a str,
}

#[derive(Serialize)]
struct Cancel<'a> {
    imp_uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Money>,
    /// What can still be given back: the gateway refuses where it knows another amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<Money>,
    reason: &'a str,
}

impl PortOne {
    /// A client of this account. No request takes longer than `wait`.
    ///
    /// # Errors
    /// Where the address is none, or no client can be made.
    pub fn new(
        account: Account,
        clock: Arc<dyn Clock>,
        wait: Duration,
    ) -> Result<Self, ClientError> {
        Api::new(account, clock, wait).map(Self)
    }

    async fn read(&self, path: &str) -> Result<Option<Found>, Unknown> {
        match self.0.safely::<Payment>(|| self.0.get(path)).await? {
            Answer::Said(payment) => Ok(Some(payment.found())),
            Answer::Nothing => Ok(None),
            Answer::No(reason) => Err(Unknown(reason)),
        }
    }
}

#[async_trait]
impl Gateway for PortOne {
    fn name(&self) -> &'static str {
        "portone"
    }

    async fn charge(
        &self,
        merchant_uid: &str,
        amount: Money,
        token: &Token,
    ) -> Result<Vec<Verdict>, Unknown> {
        let again = Again {
            customer_uid: token.as_str(),
            merchant_uid,
            amount,
            name: BILL,
        };
        let request = || self.0.post("/subscribe/payments/again").json(&again);
        Ok(vec![match self.0.once::<Payment>(&request).await? {
            Answer::Said(payment) if payment.status == "paid" => Verdict::Paid {
                gateway_id: payment.imp_uid,
                amount: payment.amount,
            },
            Answer::Said(payment) if payment.status == "failed" => Verdict::Declined {
                reason: payment.reason(),
            },
            Answer::Said(_) => return Err(Unknown("it is neither paid nor refused yet".into())),
            Answer::Nothing => Verdict::Declined {
                reason: "the gateway does not know this card".to_owned(),
            },
            // A no may mean that this merchant uid was paid by a request before.
            Answer::No(reason) => match self.find(merchant_uid).await? {
                Some(found) if found.status == Status::Paid => Verdict::Paid {
                    gateway_id: found.gateway_id,
                    amount: found.amount,
                },
                Some(found) if found.status == Status::Ready => {
                    return Err(Unknown("it is neither paid nor refused yet".into()));
                }
                _ => Verdict::Declined { reason },
            },
        }])
    }

    async fn find(&self, merchant_uid: &str) -> Result<Option<Found>, Unknown> {
        // One that is paid counts more than one that failed before it.
        let path = format!("/payments/find/{merchant_uid}");
        match self.read(&format!("{path}/paid")).await? {
            Some(found) => Ok(Some(found)),
            None => self.read(&path).await,
        }
    }

    async fn find_paid(&self, merchant_uid: &str) -> Result<Vec<Found>, Unknown> {
        let path = format!("/payments/findAll/{merchant_uid}/paid");
        let mut paid = Vec::new();
        let mut page = 1;
        while page > 0 {
            let request = || self.0.get(&format!("{path}?page={page}"));
            let payments = match self.0.safely::<Payments>(request).await? {
                Answer::Said(payments) => payments,
                Answer::Nothing => break,
                Answer::No(reason) => return Err(Unknown(reason)),
            };
            paid.extend(payments.list.into_iter().map(Payment::found));
            page = payments.next;
        }
        // It was asked for nothing else, but what would be given back should be sure.
        paid.retain(|found| found.status == Status::Paid);
        Ok(paid)
    }

    async fn look_up(&self, gateway_id: &str) -> Result<Option<Found>, Unknown> {
        self.read(&format!("/payments/{gateway_id}")).await
    }

    async fn refund(&self, gateway_id: &str, amount: Option<Money>) -> Result<Refund, Unknown> {
        let cancel = Cancel {
            imp_uid: gateway_id,
            amount,
            checksum: amount,
            reason: "the order was undone",
        };
        let request = || self.0.post("/payments/cancel").json(&cancel);
        let reason = match self.0.safely::<Payment>(request).await? {
            Answer::Said(payment) if payment.status == "cancelled" => return Ok(Refund::Done),
            Answer::Said(_) => "it was not cancelled whole".to_owned(),
            Answer::Nothing => "there is no such payment".to_owned(),
            Answer::No(reason) => reason,
        };
        // A no is also said of what was given back before.
        match self.look_up(gateway_id).await? {
            Some(found) if found.status == Status::Cancelled => Ok(Refund::Done),
            _ => Ok(Refund::Refused { reason }),
        }
    }
}

impl Payment {
    fn reason(&self) -> String {
        let reason = self.fail_reason.clone();
        reason.unwrap_or_else(|| "the gateway gave no reason".to_owned())
    }

    fn found(self) -> Found {
        let status = match self.status.as_str() {
            "paid" => Status::Paid,
            "cancelled" => Status::Cancelled,
            "failed" => Status::Failed {
                reason: self.reason(),
            },
            _ => Status::Ready,
        };
        Found {
            gateway_id: self.imp_uid,
            merchant_uid: self.merchant_uid,
            amount: self.amount,
            status,
        }
    }
}
