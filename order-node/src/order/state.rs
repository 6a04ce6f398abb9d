//! What an order knows of itself.

use messages::{
    EntityId, Money, OrderId, ProductId, Quantity, Refusal, Timestamp, UserId,
    order::{LineView, Reply, Step, View},
};
use serde::{Deserialize, Serialize};

use super::{
    part::Part,
    transition::Phase,
    wish::{Payment, Wish},
};
use crate::plan::{self, Next};

/// An order that was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) id: OrderId,
    pub(crate) code: String,
    pub(crate) buyer_id: UserId,
    pub(crate) phase: Phase,
    /// Why it fails or failed; while it is pending, the refusal of the first part so far; once it
    /// is confirmed, why it could not be cancelled.
    pub(crate) failure: Option<Failure>,
    /// Counts from 1; a retry is the next.
    pub(crate) attempt: u32,
    pub(crate) wish: Wish,
    pub(crate) lines: Vec<Line>,
    /// How much is paid by points, once they are held in the present attempt.
    pub(crate) points_used: Option<Money>,
    /// What the coupon takes off, likewise.
    pub(crate) discount: Option<Money>,
    /// What it asked for, attempt by attempt and step by step.
    pub(crate) parts: Vec<Part>,
    pub(crate) traceparent: Option<String>,
    pub(crate) deadline_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// One line, and what the product said of it in the present attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: Quantity,
    pub(crate) name: Option<String>,
    pub(crate) unit_price: Option<Money>,
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

/// What an order costs, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) subtotal: Option<Money>,
    pub(crate) points_used: Option<Money>,
    pub(crate) discount: Option<Money>,
    pub(crate) amount_due: Option<Money>,
}

impl State {
    /// The order as a reader sees it.
    pub(crate) fn view(&self) -> View {
        let amounts = self.amounts();
        View {
            id: self.id,
            code: self.code.clone(),
            buyer_id: self.buyer_id.clone(),
            items: self.lines.iter().map(Line::view).collect(),
            status: self.phase.status(),
            fail_reason: self.fail_reason(),
            subtotal: amounts.subtotal,
            discount: amounts.discount,
            points_used: amounts.points_used,
            amount_due: amounts.amount_due,
            cancelling: self.phase == Phase::Cancelling,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// What the order answers: itself as it stands, and the refusal that made it so.
    pub(crate) fn reply(&self) -> Reply {
        Reply {
            order: self.view(),
            refusal: self.reason().cloned(),
        }
    }

    /// The code of the refusal that a reader is told.
    pub(super) fn fail_reason(&self) -> Option<String> {
        self.reason().map(|refusal| refusal.code().to_owned())
    }

    /// The refusal that a reader is told.
    fn reason(&self) -> Option<&Refusal> {
        let failure = self.failure.as_ref().map(|failure| &failure.refusal);
        match self.phase {
            Phase::Failed | Phase::Confirmed => failure,
            // What the gateway did not know may be named again.
            Phase::Pending if self.waits() => failure,
            // Another line may still say no, and the first line's word counts.
            Phase::Pending | Phase::Cancelling | Phase::Cancelled => None,
        }
    }

    /// What it costs, as far as it is known: nothing before every line is priced, and nothing
    /// beyond [`Money::MAX`].
    pub(crate) fn amounts(&self) -> Amounts {
        let Some(subtotal) = self.subtotal() else {
            return Amounts::default();
        };
        let points_used = match self.wish.points.map(|points| points.min(subtotal)) {
            None | Some(Money::ZERO) => Some(Money::ZERO),
            Some(_) => self.points_used,
        };
        let discount = match self.wish.coupon_id {
            None => Some(Money::ZERO),
            Some(_) => self.discount,
        };
        let left = points_used.and_then(|points| subtotal.minus(points));
        Amounts {
            subtotal: Some(subtotal),
            points_used,
            discount,
            amount_due: left.and_then(|left| left.minus(discount?)),
        }
    }

    /// Whether everything else is held, and it waits for a payment that is made outside.
    pub(crate) fn waits(&self) -> bool {
        matches!(
            self.wish.payment,
            Some(Payment::External { imp_uid: None, .. })
        ) && matches!(plan::next(self), Next::Wait)
    }

    /// When a pending order is given up.
    pub(crate) fn due_at(&self) -> Timestamp {
        match &self.wish.payment {
            Some(Payment::External { until, .. }) if self.waits() => *until,
            _ => self.deadline_at,
        }
    }

    /// What the lines cost, once each is priced; `None` also beyond [`Money::MAX`].
    pub(crate) fn subtotal(&self) -> Option<Money> {
        let mut subtotal = Money::ZERO;
        for line in &self.lines {
            subtotal = subtotal.plus(line.amount()?)?;
        }
        Some(subtotal)
    }

    /// The part of this step, entity and attempt, where it was asked for.
    pub(crate) fn part(&self, step: Step, entity: &EntityId, attempt: u32) -> Option<&Part> {
        let mut parts = self.parts.iter();
        parts.find(|part| part.is(step, entity, attempt))
    }

    /// The number of the line of the product that is this entity.
    pub(crate) fn line_of(&self, entity: &EntityId) -> Option<usize> {
        let product: ProductId = entity.as_str().parse().ok()?;
        let mut lines = self.lines.iter();
        lines.position(|line| line.product_id == product)
    }
}

impl Line {
    /// A line of which nothing is known but what is wanted.
    pub(crate) const fn new(product_id: ProductId, quantity: Quantity) -> Self {
        Self {
            product_id,
            quantity,
            name: None,
            unit_price: None,
        }
    }

    /// What the line costs, once its price is known; `None` also beyond [`Money::MAX`].
    fn amount(&self) -> Option<Money> {
        self.unit_price?.times(self.quantity)
    }

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
