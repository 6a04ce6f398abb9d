//! One turn of the journal: many decisions folded into one batch.
//!
//! Pure: a ledger row an effect, one state an entity however often it was touched, and the
//! positions behind the last of them.

use std::{collections::BTreeMap, sync::Arc};

use messages::{EntityId, Partition, Timestamp};

use super::{
    debts::Debts,
    job::{Decision, Slot},
};
use crate::{
    entity::Entity,
    store::{Batch, StateWrite},
    table::TouchedLines,
};

/// An entity as a turn leaves it.
pub(super) struct Touched<E: Entity> {
    pub(super) slot: Arc<Slot>,
    pub(super) partition: Partition,
    pub(super) version: i64,
    pub(super) state: Arc<E>,
    lines: TouchedLines,
    pub(super) debts: Debts<E>,
}

/// What a turn tells of one partition's ledger.
pub(super) struct Told {
    pub(super) partition: Partition,
    pub(super) number: i64,
    pub(super) entity: EntityId,
    pub(super) version: i64,
    pub(super) at: Timestamp,
    pub(super) event: Option<(&'static str, Vec<u8>)>,
}

/// A batch, and what is to be done when it is committed.
pub(super) struct Turn<E: Entity> {
    pub(super) batch: Batch,
    pub(super) touched: BTreeMap<EntityId, Touched<E>>,
    pub(super) told: Vec<Told>,
}

/// Two incarnations of one entity decided: a broken invariant, which the owner does not survive.
#[derive(Debug, thiserror::Error)]
#[error("entity {entity} decided version {decided} where {expected} comes next")]
pub(super) struct OutOfTurn {
    entity: EntityId,
    decided: i64,
    expected: i64,
}

/// Folds decisions into a batch. `numbers` are the last ledger numbers of the partitions.
pub(super) fn fold<E: Entity>(
    decisions: &mut [Decision<E>],
    numbers: &mut BTreeMap<Partition, i64>,
) -> Result<Turn<E>, OutOfTurn> {
    let effects = decisions
        .iter()
        .map(|decision| decision.effects.len())
        .sum();
    let mut turn = Turn {
        batch: Batch {
            ledger: Vec::with_capacity(effects),
            ..Batch::default()
        },
        touched: BTreeMap::new(),
        told: Vec::with_capacity(effects),
    };
    for decision in decisions {
        if let Some(creation) = decision.creation.take() {
            turn.batch.creations.push(creation);
        }
        let Some(last) = decision.effects.last().map(|effect| effect.row.version) else {
            continue;
        };
        let first = decision.effects[0].row.version;
        let before = turn
            .touched
            .get(&decision.job.entity)
            .map_or_else(|| decision.slot.durable(), |t| t.version);
        if first != before + 1 {
            return Err(OutOfTurn {
                entity: decision.job.entity.clone(),
                decided: first,
                expected: before + 1,
            });
        }
        let touched = turn
            .touched
            .entry(decision.job.entity.clone())
            .or_insert_with(|| Touched {
                slot: Arc::clone(&decision.slot),
                partition: decision.job.partition,
                version: 0,
                state: Arc::clone(&decision.state),
                lines: TouchedLines::default(),
                debts: Debts::default(),
            });
        for mut effect in decision.effects.drain(..) {
            let number = numbers.entry(effect.row.partition).or_default();
            *number += 1;
            touched.lines.add(effect.touches);
            effect.row.number = *number;
            turn.told.push(Told {
                partition: effect.row.partition,
                number: *number,
                entity: effect.row.entity.clone(),
                version: effect.row.version,
                at: effect.row.at,
                event: effect.event,
            });
            turn.batch.ledger.push(effect.row);
        }
        touched.version = last;
        touched.state = Arc::clone(&decision.state);
    }
    for (entity, touched) in &mut turn.touched {
        touched.debts = Debts::of(&*touched.state);
        turn.batch.states.push(StateWrite {
            entity: entity.clone(),
            partition: touched.partition,
            expected: touched.slot.durable(),
            version: touched.version,
            owing: !touched.debts.is_empty(),
            row: touched.state.changed_row(&touched.lines),
        });
    }
    Ok(turn)
}
