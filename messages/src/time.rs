//! Points in time: milliseconds since 1970 in UTC, written as RFC 3339 with three decimals.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error("must be a time as RFC 3339 has it, such as 2026-01-31T12:00:00.000Z")]
pub struct TimestampError;

impl Timestamp {
    /// Takes milliseconds since 1970, kept between 1970 and the last days of 9999, where jiff ends.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, 253_402_207_200_000))
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This time and so many milliseconds more (or fewer).
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }
}

/// The text of a time. Every message and row holds some, so that it is made without `fmt`.
struct Text([u8; 24]);

impl Text {
    fn of(time: Timestamp) -> Self {
        let time = jiff::Timestamp::from_millisecond(time.0).expect("kept within 1970 to 9999");
        let time = jiff::tz::Offset::UTC.to_datetime(time);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        digits(&mut text[0..4], time.year());
        digits(&mut text[5..7], time.month().into());
        digits(&mut text[8..10], time.day().into());
        digits(&mut text[11..13], time.hour().into());
        digits(&mut text[14..16], time.minute().into());
        digits(&mut text[17..19], time.second().into());
        digits(&mut text[20..23], time.millisecond());
        Self(text)
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

/// Writes a number into its place, the last digit last.
fn digits(place: &mut [u8], mut number: i16) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit of a positive number");
        number /= 10;
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        Text::of(time).as_str().to_owned()
    }
}
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Text::of(*self).as_str())
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
        Ok(Self::from_millis(time.as_millisecond()))
    }
}
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Text::of(*self).as_str())
    }
}
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer, str::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_as_it_was_written() {
        let time = Timestamp::from_millis(1_763_700_000_007);
        assert_eq!(time.to_string(), "2025-11-21T04:40:00.007Z");
        assert_eq!(time.to_string().parse::<Timestamp>().expect("a time"), time);
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn a_time_is_written_with_every_digit_at_its_place() {
        let written = |millis| Timestamp::from_millis(millis).to_string();
        assert_eq!(written(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(1_709_210_096_789), "2024-02-29T12:34:56.789Z");
        assert_eq!(written(i64::MAX), "9999-12-30T22:00:00.000Z");
    }
}
