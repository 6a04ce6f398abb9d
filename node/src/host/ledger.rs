//! What the ledger knows of the requests of a batch: asked for once, told to each.

use std::collections::{BTreeSet, HashMap};

use messages::{Digest, RequestId};

use super::{
    intake::IntakeFault,
    job::{Job, Known},
};
use crate::{
    entity::Entity,
    store::{LedgerRow, RequestKey},
};

/// A change that the ledger has, and the digest of the command that led to it.
type Found<E> = (<E as Entity>::Change, Option<Digest>);

/// What the ledger knew of a batch's requests.
pub(super) struct Ledger<E: Entity> {
    rows: HashMap<RequestKey, LedgerRow>,
    entity: std::marker::PhantomData<E>,
}

impl<E: Entity> Ledger<E> {
    pub(super) fn of(rows: Vec<LedgerRow>) -> Self {
        let key = |row: &LedgerRow| (row.entity.clone(), row.origin, row.request_id.clone());
        Self {
            rows: rows.into_iter().map(|row| (key(&row), row)).collect(),
            entity: std::marker::PhantomData,
        }
    }

    /// What is known of a job's request and of its counterpart.
    pub(super) fn known(&self, job: &Job<E>) -> Result<Known<E::Change>, IntakeFault> {
        if !E::remembers(&job.command) {
            return Ok(Known {
                own: None,
                counterpart: None,
            });
        }
        let counterpart = job
            .request_id
            .counterpart()
            .map(|id| self.find(job, &id))
            .transpose()?
            .flatten();
        Ok(Known {
            own: self.find(job, &job.request_id)?,
            counterpart: counterpart.map(|(change, _)| change),
        })
    }

    fn find(&self, job: &Job<E>, id: &RequestId) -> Result<Option<Found<E>>, IntakeFault> {
        let Some(row) = self.rows.get(&(job.entity.clone(), job.origin, id.clone())) else {
            return Ok(None);
        };
        serde_json::from_str(&row.body)
            .map(|change| Some((change, row.digest)))
            .map_err(|error| {
                IntakeFault::Unreadable(format!(
                    "ledger of {} version {}: {error}",
                    row.entity, row.version
                ))
            })
    }
}

/// What the ledger is asked for: each of these requests, and its counterpart.
pub(super) fn requests<E: Entity>(jobs: &[&Job<E>]) -> Vec<RequestKey> {
    let mut requests = BTreeSet::new();
    for job in jobs {
        requests.insert((job.entity.clone(), job.origin, job.request_id.clone()));
        if let Some(counterpart) = job.request_id.counterpart() {
            requests.insert((job.entity.clone(), job.origin, counterpart));
        }
    }
    requests.into_iter().collect()
}
