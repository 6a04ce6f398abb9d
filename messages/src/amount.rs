//! Amounts: money in the currency's minor unit, and quantities of pieces.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// An amount in the currency's minor unit (won, cents), never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount: 2^53 − 1, the largest integer that every JSON reader keeps exactly.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Takes 0 to [`Money::MAX`].
    pub const fn new(minor_units: i64) -> Option<Self> {
        if minor_units >= 0 && minor_units <= Self::MAX.0 {
            Some(Self(minor_units))
        } else {
            None
        }
    }

    /// The amount in minor units.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, or `None` above [`Money::MAX`].
    pub const fn plus(self, other: Self) -> Option<Self> {
        Self::new(self.0 + other.0)
    }

    /// What is left, or `None` below nothing.
    pub const fn minus(self, other: Self) -> Option<Self> {
        Self::new(self.0 - other.0)
    }

    /// The price of `quantity` pieces, or `None` above [`Money::MAX`].
    pub const fn times(self, quantity: Quantity) -> Option<Self> {
        match self.0.checked_mul(quantity.0 as i64) {
            Some(product) => Self::new(product),
            None => None,
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(i64::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("an amount is 0 to 9007199254740991"))
    }
}

/// A number of pieces, at least 1 and at most 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Quantity(u32);

impl Quantity {
    /// The largest quantity of one line.
    pub const MAX: u32 = 1_000_000;

    /// Takes 1 to [`Quantity::MAX`].
    pub const fn new(pieces: u32) -> Option<Self> {
        if pieces >= 1 && pieces <= Self::MAX {
            Some(Self(pieces))
        } else {
            None
        }
    }

    /// The number of pieces.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u32::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("a quantity is 1 to 1000000"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_and_quantities_refuse_what_they_cannot_hold() {
        assert_eq!(Money::new(-1), None);
        assert_eq!(Money::MAX.plus(Money(1)), None);
        assert_eq!(Money::MAX.times(Quantity(2)), None);
        assert_eq!(Money(1).minus(Money(2)), None);
        assert_eq!(Money(3).minus(Money(2)), Money::new(1));
        assert_eq!(Money(3).times(Quantity(2)), Money::new(6));
        assert_eq!((Quantity::new(0), Quantity::new(1_000_001)), (None, None));
        assert!(serde_json::from_str::<Quantity>("-1").is_err());
        assert!(serde_json::from_str::<Quantity>("1.5").is_err());
    }
}
