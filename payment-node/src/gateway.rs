//! Gateways: who takes the money, and gives it back.
//!
//! What one must promise: a merchant uid is charged at most once, however often that is asked for,
//! and giving back what was given back changes nothing. What it need not: to answer, or to answer
//! in time. Read next: [`sandbox`], which needs no network, and [`portone`].

pub mod portone;
pub mod sandbox;

use async_trait::async_trait;
use messages::{Money, payment::Token};

/// Nobody knows what the gateway did: it may be asked again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(pub String);

/// What a gateway says to a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has the money.
    Paid {
        /// Its id of the payment.
        gateway_id: String,
        /// How much it took.
        amount: Money,
    },
    /// It will not take it.
    Declined {
        /// Why, in its words.
        reason: String,
    },
}

/// A payment as a gateway knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub gateway_id: String,
    /// What it was made under.
    pub merchant_uid: String,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub status: Status,
}

/// Where a payment stands at a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Begun, and not paid yet.
    Ready,
    /// Paid.
    Paid,
    /// Given back.
    Cancelled,
    /// Not paid, and never to be.
    Failed {
        /// Why, in the gateway's words.
        reason: String,
    },
}

/// What a gateway says to giving a payment back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refund {
    /// It is given back, now or before.
    Done,
    /// It will not give it back.
    Refused {
        /// Why, in its words.
        reason: String,
    },
}

/// Who takes the money.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Its name in answers and events.
    fn name(&self) -> &'static str;

    /// Takes money from a card. A gateway may say its verdict more than once.
    async fn charge(
        &self,
        merchant_uid: &str,
        amount: Money,
        token: &Token,
    ) -> Result<Vec<Verdict>, Unknown>;

    /// The payment of a merchant uid: the one that is paid, where there are several.
    async fn find(&self, merchant_uid: &str) -> Result<Option<Found>, Unknown>;

    /// All that is paid under a merchant uid: a customer may pay by himself more often than he is to.
    async fn find_paid(&self, merchant_uid: &str) -> Result<Vec<Found>, Unknown>;

    /// The payment of this id.
    async fn look_up(&self, gateway_id: &str) -> Result<Option<Found>, Unknown>;

    /// Gives all of a payment back; where the amount is known, only if that is what it took.
    async fn refund(&self, gateway_id: &str, amount: Option<Money>) -> Result<Refund, Unknown>;
}
