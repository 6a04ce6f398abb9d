//! What a caller is told while an owner cannot be asked.

use super::Problem;
use crate::host::Unavailable;

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        tracing::debug!(reason = %unavailable.reason, "a request is put off");
        Self::RetryLater {
            missing: Vec::new(),
        }
    }
}
