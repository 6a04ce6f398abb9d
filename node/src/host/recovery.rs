//! What was owed before a session began: loaded from the database, and put on its schedule.

use std::{collections::BTreeSet, sync::Arc};

use messages::Partition;

use super::{debts::Debts, schedule::Schedule};
use crate::{
    entity::Entity,
    store::{Store, StoreFault},
};

/// How many states that owe something are loaded at once.
const ROWS: u32 = 500;

/// Takes over what the states of these partitions owe.
pub(super) async fn recover<E: Entity>(
    store: &dyn Store,
    schedule: &Schedule<E>,
    owned: &BTreeSet<Partition>,
) -> Result<usize, StoreFault> {
    let mut recovered = 0;
    for partition in owned {
        let mut after = String::new();
        loop {
            let states = store.owing(*partition, &after, ROWS).await?;
            let Some(last) = states.last() else { break };
            last.entity.as_str().clone_into(&mut after);
            recovered += states.len();
            for read in states {
                let state = E::from_row(&read.entity, read.row).map_err(|error| {
                    StoreFault::Unreachable(format!("{}: {error}", read.entity))
                })?;
                let debts = Debts::of(&state);
                schedule.update(&read.entity, &Arc::new(state), debts, true);
            }
        }
    }
    Ok(recovered)
}
