//! The gateway in the process, for development and tests: what it does is said by the card's token.
//!
//! Its books stand in the payments' database, so that they outlive the process and the audit can
//! compare them with ours; it writes them by a connection of its own, as another party would.

mod books;

use std::{sync::Arc, time::Duration};

use self::books::{Books, Charge, Entry};
use super::{Found, Gateway, Refund, Status, Unknown, Verdict};
use async_trait::async_trait;
use messages::{Money, Timestamp, payment::Token};
use node::{
    seams::{Clock, Ids},
    store::{Database, DatabaseUrl},
    table::{Kind, Reader, RowError, Value},
};

const ROW: &str = "SELECT gateway_id, merchant_uid, amount, status FROM sandbox_charge";
/// A status of the books.
const PAID: &str = "PAID";
const ROW_KINDS: &[Kind] = &[Kind::Text, Kind::Text, Kind::Integer, Kind::Text];

/// A gateway in the process.
#[derive(Clone)]
pub struct Sandbox {
    database: Database,
    books: Books,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    late_ms: i64,
}

/// The sandbox's database cannot be named.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's books cannot be opened: {0}")]
pub struct SandboxError(String);

impl Sandbox {
    /// A sandbox with its books in this database. A charge of the token `late` is made `late`
    /// after it was asked for.
    ///
    /// # Errors
    /// Where the address cannot be used.
    pub fn new(
        database: Database,
        url: &DatabaseUrl,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        late: Duration,
    ) -> Result<Self, SandboxError> {
        Ok(Self {
            database,
            books: Books::open(url)?,
            clock,
            ids,
            late_ms: i64::try_from(late.as_millis()).unwrap_or(i64::MAX),
        })
    }

    /// A payment that a customer makes by himself, as in the gateway's own window.
    pub async fn pay(&self, merchant_uid: &str, amount: Money) -> Result<Found, Unknown> {
        let now = self.clock.now();
        let charge = Charge {
            gateway_id: format!("sbx_{}", self.ids.uuid(now).simple()),
            merchant_uid: merchant_uid.to_owned(),
            by_card: false,
            amount,
            status: PAID,
            due_at: now,
            created_at: now,
        };
        let gateway_id = charge.gateway_id.clone();
        self.books.write(Entry::Charge(charge)).await?;
        self.one("gateway_id = $1", &gateway_id)
            .await?
            .ok_or_else(|| Unknown("what was just written is gone".into()))
    }

    /// Every payment of a merchant uid that the sandbox knows of by now.
    pub async fn payments(&self, merchant_uid: &str) -> Result<Vec<Found>, Unknown> {
        self.all("merchant_uid = $1", merchant_uid).await
    }

    async fn one(&self, which: &str, key: &str) -> Result<Option<Found>, Unknown> {
        Ok(self.all(which, key).await?.pop())
    }

    /// What is due of the rows that are asked for, those that are paid last.
    async fn all(&self, which: &str, key: &str) -> Result<Vec<Found>, Unknown> {
        let now: Timestamp = self.clock.now();
        let sql = format!(
            "{ROW} WHERE {which} AND due_at <= $2 \
             ORDER BY CASE status WHEN 'PAID' THEN 1 ELSE 0 END, created_at"
        );
        let rows = self
            .database
            .query(sql, &[key.into(), now.into()], ROW_KINDS)
            .await
            .map_err(|error| Unknown(error.to_string()))?;
        rows.into_iter()
            .map(|row| found(row).map_err(|error| Unknown(error.to_string())))
            .collect()
    }
}

#[async_trait]
impl Gateway for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    async fn charge(
        &self,
        merchant_uid: &str,
        amount: Money,
        token: &Token,
    ) -> Result<Vec<Verdict>, Unknown> {
        let gateway_id = format!("sbx_{merchant_uid}");
        let (status, later_ms, answers) = match token.as_str() {
            "approve" => (PAID, 0, 1),
            "twice" => (PAID, 0, 2),
            "late" => (PAID, self.late_ms, 0),
            "timeout" => return std::future::pending().await,
            _ => ("DECLINED", 0, 1),
        };
        let now = self.clock.now();
        let charge = Charge {
            gateway_id: gateway_id.clone(),
            merchant_uid: merchant_uid.to_owned(),
            by_card: true,
            amount,
            status,
            due_at: now.plus_millis(later_ms),
            created_at: now,
        };
        let entered = self.books.write(Entry::Charge(charge)).await?;
        if answers == 0 {
            return std::future::pending().await;
        }
        let charged = if entered {
            Some((gateway_id, amount, status_of(status)))
        } else {
            let before = self.one("gateway_id = $1", &gateway_id).await?;
            before.map(|found| (found.gateway_id, found.amount, found.status))
        };
        let verdict = match charged {
            Some((gateway_id, amount, Status::Paid)) => Verdict::Paid { gateway_id, amount },
            Some((.., Status::Failed { reason })) => Verdict::Declined { reason },
            _ => Verdict::Declined {
                reason: "this merchant uid was used before".to_owned(),
            },
        };
        Ok(vec![verdict; answers])
    }

    async fn find(&self, merchant_uid: &str) -> Result<Option<Found>, Unknown> {
        self.one("merchant_uid = $1", merchant_uid).await
    }

    async fn find_paid(&self, merchant_uid: &str) -> Result<Vec<Found>, Unknown> {
        let mut found = self.payments(merchant_uid).await?;
        found.retain(|found| found.status == Status::Paid);
        Ok(found)
    }

    async fn look_up(&self, gateway_id: &str) -> Result<Option<Found>, Unknown> {
        self.one("gateway_id = $1", gateway_id).await
    }

    async fn refund(&self, gateway_id: &str, amount: Option<Money>) -> Result<Refund, Unknown> {
        let found = self.look_up(gateway_id).await?;
        let refused = |reason: &str| {
            Ok(Refund::Refused {
                reason: reason.to_owned(),
            })
        };
        match found {
            Some(found) if found.status == Status::Cancelled => Ok(Refund::Done),
            Some(found) if found.status == Status::Paid => {
                if amount.is_some_and(|amount| amount != found.amount) {
                    return refused("another amount was paid");
                }
                let cancel = Entry::Cancel(gateway_id.to_owned());
                self.books.write(cancel).await?;
                Ok(Refund::Done)
            }
            _ => refused("there is no such payment"),
        }
    }
}

fn found(row: Vec<Value>) -> Result<Found, RowError> {
    let mut row = Reader::new(row);
    Ok(Found {
        gateway_id: row.text()?,
        merchant_uid: row.text()?,
        amount: Money::new(row.integer()?).ok_or_else(|| RowError("amount".into()))?,
        status: status_of(&row.text()?),
    })
}

/// A status as the books have it.
fn status_of(text: &str) -> Status {
    match text {
        PAID => Status::Paid,
        "CANCELLED" => Status::Cancelled,
        _ => Status::Failed {
            reason: "the card was declined".to_owned(),
        },
    }
}
