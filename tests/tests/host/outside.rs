//! An outside that does with each call as a test tells it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use messages::payment::{Command, Outcome};
use node::outside::{Call, Outside};

use crate::errand::Errand;

/// What the outside does with a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    /// It is done.
    Do,
    /// It is done in vain.
    Fail,
    /// It is done, and told so many times.
    Repeat(usize),
    /// Nobody knows.
    Lose,
    /// Nothing comes for so long, then it is done.
    Take(Duration),
    /// The handler panics.
    Panic,
}

/// An outside that does as it is told, call after call, and then does everything.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    deeds: VecDeque<Deed>,
    calls: Vec<(String, bool)>,
    under_way: usize,
    most_under_way: usize,
}

impl World {
    pub(crate) fn will(deeds: &[Deed]) -> Self {
        let world = Self::default();
        world.told().deeds.extend(deeds);
        world
    }

    /// The calls that were made: their id, and whether they may have been made before.
    pub(crate) fn calls(&self) -> Vec<(String, bool)> {
        self.told().calls.clone()
    }

    pub(crate) fn under_way(&self) -> usize {
        self.told().under_way
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.told().most_under_way
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl Outside<Errand> for World {
    async fn call(&self, state: &Errand, call: &Call, again: bool) -> Vec<Command> {
        assert!(state.is_out(), "a call is made of the state that owes it");
        let _under_way = UnderWay::on(self);
        let deed = {
            let mut told = self.told();
            told.calls.push((call.id.to_string(), again));
            told.deeds.pop_front().unwrap_or(Deed::Do)
        };
        let done = |vain| {
            Command::Outcome(if vain {
                Outcome::Missing {
                    merchant_uid: "x".into(),
                }
            } else {
                Outcome::Refunded {
                    gateway_id: "x".into(),
                }
            })
        };
        match deed {
            Deed::Do => vec![done(false)],
            Deed::Fail => vec![done(true)],
            Deed::Repeat(times) => vec![done(false); times],
            Deed::Lose => vec![],
            Deed::Take(time) => {
                tokio::time::sleep(time).await;
                vec![done(false)]
            }
            Deed::Panic => panic!("boom"),
        }
    }
}

/// One call that is under way, also where it is dropped.
struct UnderWay<'a>(&'a World);

impl<'a> UnderWay<'a> {
    fn on(world: &'a World) -> Self {
        let mut told = world.told();
        told.under_way += 1;
        told.most_under_way = told.most_under_way.max(told.under_way);
        drop(told);
        Self(world)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.told().under_way -= 1;
    }
}
