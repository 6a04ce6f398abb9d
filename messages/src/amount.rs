//! Amounts: money in the currency's minor unit, and quantities of pieces.

use std::{fmt, ops::RangeInclusive};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};

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
        let amount = Whole {
            unit: "the currency's minor unit",
            range: 0..=Self::MAX.0,
        };
        deserializer.deserialize_i64(amount).map(Self)
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
        let pieces = Whole {
            unit: "pieces",
            range: 1..=Self::MAX,
        };
        deserializer.deserialize_u32(pieces).map(Self)
    }
}

/// Reads a whole number in a range, and says which one where something else stands.
struct Whole<T> {
    unit: &'static str,
    range: RangeInclusive<T>,
}

impl<T: Copy + PartialOrd + fmt::Display + TryFrom<i64>> Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, least, most) = (self.unit, self.range.start(), self.range.end());
        write!(f, "a whole number from {least} to {most} ({unit})")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::try_from(number)
            .ok()
            .filter(|number| self.range.contains(number))
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
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
    }

    #[test]
    fn what_is_no_amount_is_told_what_one_is() {
        for (text, found) in [
            ("-1", "invalid value: integer `-1`"),
            ("0", "invalid value: integer `0`"),
            ("1000001", "invalid value: integer `1000001`"),
            (
                "18446744073709551615",
                "invalid value: integer `18446744073709551615`",
            ),
            ("1.5", "invalid type: floating point `1.5`"),
            ("\"3\"", "invalid type: string \"3\""),
            ("null", "invalid type: null"),
        ] {
            let told = serde_json::from_str::<Quantity>(text)
                .expect_err(text)
                .to_string();
            let expected = format!("{found}, expected a whole number from 1 to 1000000 (pieces)");
            assert!(told.starts_with(&expected), "{text}: {told}");
        }
        let told = serde_json::from_str::<Money>("-5")
            .expect_err("a debt")
            .to_string();
        assert!(
            told.contains("a whole number from 0 to 9007199254740991 (the currency's minor unit)"),
            "{told}"
        );
        assert_eq!(
            serde_json::from_str::<Money>("9007199254740991").ok(),
            Some(Money::MAX)
        );
        assert_eq!(
            serde_json::from_str::<Quantity>("1000000").ok(),
            Quantity::new(Quantity::MAX)
        );
    }
}
