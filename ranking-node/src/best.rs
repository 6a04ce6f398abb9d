//! Best sellers from memory: one look into the database for however many ask.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use node::{seams::Clock, store::EventDatabase};

use crate::{
    day::Day,
    top::{self, Seller, TopFault},
};

/// How many days a question may reach back, today included.
pub const DAYS_MAX: u32 = 30;
/// How many products a question may ask for.
pub const LIMIT_MAX: u32 = 100;
/// How long an answer is kept. Reading events takes the rest of the second that an answer may be
/// behind.
const KEPT: Duration = Duration::from_millis(500);
/// How many answers are kept.
const ANSWERS_MAX: u64 = 1_000;

/// Answers questions for best sellers. Clones share what they know.
#[derive(Clone)]
pub struct Best {
    database: EventDatabase,
    clock: Arc<dyn Clock>,
    answers: Cache<Question, Arc<[Seller]>>,
}

/// A question: so many products, of so many days up to this one.
type Question = (Day, u32, u32);

impl Best {
    /// Answers from the tables that events were made into.
    pub fn new(database: EventDatabase, clock: Arc<dyn Clock>) -> Self {
        let answers = Cache::builder()
            .max_capacity(ANSWERS_MAX)
            .time_to_live(KEPT)
            .build();
        Self {
            database,
            clock,
            answers,
        }
    }

    /// The best sellers of the last `days` days, today included; at most `limit` of them.
    ///
    /// # Errors
    /// Where the database is away, or not what this service writes; shared by all who asked.
    pub async fn sellers(&self, days: u32, limit: u32) -> Result<Arc<[Seller]>, Arc<TopFault>> {
        let today = Day::of(self.clock.now());
        self.answers
            .try_get_with((today, days, limit), async {
                let sellers = top::top(&self.database, today, days, limit).await?;
                Ok(sellers.into())
            })
            .await
    }
}
