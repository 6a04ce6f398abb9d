//! What an order knows of itself.

use messages::{
    Money, OrderId, ProductId, Quantity, Refusal, Timestamp, UserId,
    order::{LineView, Reply, View},
};
use serde::{Deserialize, Serialize};

use super::transition::{Hold, Phase};

/// An order that was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) id: OrderId,
    pub(crate) code: String,
    pub(crate) buyer_id: UserId,
    pub(crate) phase: Phase,
    /// Why it fails or failed; while it is pending, the refusal of the first line so far.
    pub(crate) failure: Option<Failure>,
    /// Counts from 1; a retry is the next.
    pub(crate) attempt: u32,
    pub(crate) amounts: Option<Amounts>,
    pub(crate) strays: Vec<Stray>,
    pub(crate) traceparent: Option<String>,
    pub(crate) deadline_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) lines: Vec<Line>,
}

/// One line, and where its reservation stands in the present attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: Quantity,
    pub(crate) name: Option<String>,
    pub(crate) unit_price: Option<Money>,
    pub(crate) hold: Hold,
}

/// Why an order fails, and which line said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u32>,
    #[serde(flatten)]
    pub(crate) refusal: Refusal,
}

/// What an order costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) subtotal: Money,
    pub(crate) discount: Money,
    pub(crate) points_used: Money,
    pub(crate) amount_due: Money,
}

/// An acceptance of an earlier attempt that came when nobody waited for it.
///
/// Kept when it is given back, so that another copy of the same acceptance is known as such.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stray {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: Quantity,
    pub(crate) attempt: u32,
    pub(crate) released: bool,
}

impl Stray {
    pub(crate) fn hold(&self) -> Hold {
        if self.released {
            Hold::Released
        } else {
            Hold::Releasing
        }
    }
}

impl Line {
    /// What the line costs, once its price is known; `None` also beyond [`Money::MAX`].
    fn amount(&self) -> Option<Money> {
        self.unit_price?.times(self.quantity)
    }
}

impl State {
    /// The order as a reader sees it.
    pub(crate) fn view(&self) -> View {
        let failed = (self.phase == Phase::Failed).then_some(&self.failure);
        let reason = failed.and_then(Option::as_ref).map(|f| f.refusal.code());
        View {
            id: self.id,
            code: self.code.clone(),
            buyer_id: self.buyer_id.clone(),
            items: self.lines.iter().map(Line::view).collect(),
            status: self.phase.status(),
            fail_reason: reason.map(str::to_owned),
            subtotal: self.amounts.map(|a| a.subtotal),
            discount: self.amounts.map(|a| a.discount),
            points_used: self.amounts.map(|a| a.points_used),
            amount_due: self.amounts.map(|a| a.amount_due),
            cancelling: self.phase == Phase::Cancelling,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// What the order answers: itself as it stands, and why it failed where it did.
    pub(crate) fn reply(&self) -> Reply {
        let failed = self.phase == Phase::Failed;
        Reply {
            order: self.view(),
            refusal: self
                .failure
                .as_ref()
                .filter(|_| failed)
                .map(|failure| failure.refusal.clone()),
        }
    }

    /// What the order costs, once every line is held; `None` beyond [`Money::MAX`].
    pub(crate) fn costs(&self) -> Option<Amounts> {
        let mut subtotal = Money::ZERO;
        for line in &self.lines {
            subtotal = subtotal.plus(line.amount()?)?;
        }
        Some(Amounts {
            subtotal,
            discount: Money::ZERO,
            points_used: Money::ZERO,
            amount_due: subtotal,
        })
    }
}

impl Line {
    fn view(&self) -> LineView {
        LineView {
            product_id: self.product_id,
            name: self.name.clone(),
            unit_price: self.unit_price,
            quantity: self.quantity,
            amount: self.amount(),
        }
    }
}
