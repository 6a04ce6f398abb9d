//! Refusals: the business "no". They travel on the wire and are never errors in a log.

use serde::{Deserialize, Serialize};

use crate::{Money, Quantity};

/// Why an entity did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(
    tag = "refusal",
    rename_all = "SCREAMING_SNAKE_CASE",
    rename_all_fields = "camelCase"
)]
pub enum Refusal {
    /// Fewer pieces are left than were asked for.
    #[error("only {available} left, {requested} asked for")]
    InsufficientStock {
        /// How many pieces are left.
        available: i64,
        /// How many pieces were asked for.
        requested: i64,
    },
    /// Fewer points are left than were asked for.
    #[error("only {available} points left, {requested} asked for")]
    InsufficientPoints {
        /// How many points are left.
        available: i64,
        /// How many points were asked for.
        requested: i64,
    },
    /// There is no such coupon.
    #[error("there is no such coupon")]
    CouponNotFound,
    /// The coupon cannot be used for this order.
    #[error("the coupon cannot be used: {reason}")]
    CouponNotUsable {
        /// What stands in the way.
        reason: String,
    },
    /// All of the campaign's coupons are gone.
    #[error("all coupons are gone")]
    CouponExhausted,
    /// The user has one of the campaign's coupons already.
    #[error("the user has this coupon already")]
    CouponAlreadyIssued,
    /// The gateway said no.
    #[error("the payment was declined: {reason}")]
    PaymentDeclined {
        /// What the gateway said.
        reason: String,
    },
    /// The gateway knows the payment with another amount.
    #[error("{paid} was paid where {due} is due")]
    PaymentMismatch {
        /// What had to be paid.
        due: i64,
        /// What was paid.
        paid: i64,
    },
    /// The gateway knows no such payment.
    #[error("there is no such payment")]
    PaymentNotFound,
    /// The payment did not come in time.
    #[error("the payment did not come in time")]
    PaymentExpired,
    /// The product is sold no longer.
    #[error("the product is discontinued")]
    ProductDiscontinued,
    /// There is no such product.
    #[error("there is no such product")]
    ProductNotFound,
    /// There is no such order.
    #[error("there is no such order")]
    OrderNotFound,
    /// The request id was used before, with another body.
    #[error("this idempotency key was used before with another body")]
    RequestMismatch,
    /// The reserve comes after the release that undid it.
    #[error("this request was released before it arrived")]
    AlreadyReleased,
    /// The entity's state does not allow this.
    #[error("{reason}")]
    InvalidState {
        /// What stands in the way.
        reason: String,
    },
    /// A participant could not be reached in time.
    #[error("a participant could not be reached in time")]
    DependencyFailed,
    /// An amount is beyond what can be represented.
    #[error("the amount is too large")]
    AmountTooLarge,
}

impl Refusal {
    /// The code of the REST contract, such as `INSUFFICIENT_STOCK`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InsufficientStock { .. } => "INSUFFICIENT_STOCK",
            Self::InsufficientPoints { .. } => "INSUFFICIENT_POINTS",
            Self::CouponNotFound => "COUPON_NOT_FOUND",
            Self::CouponNotUsable { .. } => "COUPON_NOT_USABLE",
            Self::CouponExhausted => "COUPON_EXHAUSTED",
            Self::CouponAlreadyIssued => "COUPON_ALREADY_ISSUED",
            Self::PaymentDeclined { .. } => "PAYMENT_DECLINED",
            Self::PaymentMismatch { .. } => "PAYMENT_MISMATCH",
            Self::PaymentNotFound => "PAYMENT_NOT_FOUND",
            Self::PaymentExpired => "PAYMENT_EXPIRED",
            Self::ProductDiscontinued => "PRODUCT_DISCONTINUED",
            Self::ProductNotFound => "PRODUCT_NOT_FOUND",
            Self::OrderNotFound => "ORDER_NOT_FOUND",
            Self::RequestMismatch => "REQUEST_MISMATCH",
            Self::AlreadyReleased | Self::InvalidState { .. } => "INVALID_STATE",
            Self::DependencyFailed => "DEPENDENCY_FAILED",
            Self::AmountTooLarge => "VALIDATION_ERROR",
        }
    }

    /// A refusal for want of stock.
    pub fn stock(available: i64, requested: Quantity) -> Self {
        Self::InsufficientStock {
            available,
            requested: i64::from(requested.get()),
        }
    }

    /// A refusal for want of points.
    pub const fn points(available: Money, requested: Money) -> Self {
        Self::InsufficientPoints {
            available: available.get(),
            requested: requested.get(),
        }
    }
}
