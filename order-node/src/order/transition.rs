//! Every legal transition of an order and of what it holds: two exhaustive functions, which
//! deciding and applying share, so that live running and recovery cannot drift apart.

use messages::order::Status;
use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its saga runs.
    Pending,
    /// Everything is held.
    Confirmed,
    /// It was confirmed, and is being undone. What may refuse comes first; behind that it only
    /// goes forward.
    Cancelling,
    /// It was refused or given up; what was taken is given back or on its way.
    Failed,
    /// It was confirmed, and everything is given back.
    Cancelled,
}

/// What moves an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// Everything is held.
    Confirm,
    /// A step was refused, or the deadline has passed.
    Fail,
    /// The customer cancels.
    Cancel,
    /// What comes first in a cancel is not given back.
    Keep,
    /// Everything is given back.
    Undone,
    /// The customer tries again.
    Retry,
}

impl Phase {
    /// Where a move leads from here; `None` where it is not legal.
    pub(crate) const fn after(self, step: Move) -> Option<Self> {
        match (self, step) {
            (Self::Pending, Move::Confirm) | (Self::Cancelling, Move::Keep) => {
                Some(Self::Confirmed)
            }
            (Self::Pending, Move::Fail) => Some(Self::Failed),
            (Self::Confirmed, Move::Cancel) => Some(Self::Cancelling),
            (Self::Cancelling, Move::Undone) => Some(Self::Cancelled),
            (Self::Failed, Move::Retry) => Some(Self::Pending),
            (Self::Pending, Move::Cancel | Move::Keep | Move::Undone | Move::Retry)
            | (
                Self::Confirmed,
                Move::Confirm | Move::Fail | Move::Keep | Move::Undone | Move::Retry,
            )
            | (Self::Cancelling, Move::Confirm | Move::Fail | Move::Cancel | Move::Retry)
            | (
                Self::Failed,
                Move::Confirm | Move::Fail | Move::Cancel | Move::Keep | Move::Undone,
            )
            | (Self::Cancelled, _) => None,
        }
    }

    /// The status that a reader sees.
    pub(crate) const fn status(self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Confirmed | Self::Cancelling => Status::Confirmed,
            Self::Failed => Status::Failed,
            Self::Cancelled => Status::Cancelled,
        }
    }

    /// The phase that reads as this status.
    pub(crate) const fn of(status: Status, cancelling: bool) -> Option<Self> {
        match (status, cancelling) {
            (Status::Pending, false) => Some(Self::Pending),
            (Status::Confirmed, false) => Some(Self::Confirmed),
            (Status::Confirmed, true) => Some(Self::Cancelling),
            (Status::Failed, false) => Some(Self::Failed),
            (Status::Cancelled, false) => Some(Self::Cancelled),
            (Status::Pending | Status::Failed | Status::Cancelled, true) => None,
        }
    }
}

/// Where the reservation of one part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Hold {
    /// It was asked for, and no answer is known.
    Asked,
    /// It is taken.
    Held,
    /// It was refused, and no copy of what asked for it is under way.
    Refused,
    /// It is to be given back, whether it was taken or not.
    Releasing,
    /// It is given back, or can never be taken any more.
    Released,
    /// It is taken, and whoever has it would not give it back.
    Kept,
}

/// What moves a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The order asks for it anew, under the same id.
    Asked,
    /// The reserve was accepted.
    Accepted,
    /// The reserve was refused; `resent` where another copy of it may still be accepted.
    Refused {
        /// Whether it may have been sent more than once.
        resent: bool,
    },
    /// The order does not want it any more.
    Unwanted,
    /// The release was answered.
    GivenBack,
    /// The release was refused, by one who may.
    Kept,
}

impl Hold {
    /// Where this leads; `None` where it changes nothing.
    pub(crate) const fn after(self, heard: Heard) -> Option<Self> {
        match (self, heard) {
            (Self::Refused, Heard::Asked) => Some(Self::Asked),
            (Self::Asked, Heard::Accepted) => Some(Self::Held),
            (Self::Asked, Heard::Refused { resent: false }) => Some(Self::Refused),
            // A copy may be accepted after a restock, and its answer lost: only a release ends it.
            (Self::Asked, Heard::Refused { resent: true })
            | (Self::Asked | Self::Held | Self::Kept, Heard::Unwanted)
            // A refusal was followed by the acceptance of a copy that nobody wants any more.
            | (Self::Refused, Heard::Accepted) => Some(Self::Releasing),
            // What was refused once may be done by a copy of the same request.
            (Self::Releasing | Self::Kept, Heard::GivenBack) => Some(Self::Released),
            (Self::Releasing, Heard::Kept) => Some(Self::Kept),
            (Self::Asked, Heard::Asked | Heard::GivenBack | Heard::Kept)
            | (
                Self::Held,
                Heard::Asked
                | Heard::Accepted
                | Heard::Refused { .. }
                | Heard::GivenBack
                | Heard::Kept,
            )
            | (
                Self::Refused,
                Heard::Refused { .. } | Heard::Unwanted | Heard::GivenBack | Heard::Kept,
            )
            | (
                Self::Releasing,
                Heard::Asked | Heard::Accepted | Heard::Refused { .. } | Heard::Unwanted,
            )
            | (Self::Kept, Heard::Asked | Heard::Accepted | Heard::Refused { .. } | Heard::Kept)
            | (Self::Released, _) => None,
        }
    }
}
