//! Points at which a test has the process die at once, as if the power had gone.
//!
//! `ONHAND_FAILPOINT=order.committed=abort@3` has it die the third time that the orders' journal has
//! committed. Only builds with debug assertions have them: in a release nothing of this is there,
//! and the variable means nothing.

use std::{fmt, str::FromStr};

/// Where a process may die, in the order of a command's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// What is owed was read from the database, and nothing of it was sent.
    Recovered,
    /// An envelope was read from the stream, and not handed on.
    Received,
    /// The ledger was asked, and nothing was decided.
    LookedUp,
    /// An actor decided, and nobody was told.
    Decided,
    /// A batch is put together, and nothing of it was written.
    Committing,
    /// A transaction has written all its rows, and is not committed.
    Written,
    /// A batch is committed, and nothing of it has left.
    Committed,
    /// Who asked was answered; commands and events that follow were not handed on.
    Answered,
    /// A message is about to be published.
    Sending,
    /// The broker has a message, and nobody here knows.
    Sent,
    /// An event is about to be published.
    Telling,
    /// The broker has an event, and nobody here knows.
    Told,
    /// The outside is about to be asked.
    Calling,
    /// The outside has answered, and nobody was told.
    Called,
}

/// The scope of the points that lie where a process no longer knows for which service: of these
/// [`Point::Written`], [`Point::Sending`] and [`Point::Sent`].
pub const PROCESS: &str = "process";

impl Point {
    /// Those that every service with entities passes, in its own scope.
    pub const OF_SERVICES: [Self; 9] = [
        Self::Recovered,
        Self::Received,
        Self::LookedUp,
        Self::Decided,
        Self::Committing,
        Self::Committed,
        Self::Answered,
        Self::Telling,
        Self::Told,
    ];
    /// Those in the scope [`PROCESS`].
    pub const OF_PROCESSES: [Self; 3] = [Self::Written, Self::Sending, Self::Sent];
    /// Those that a service which asks the outside passes besides.
    pub const OF_CALLERS: [Self; 2] = [Self::Calling, Self::Called];
    /// Those that a reader of events passes.
    pub const OF_READERS: [Self; 2] = [Self::Committing, Self::Committed];
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recovered => "recovered",
            Self::Received => "received",
            Self::LookedUp => "looked-up",
            Self::Decided => "decided",
            Self::Committing => "committing",
            Self::Written => "written",
            Self::Committed => "committed",
            Self::Answered => "answered",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Telling => "telling",
            Self::Told => "told",
            Self::Calling => "calling",
            Self::Called => "called",
        })
    }
}

/// The death of a process: where, and at the how many-eth time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The service, reader of events, or [`PROCESS`].
    pub scope: String,
    /// The point.
    pub point: Point,
    /// At which time, counted from 1.
    pub time: u32,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, point, time } = self;
        write!(f, "{scope}.{point}=abort@{time}")
    }
}

/// A text that names no death.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not of the form order.committed=abort@3")]
pub struct DeathError(String);

impl FromStr for Death {
    type Err = DeathError;

    fn from_str(text: &str) -> Result<Self, DeathError> {
        let parse = || {
            let (place, action) = text.split_once('=')?;
            let (scope, point) = place.split_once('.')?;
            let groups: [&[Point]; 3] = [
                &Point::OF_SERVICES,
                &Point::OF_PROCESSES,
                &Point::OF_CALLERS,
            ];
            let mut points = groups.into_iter().flatten().copied();
            Some(Self {
                scope: scope.to_owned(),
                point: points.find(|known| known.to_string() == point)?,
                time: action.strip_prefix("abort@")?.parse().ok()?,
            })
        };
        parse().ok_or_else(|| DeathError(text.to_owned()))
    }
}

/// Dies here, where `ONHAND_FAILPOINT` says so.
#[cfg(debug_assertions)]
pub(crate) fn reach(scope: &str, point: Point) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };

    static DEATH: LazyLock<Option<Death>> = LazyLock::new(|| {
        let text = std::env::var("ONHAND_FAILPOINT").ok()?;
        Some(text.parse().unwrap_or_else(|error| {
            eprintln!("ONHAND_FAILPOINT: {error}");
            std::process::exit(2)
        }))
    });
    static REACHED: AtomicU32 = AtomicU32::new(0);

    if let Some(death) = &*DEATH
        && death.scope == scope
        && death.point == point
        && REACHED.fetch_add(1, Ordering::AcqRel) + 1 == death.time
    {
        eprintln!("dying at {death}");
        std::process::abort();
    }
}

/// Nothing: a release has no such points.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) const fn reach(_: &str, _: Point) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_read_as_it_is_written() {
        for point in Point::OF_SERVICES {
            let death = Death {
                scope: "order".into(),
                point,
                time: 3,
            };
            assert_eq!(death.to_string().parse(), Ok(death));
        }
        for text in [
            "",
            "order",
            "order.nowhere=abort@1",
            "order.sent=abort",
            "order.sent=panic@1",
        ] {
            assert!(text.parse::<Death>().is_err(), "{text}");
        }
    }
}
