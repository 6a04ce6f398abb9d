//! What a caller is told of faults inside: that it may try again, or nothing at all. The log has
//! the rest.

use super::Problem;
use crate::{host::Unavailable, store::StoreFault, table::RowError};

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        tracing::debug!(reason = %unavailable.reason, "a request is put off");
        Self::RetryLater {
            missing: Vec::new(),
        }
    }
}

impl From<StoreFault> for Problem {
    fn from(fault: StoreFault) -> Self {
        tracing::warn!(error = %fault, "a list cannot be read");
        Self::RetryLater {
            missing: Vec::new(),
        }
    }
}

/// A row that does not hold what its service writes is a broken invariant.
impl From<RowError> for Problem {
    fn from(error: RowError) -> Self {
        tracing::error!(%error, "a row cannot be understood");
        Self::Internal
    }
}
