//! What can be said to a coupon campaign, and what it says.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    CouponId, Money, OrderId, Refusal, Timestamp, UserId,
    envelope::{self, Body, Empty, unknown},
};

/// What a campaign can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Uses a user's coupon for an order.
    Use(Use),
    /// Gives back the coupon that the use of the same order and attempt took.
    Restore(Restore),
    /// Makes the campaign.
    Create(Create),
    /// Issues the next coupon.
    Issue(Issue),
    /// Reads the campaign.
    Get,
}

/// Uses a user's coupon for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// What the order costs before anything is taken off.
    pub subtotal: Money,
}

/// Gives back what was used under the counterpart of this request id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// The order that had used it.
    pub order_id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
}

/// Makes a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Create {
    /// Its name, 1 to 200 characters.
    pub name: String,
    /// What a coupon takes off.
    pub discount: Discount,
    /// What an order must cost at least.
    #[serde(default)]
    pub minimum_amount: Money,
    /// How many coupons there are.
    pub quantity: u32,
    /// From when on its coupons can be used; from the beginning where not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Up to when, that moment excluded; for ever where not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

/// What a coupon takes off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discount {
    /// What the value is.
    pub kind: DiscountKind,
    /// An amount, or 1 to 100 percent.
    pub value: i64,
    /// What is taken off at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Money>,
}

/// How a discount is reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DiscountKind {
    /// The same amount off every order.
    Fixed,
    /// A share of what the order costs, rounded down.
    Percent,
}

impl DiscountKind {
    /// The word in answers and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "FIXED",
            Self::Percent => "PERCENT",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Fixed, Self::Percent]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The largest value that a discount of this kind has; the smallest is 1.
    pub const fn value_max(self) -> i64 {
        match self {
            Self::Fixed => Money::MAX.get(),
            Self::Percent => 100,
        }
    }
}

impl Discount {
    /// Whether its value is one of its kind.
    pub fn is_valid(&self) -> bool {
        (1..=self.kind.value_max()).contains(&self.value)
    }

    /// What it takes off by itself, of an order that costs so much: a fixed amount may be more.
    pub fn of(&self, subtotal: Money) -> Money {
        let off = match self.kind {
            DiscountKind::Fixed => i128::from(self.value),
            DiscountKind::Percent => i128::from(subtotal.get()) * i128::from(self.value) / 100,
        };
        let off = i64::try_from(off).ok().and_then(Money::new);
        let off = off.unwrap_or(Money::MAX);
        self.maximum.map_or(off, |maximum| off.min(maximum))
    }
}

/// Issues the campaign's next coupon to a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// Who gets it.
    pub user_id: UserId,
    /// Whether the request id is a caller's key, by which a repeat is known. Where not, nothing
    /// is looked up: a campaign that is exhausted answers from memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keyed: bool,
}

/// What a campaign answers when it did as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The coupon is used for the order.
    Used(Used),
    /// The coupon is given back, or was never used.
    Restored,
    /// A coupon was issued.
    Issued(Issued),
    /// The campaign as it stands.
    Campaign(View),
}

/// A coupon used for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// What it takes off by itself; what is left to pay may be less.
    pub discount: Money,
}

/// A coupon that was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// The campaign.
    pub coupon_id: CouponId,
    /// Who has it.
    pub user_id: UserId,
    /// Its number, counted from 1 in the order of arrival.
    pub number: u32,
}

/// A campaign as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its id.
    pub id: CouponId,
    /// Its name.
    pub name: String,
    /// What a coupon takes off.
    pub discount: Discount,
    /// What an order must cost at least.
    pub minimum_amount: Money,
    /// How many coupons there are.
    pub quantity: u32,
    /// How many of them are issued.
    pub issued: u32,
    /// From when on its coupons can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Up to when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The body of `event.coupon.issued`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CouponIssued {
    /// The campaign.
    pub coupon_id: CouponId,
    /// Its name.
    pub name: String,
    /// Who has the coupon.
    pub user_id: UserId,
    /// The coupon's number.
    pub number: u32,
    /// How many are left.
    pub remaining: u32,
}

/// The body of `event.coupon.used` and `event.coupon.restored`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CouponMoved {
    /// The campaign.
    pub coupon_id: CouponId,
    /// Its name.
    pub name: String,
    /// Whose coupon.
    pub user_id: UserId,
    /// The coupon's number.
    pub number: u32,
    /// The order that it was used for.
    pub order_id: OrderId,
    /// The request that used it or gave it back.
    pub request_id: String,
    /// What the order costs before anything is taken off.
    pub subtotal: Money,
    /// What the coupon takes off by itself.
    pub discount: Money,
}

impl Body for Command {
    fn kind(&self) -> &'static str {
        match self {
            Self::Use(_) => "coupon.use",
            Self::Restore(_) => "coupon.restore",
            Self::Create(_) => "coupon.create",
            Self::Issue(_) => "coupon.issue",
            Self::Get => "coupon.get",
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Use(body) => body.serialize(serializer),
            Self::Restore(body) => body.serialize(serializer),
            Self::Create(body) => body.serialize(serializer),
            Self::Issue(body) => body.serialize(serializer),
            Self::Get => Empty {}.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Ok(Some(match kind {
            "coupon.use" => Self::Use(Use::deserialize(deserializer)?),
            "coupon.restore" => Self::Restore(Restore::deserialize(deserializer)?),
            "coupon.create" => Self::Create(Create::deserialize(deserializer)?),
            "coupon.issue" => Self::Issue(Issue::deserialize(deserializer)?),
            "coupon.get" => {
                Empty::deserialize(deserializer)?;
                Self::Get
            }
            _ => return unknown(deserializer),
        }))
    }
}

/// A campaign's answer: what it did, or why it did not.
pub type Answer = Result<Reply, Refusal>;

impl envelope::Reply for Reply {
    const REFUSED: &'static str = "coupon.refused";
}

impl Body for Reply {
    fn kind(&self) -> &'static str {
        match self {
            Self::Used(_) => "coupon.used",
            Self::Restored => "coupon.restored",
            Self::Issued(_) => "coupon.issued",
            Self::Campaign(_) => "coupon.campaign",
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Used(body) => body.serialize(serializer),
            Self::Restored => Empty {}.serialize(serializer),
            Self::Issued(body) => body.serialize(serializer),
            Self::Campaign(body) => body.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        Ok(Some(match kind {
            "coupon.used" => Self::Used(Used::deserialize(deserializer)?),
            "coupon.restored" => {
                Empty::deserialize(deserializer)?;
                Self::Restored
            }
            "coupon.issued" => Self::Issued(Issued::deserialize(deserializer)?),
            "coupon.campaign" => Self::Campaign(View::deserialize(deserializer)?),
            _ => return unknown(deserializer),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: i64) -> Money {
        Money::new(amount).expect("an amount")
    }

    #[test]
    fn a_percentage_is_rounded_down_and_capped() {
        let percent = |value, maximum| Discount {
            kind: DiscountKind::Percent,
            value,
            maximum,
        };
        for (value, maximum, subtotal, off) in [
            (10, None, 39_999, 3_999),
            (100, None, 39_999, 39_999),
            (1, None, 99, 0),
            (50, Some(money(5_000)), 9_998, 4_999),
            (50, Some(money(5_000)), 39_000, 5_000),
            (100, None, Money::MAX.get(), Money::MAX.get()),
        ] {
            let discount = percent(value, maximum);
            assert_eq!(discount.of(money(subtotal)), money(off), "{discount:?}");
        }
        assert!(percent(100, None).is_valid());
        assert!(!percent(101, None).is_valid() && !percent(0, None).is_valid());
    }

    #[test]
    fn a_fixed_discount_is_the_same_for_every_order() {
        let fixed = |value, maximum| Discount {
            kind: DiscountKind::Fixed,
            value,
            maximum,
        };
        assert_eq!(fixed(3_000, None).of(money(1_000)), money(3_000));
        assert_eq!(fixed(3_000, Some(money(2_000))).of(money(9)), money(2_000));
        assert!(fixed(Money::MAX.get(), None).is_valid());
        assert!(!fixed(0, None).is_valid() && !fixed(-1, None).is_valid());
    }
}
