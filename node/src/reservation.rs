//! What every participant decides alike: whether a reserve takes, and what a release undoes.
//!
//! Decided from what the ledger knows of the request and its counterpart alone, so that no state
//! keeps ids. A release undoes exactly its reserve; one that comes first leaves a *tombstone*, a
//! ledger row under the reserve's own request id, so that the reserve that comes late is refused.
//! Read next: [`crate::entity::Prior`], which says where that knowledge comes from.

use messages::{Refusal, RequestId};

use crate::entity::Prior;

/// What a change in the ledger means to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It took this much.
    Taken(i64),
    /// It closed a reserve of this much before that came.
    Tombstone(i64),
    /// It is no reserve.
    Other,
}

/// What a reserve that is not refused does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// It takes, if the participant has enough.
    Take,
    /// It changes nothing: the first answer is given again.
    Repeat,
}

/// What a release that is not refused does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It gives back what its reserve took.
    Undo,
    /// It changes nothing: the first answer is given again.
    Repeat,
    /// Its reserve never came: it leaves a tombstone, recorded under [`closes`].
    Bury,
}

/// Decides a reserve; `effect` says what the change that the ledger knows means.
///
/// # Errors
/// [`Refusal::AlreadyReleased`] after its release, [`Refusal::RequestMismatch`] where the request
/// id belongs to something else.
pub fn reserve<C>(
    prior: Prior<'_, C>,
    effect: impl FnOnce(&C) -> Effect,
) -> Result<Reserve, Refusal> {
    match prior {
        Prior::New => Ok(Reserve::Take),
        Prior::Done(change) => match effect(change) {
            Effect::Taken(_) => Ok(Reserve::Repeat),
            Effect::Tombstone(_) => Err(Refusal::AlreadyReleased),
            Effect::Other => Err(Refusal::RequestMismatch),
        },
        Prior::OtherBody => Err(Refusal::RequestMismatch),
        Prior::Counterpart(_) => Err(Refusal::AlreadyReleased),
    }
}

/// Decides a release of `amount`; `effect` says what the change that the ledger knows means.
///
/// # Errors
/// [`Refusal::RequestMismatch`] where another amount was reserved, or the request id belongs to
/// something else. Nothing else ever refuses a release.
pub fn release<C>(
    prior: Prior<'_, C>,
    amount: i64,
    effect: impl FnOnce(&C) -> Effect,
) -> Result<Release, Refusal> {
    match prior {
        Prior::New => Ok(Release::Bury),
        Prior::Done(_) => Ok(Release::Repeat),
        Prior::OtherBody => Err(Refusal::RequestMismatch),
        Prior::Counterpart(change) => match effect(change) {
            Effect::Taken(taken) if taken == amount => Ok(Release::Undo),
            Effect::Tombstone(closed) if closed == amount => Ok(Release::Repeat),
            _ => Err(Refusal::RequestMismatch),
        },
    }
}

/// The request id that the tombstone of this release is recorded under: that of its reserve.
///
/// A release whose id names no reserve can keep none away, and is recorded under its own.
pub fn closes(release: &RequestId) -> RequestId {
    release.counterpart().unwrap_or_else(|| release.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: &Effect = &Effect::Taken(3);
    const TOMBSTONE: &Effect = &Effect::Tombstone(3);
    const OTHER: &Effect = &Effect::Other;

    fn reserving(prior: Prior<'_, Effect>) -> Result<Reserve, Refusal> {
        reserve(prior, |effect| *effect)
    }

    fn releasing(prior: Prior<'_, Effect>, amount: i64) -> Result<Release, Refusal> {
        release(prior, amount, |effect| *effect)
    }

    #[test]
    fn a_new_reserve_takes() {
        assert_eq!(reserving(Prior::New), Ok(Reserve::Take));
    }

    #[test]
    fn a_reserve_that_was_done_gives_its_first_answer_again() {
        assert_eq!(reserving(Prior::Done(TAKEN)), Ok(Reserve::Repeat));
    }

    #[test]
    fn a_reserve_after_its_release_is_refused() {
        for prior in [
            Prior::Done(TOMBSTONE),
            Prior::Counterpart(TOMBSTONE),
            Prior::Counterpart(OTHER),
        ] {
            assert_eq!(reserving(prior), Err(Refusal::AlreadyReleased), "{prior:?}");
        }
    }

    #[test]
    fn a_reserve_under_the_id_of_something_else_is_a_mismatch() {
        for prior in [Prior::OtherBody, Prior::Done(OTHER)] {
            assert_eq!(reserving(prior), Err(Refusal::RequestMismatch), "{prior:?}");
        }
    }

    #[test]
    fn a_release_undoes_its_reserve() {
        assert_eq!(releasing(Prior::Counterpart(TAKEN), 3), Ok(Release::Undo));
    }

    #[test]
    fn a_release_of_another_amount_is_a_mismatch() {
        for prior in [Prior::Counterpart(TAKEN), Prior::Counterpart(TOMBSTONE)] {
            assert_eq!(
                releasing(prior, 2),
                Err(Refusal::RequestMismatch),
                "{prior:?}"
            );
        }
        assert_eq!(
            releasing(Prior::OtherBody, 3),
            Err(Refusal::RequestMismatch)
        );
    }

    #[test]
    fn a_release_without_a_reserve_leaves_a_tombstone_under_the_id_of_the_reserve() {
        assert_eq!(releasing(Prior::New, 3), Ok(Release::Bury));
        assert_eq!(
            closes(&RequestId::release("o-1", 2)),
            RequestId::reserve("o-1", 2)
        );
        assert_eq!(closes(&RequestId::from("a key")), RequestId::from("a key"));
    }

    #[test]
    fn a_release_that_was_done_gives_its_first_answer_again() {
        for prior in [Prior::Done(OTHER), Prior::Counterpart(TOMBSTONE)] {
            assert_eq!(releasing(prior, 3), Ok(Release::Repeat), "{prior:?}");
        }
    }
}
