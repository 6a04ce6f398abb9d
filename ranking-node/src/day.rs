//! Days in UTC, as the tables have them.

use std::{fmt, str::FromStr};

use messages::{Timestamp, time::TimestampError};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A day in UTC, read and written as in 2026-01-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// The day of a point in time.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.millis().div_euclid(DAY_MS))
    }

    /// The day so many days before.
    #[must_use]
    pub const fn before(self, days: i64) -> Self {
        Self(self.0 - days)
    }
}

impl FromStr for Day {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        format!("{text}T00:00:00.000Z").parse().map(Self::of)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::from_millis(self.0 * DAY_MS).to_string();
        f.write_str(&time[..10])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_and_ends_at_midnight_utc() {
        let day = |text: &str| Day::of(text.parse().expect("a time")).to_string();
        assert_eq!(day("2026-01-31T00:00:00.000Z"), "2026-01-31");
        assert_eq!(day("2026-01-31T23:59:59.999Z"), "2026-01-31");
        assert_eq!(day("2026-02-01T00:30:00.000+09:00"), "2026-01-31");
        let read: Day = "2026-01-31".parse().expect("a day");
        assert_eq!(read.to_string(), "2026-01-31");
        let march = Day::of("2024-03-01T12:00:00.000Z".parse().expect("a time"));
        assert_eq!(march.before(1).to_string(), "2024-02-29");
    }
}
