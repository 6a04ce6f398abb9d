//! The entities in memory, and which of them leave it.
//!
//! Those at their end leave soon, those unused for long later, and of too many the longest unused.
//! None is looked for: what is at its end is told, and the others stand in the order of their last
//! use, so that what stays costs nothing however much it is.

use std::{hash::RandomState, sync::Arc, time::Duration};

use hashlink::LinkedHashMap;
use messages::EntityId;
use tokio::time::Instant;

use super::job::Slot;

/// An entity in memory: its actor, and what the intake shares with the journal.
pub(super) struct Resident<A> {
    pub(super) actor: A,
    pub(super) slot: Arc<Slot>,
    used: Instant,
}

/// The entities in memory, the longest unused first.
pub(super) struct Residents<A> {
    by_use: LinkedHashMap<EntityId, Resident<A>, RandomState>,
    /// Those that came to their end while something of them was still under way.
    ending: Vec<EntityId>,
}

impl<A> Residents<A> {
    pub(super) fn new() -> Self {
        Self {
            by_use: LinkedHashMap::with_hasher(RandomState::new()),
            ending: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_use.len()
    }

    pub(super) fn contains(&self, id: &EntityId) -> bool {
        self.by_use.contains_key(id)
    }

    pub(super) fn get(&self, id: &EntityId) -> Option<&Resident<A>> {
        self.by_use.get(id)
    }

    /// An entity of this version comes into memory.
    pub(super) fn put(&mut self, id: EntityId, actor: A, version: i64, now: Instant) {
        let resident = Resident {
            actor,
            slot: Slot::at(version),
            used: now,
        };
        self.by_use.insert(id, resident);
    }

    /// An entity that is used now.
    pub(super) fn at_work(&mut self, id: &EntityId, now: Instant) -> Option<&Resident<A>> {
        let resident = self.by_use.to_back(id)?;
        resident.used = now;
        Some(resident)
    }

    /// Puts away what has come to its end, as far as nothing of it is under way.
    pub(super) fn finished(&mut self, told: impl Iterator<Item = EntityId>) -> Vec<A> {
        self.ending.extend(told);
        let mut away = Vec::new();
        let by_use = &mut self.by_use;
        self.ending.retain(|id| {
            // One that went on meanwhile is told again when it ends.
            let ended = by_use.get(id).filter(|resident| resident.slot.finished());
            let under_way = ended.is_some_and(|resident| resident.slot.pending() > 0);
            if ended.is_some() && !under_way {
                away.extend(by_use.remove(id).map(|resident| resident.actor));
            }
            under_way
        });
        away
    }

    /// Puts away what has been unused for so long, and, where there are more than so many, the
    /// longest unused; not what is under way.
    pub(super) fn unused(&mut self, idle: Duration, most: usize, now: Instant) -> Vec<A> {
        let mut away = Vec::new();
        for _ in 0..self.by_use.len() {
            let Some((_, longest)) = self.by_use.front() else {
                break;
            };
            if self.by_use.len() <= most && now.duration_since(longest.used) < idle {
                break;
            }
            let Some((id, mut longest)) = self.by_use.pop_front() else {
                break;
            };
            if longest.slot.pending() == 0 {
                away.push(longest.actor);
            } else {
                longest.used = now;
                self.by_use.insert(id, longest);
            }
        }
        away
    }

    /// The actors of all.
    pub(super) fn actors(&self) -> impl Iterator<Item = &A> {
        self.by_use.values().map(|resident| &resident.actor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// Five entities, each used a second after the one before; their actors are their numbers.
    fn five() -> (Residents<u8>, Instant) {
        let begun = Instant::now();
        let mut residents = Residents::new();
        for n in 0..5 {
            let now = begun + Duration::from_secs(u64::from(n));
            residents.put(id(n), n, 1, now);
        }
        (residents, begun + Duration::from_secs(5))
    }

    fn id(n: u8) -> EntityId {
        EntityId::from(n.to_string().as_str())
    }

    fn slot(residents: &Residents<u8>, n: u8) -> Arc<Slot> {
        Arc::clone(&residents.get(&id(n)).expect("it is in memory").slot)
    }

    #[test]
    fn of_too_many_the_longest_unused_leave() {
        let (mut residents, now) = five();
        residents.at_work(&id(0), now);
        assert_eq!(residents.unused(LONG, 3, now), [1, 2]);
        assert!(residents.contains(&id(0)) && !residents.contains(&id(1)));
        assert_eq!(residents.unused(LONG, 3, now), [0_u8; 0]);
    }

    #[test]
    fn what_is_unused_for_long_leaves() {
        let (mut residents, now) = five();
        let idle = Duration::from_secs(3);
        assert_eq!(residents.unused(idle, 100, now), [0, 1, 2]);
        assert_eq!(residents.unused(idle, 100, now + LONG), [3, 4]);
        assert_eq!(residents.len(), 0);
    }

    #[test]
    fn what_is_under_way_stays() {
        let (mut residents, now) = five();
        slot(&residents, 0).begin();
        assert_eq!(residents.unused(LONG, 3, now), [1, 2]);
        slot(&residents, 0).end();
        assert_eq!(residents.unused(Duration::ZERO, 100, now), [3, 4, 0]);
    }

    #[test]
    fn what_came_to_its_end_leaves_when_nothing_of_it_is_under_way() {
        let (mut residents, now) = five();
        for n in [1, 3] {
            slot(&residents, n).finish(true);
        }
        slot(&residents, 3).begin();
        assert_eq!(residents.finished([id(1), id(3), id(9)].into_iter()), [1]);
        assert_eq!(residents.unused(Duration::ZERO, 100, now).len(), 3);
        assert_eq!(residents.finished(std::iter::empty()), [0_u8; 0]);
        slot(&residents, 3).end();
        assert_eq!(residents.finished(std::iter::empty()), [3]);
        assert_eq!(residents.len(), 0);
    }

    #[test]
    fn what_went_on_after_its_end_stays() {
        let (mut residents, _) = five();
        let slot = slot(&residents, 2);
        slot.finish(true);
        slot.finish(false);
        assert_eq!(residents.finished([id(2)].into_iter()), [0_u8; 0]);
        slot.finish(true);
        assert_eq!(residents.finished(std::iter::empty()), [0_u8; 0]);
        assert_eq!(residents.finished([id(2)].into_iter()), [2]);
    }
}
