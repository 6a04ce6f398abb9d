//! What entities owe: sent after the commit, and again, with backoff and jitter, until a change
//! settles it; calls to the outside are made likewise. Also their alarms.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use messages::{EntityId, RequestId, Timestamp};
use tokio::{sync::Notify, time::Instant};

use super::{
    Limits,
    calls::{Calls, Owing},
    debts::{Debts, Item, Owed, Pending},
    lane::Lanes,
};
use crate::{
    entity::Entity,
    outside::Call,
    seams::{Clock, Ids},
};

/// How long an alarm waits to be raised again where nothing came of it.
const ALARM_AGAIN: Duration = Duration::from_secs(1);

/// What the entities of a session owe.
pub(super) struct Schedule<E: Entity> {
    lanes: Arc<Lanes>,
    calls: Arc<Calls<E>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    partitions: u16,
    resend: Duration,
    resend_max: Duration,
    /// For how long what was answered is not sent again: until the answer's commit is known, or the
    /// session has ended.
    answer_wait: Duration,
    state: Mutex<State<E>>,
    earlier: Notify,
}

struct State<E: Entity> {
    owed: BTreeMap<EntityId, Owed<E>>,
    timers: BTreeMap<(Instant, u64), Timer>,
    timers_made: u64,
}

enum Timer {
    Call {
        entity: EntityId,
        id: RequestId,
    },
    Resend {
        entity: EntityId,
        request_id: RequestId,
        target: EntityId,
    },
    Alarm {
        entity: EntityId,
        at: Timestamp,
    },
}

/// An alarm that is due.
pub(super) struct Due<E: Entity> {
    pub(super) entity: EntityId,
    pub(super) command: E::Command,
}

impl<E: Entity> Schedule<E> {
    pub(super) fn new(
        lanes: Arc<Lanes>,
        calls: Arc<Calls<E>>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        partitions: u16,
        limits: &Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            lanes,
            calls,
            clock,
            ids,
            partitions,
            resend: Duration::from_millis(limits.resend_ms),
            resend_max: Duration::from_millis(limits.resend_max_ms),
            answer_wait: limits.commit_wait() * 2,
            state: Mutex::new(State {
                owed: BTreeMap::new(),
                timers: BTreeMap::new(),
                timers_made: 0,
            }),
            earlier: Notify::new(),
        })
    }

    /// Takes over what a committed state owes: sends what is new, forgets what is settled.
    ///
    /// `recovered` says that an earlier life may have sent all of it already.
    pub(super) fn update(&self, entity: &EntityId, new: &Arc<E>, debts: Debts<E>, recovered: bool) {
        let mut guard = self
            .state
            .lock()
            .expect("no panic while the schedule is locked");
        let state = &mut *guard;
        let before = state.owed.remove(entity);
        if debts.is_empty() {
            for pending in before.iter().flat_map(|owed| &owed.calls) {
                pending.owing.settle();
            }
            return;
        }
        let Debts { owes, calls, alarm } = debts;
        let Owed {
            items: mut known,
            calls: known_calls,
            alarm: old_alarm,
        } = before.unwrap_or_default();
        let now = Instant::now();
        let mut items = Vec::with_capacity(owes.len());
        for outgoing in owes {
            if let Some(n) = known.iter().position(|item| item.is(&outgoing)) {
                items.push(known.swap_remove(n));
                continue;
            }
            let item = Item::new::<E>(
                entity,
                outgoing,
                recovered,
                self.partitions,
                self.clock.now(),
                self.resend,
            );
            self.lanes.put(item.subject, item.letter());
            state.arm(
                now + self.jittered(item.pause),
                Timer::Resend {
                    entity: entity.clone(),
                    request_id: item.request_id.clone(),
                    target: item.target.clone(),
                },
            );
            items.push(item);
        }
        let calls = self.call(state, entity, new, calls, known_calls, recovered);
        if let Some((at, _)) = &alarm
            && old_alarm.is_none_or(|(old, _)| old != *at)
        {
            let wait = u64::try_from(at.millis() - self.clock.now().millis()).unwrap_or(0);
            state.arm(
                now + Duration::from_millis(wait),
                Timer::Alarm {
                    entity: entity.clone(),
                    at: *at,
                },
            );
        }
        let owed = Owed {
            items,
            calls,
            alarm,
        };
        state.owed.insert(entity.clone(), owed);
        drop(guard);
        self.earlier.notify_one();
    }

    /// Has the calls made that are new.
    fn call(
        &self,
        state: &mut State<E>,
        entity: &EntityId,
        new: &Arc<E>,
        calls: Vec<Call>,
        mut known: Vec<Pending<E>>,
        recovered: bool,
    ) -> Vec<Pending<E>> {
        let mut pending = Vec::with_capacity(calls.len());
        for call in calls {
            if let Some(n) = known.iter().position(|p| p.owing.call.id == call.id) {
                let mut same = known.swap_remove(n);
                same.owing.state = Arc::clone(new);
                pending.push(same);
                continue;
            }
            let owing = Owing::new(entity, call, new, recovered);
            self.calls.put(&owing);
            state.arm(
                Instant::now() + self.jittered(self.resend),
                Timer::Call {
                    entity: entity.clone(),
                    id: owing.call.id.clone(),
                },
            );
            pending.push(Pending {
                owing,
                pause: self.resend,
            });
        }
        for gone in known {
            gone.owing.settle();
        }
        pending
    }

    /// Whether a request may have been sent more than once, so that another copy may be under way:
    /// also where the broker has not acknowledged it, since then it is published again.
    ///
    /// Where not it is not sent again either, until what was decided on that is surely committed.
    pub(super) fn may_come_again(
        &self,
        entity: &EntityId,
        request_id: &RequestId,
        target: Option<&EntityId>,
    ) -> bool {
        let mut state = self
            .state
            .lock()
            .expect("no panic while the schedule is locked");
        let item = state.owed.get_mut(entity).and_then(|owed| {
            owed.items
                .iter_mut()
                .find(|item| item.request_id == *request_id && Some(&item.target) == target)
        });
        let Some(item) = item else { return true };
        let again = item.recovered || item.sent.attempts() > 1 || item.sent.is_waiting();
        if !again {
            item.answered = Some(Instant::now());
        }
        again
    }

    /// Waits until something is due and sends it again; answers the alarms that are to be raised.
    pub(super) async fn due(&self) -> Vec<Due<E>> {
        loop {
            let next = {
                let state = self
                    .state
                    .lock()
                    .expect("no panic while the schedule is locked");
                state.timers.keys().next().map(|(at, _)| *at)
            };
            match next {
                None => self.earlier.notified().await,
                Some(at) if at > Instant::now() => {
                    tokio::select! {
                        biased;
                        () = tokio::time::sleep_until(at) => {}
                        () = self.earlier.notified() => {}
                    }
                }
                Some(_) => {
                    let alarms = self.fire();
                    if !alarms.is_empty() {
                        return alarms;
                    }
                }
            }
        }
    }

    /// Handles every timer that has run out.
    fn fire(&self) -> Vec<Due<E>> {
        let mut guard = self
            .state
            .lock()
            .expect("no panic while the schedule is locked");
        let state = &mut *guard;
        let now = Instant::now();
        let mut alarms = Vec::new();
        while let Some(entry) = state.timers.first_entry()
            && entry.key().0 <= now
        {
            match entry.remove() {
                Timer::Resend {
                    entity,
                    request_id,
                    target,
                } => {
                    let item = state.owed.get_mut(&entity).and_then(|owed| {
                        owed.items
                            .iter_mut()
                            .find(|item| item.request_id == request_id && item.target == target)
                    });
                    let Some(item) = item else { continue };
                    let answered = item.answered.is_some_and(|at| now < at + self.answer_wait);
                    if !answered && !item.sent.is_waiting() {
                        metrics::counter!(crate::telemetry::names::RESENDS, "service" => E::SERVICE.name()).increment(1);
                        item.pause = (item.pause * 2).min(self.resend_max);
                        self.lanes.put(item.subject, item.letter());
                    }
                    let at = now + self.jittered(item.pause);
                    state.arm(
                        at,
                        Timer::Resend {
                            entity,
                            request_id,
                            target,
                        },
                    );
                }
                Timer::Call { entity, id } => {
                    let pending = state.owed.get_mut(&entity).and_then(|owed| {
                        owed.calls
                            .iter_mut()
                            .find(|pending| pending.owing.call.id == id)
                    });
                    let Some(pending) = pending else { continue };
                    if !pending.owing.is_under_way() {
                        pending.pause = (pending.pause * 2).min(self.resend_max);
                        self.calls.put(&pending.owing);
                    }
                    let at = now + self.jittered(pending.pause);
                    state.arm(at, Timer::Call { entity, id });
                }
                Timer::Alarm { entity, at } => {
                    let Some((_, command)) = state
                        .owed
                        .get(&entity)
                        .and_then(|owed| owed.alarm.as_ref())
                        .filter(|alarm| alarm.0 == at)
                    else {
                        continue;
                    };
                    alarms.push(Due {
                        entity: entity.clone(),
                        command: command.clone(),
                    });
                    state.arm(now + ALARM_AGAIN, Timer::Alarm { entity, at });
                }
            }
        }
        alarms
    }

    /// A pause and up to a quarter more, so that what failed together does not come again together.
    fn jittered(&self, pause: Duration) -> Duration {
        let quarter = u64::try_from(pause.as_millis() / 4)
            .unwrap_or(u64::MAX)
            .max(1);
        pause + Duration::from_millis(self.ids.random() % quarter)
    }
}

impl<E: Entity> State<E> {
    fn arm(&mut self, at: Instant, timer: Timer) {
        self.timers_made += 1;
        self.timers.insert((at, self.timers_made), timer);
    }
}
