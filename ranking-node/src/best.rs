//! Best sellers from memory: one search for however many ask.
//!
//! The process that reads the events has the last days in memory, in `Window`; another, or one
//! with more products than there is room for, searches the database. Read next: `crate::top`.

use std::{
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use async_trait::async_trait;
use messages::{Event, ProductId};
use moka::future::Cache;
use node::{
    events::Mirror,
    seams::Clock,
    store::{EventDatabase, StoreFault},
    table::{Kind, Reader, RowError, Value},
};

use crate::{
    day::Day,
    sales::{self, Order},
    top::{self, Seller, TopFault},
    window::{Full, Window},
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

#[cfg(test)]
mod tests;

/// Answers questions for best sellers. Clones share what they know.
#[derive(Clone)]
pub struct Best {
    database: EventDatabase,
    clock: Arc<dyn Clock>,
    answers: Cache<Question, Arc<[Seller]>>,
    window: Arc<RwLock<Option<Window>>>,
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
            window: Arc::default(),
        }
    }

    /// The best sellers of the last `days` days, today included; at most `limit` of them.
    ///
    /// # Errors
    /// Where the database is away, or not what this service writes; shared by all who asked.
    pub async fn sellers(&self, days: u32, limit: u32) -> Result<Arc<[Seller]>, Arc<TopFault>> {
        let question = (self.today(), days, limit);
        let search = async { self.search(question).await.map(Arc::from) };
        self.answers.try_get_with(question, search).await
    }

    /// The same, searched for anew.
    ///
    /// # Errors
    /// Where the database is away, or not what this service writes.
    pub async fn search(
        &self,
        (today, days, limit): (Day, u32, u32),
    ) -> Result<Vec<Seller>, TopFault> {
        let found = {
            let window = self.window();
            window
                .as_ref()
                .map(|window| window.best(today, days, limit))
        };
        match found {
            Some(found) => self.named(found).await,
            None => top::top(&self.database, today, days, limit).await,
        }
    }

    /// These sellers, each with its name when it was last sold. Names are not in memory, where they
    /// would take as much room as everything else.
    async fn named(&self, found: Vec<(ProductId, i64)>) -> Result<Vec<Seller>, TopFault> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let (mut names, mut parameters) = (Vec::new(), Vec::new());
        for (product, _) in &found {
            parameters.push(Value::from(product.to_string()));
            let n = parameters.len();
            names.push(format!(
                "SELECT CAST({n} AS BIGINT), (SELECT name FROM sales_daily \
                 WHERE product_id = ${n} ORDER BY day DESC LIMIT 1)"
            ));
        }
        let statement = format!("{} ORDER BY 1", names.join(" UNION ALL "));
        let kinds = [Kind::Integer, Kind::Text];
        let rows = self.database.query(statement, &parameters, &kinds).await?;
        let mut sellers = Vec::with_capacity(found.len());
        for ((product_id, quantity), row) in found.into_iter().zip(rows) {
            let mut row = Reader::new(row);
            row.integer()?;
            sellers.push(Seller {
                product_id,
                name: row.text()?,
                quantity,
            });
        }
        Ok(sellers)
    }

    /// What the tables have of the days that a question may reach.
    async fn read(&self) -> Result<Window, NotLoaded> {
        let (mut window, today) = (Window::default(), self.today());
        let mut day = Window::first(today);
        while day <= today {
            self.read_days(&mut window, today, "day = $1", day).await?;
            day = day.before(-1);
        }
        // Where an order-node's clock is ahead of ours.
        self.read_days(&mut window, today, "day >= $1", day).await?;
        Ok(window)
    }

    async fn read_days(
        &self,
        window: &mut Window,
        today: Day,
        condition: &str,
        day: Day,
    ) -> Result<(), NotLoaded> {
        let statement =
            format!("SELECT product_id, day, quantity FROM sales_daily WHERE {condition}");
        let kinds = [Kind::Text, Kind::Text, Kind::Integer];
        let of_day = [Value::from(day.to_string())];
        let rows = self.database.query(statement, &of_day, &kinds).await?;
        for row in rows {
            let mut row = Reader::new(row);
            let cell = (row.parsed()?, row.parsed()?);
            window.add(today, cell, row.integer()?)?;
        }
        Ok(())
    }

    fn today(&self) -> Day {
        Day::of(self.clock.now())
    }

    fn window(&self) -> RwLockReadGuard<'_, Option<Window>> {
        self.window
            .read()
            .expect("no panic while the window is locked")
    }

    fn window_mut(&self) -> RwLockWriteGuard<'_, Option<Window>> {
        self.window
            .write()
            .expect("no panic while the window is locked")
    }
}

/// Why the last days are not in memory.
#[derive(Debug, thiserror::Error)]
enum NotLoaded {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Full(#[from] Full),
}

#[async_trait]
impl Mirror<Order> for Best {
    async fn load(&self, _: &EventDatabase) -> Result<(), StoreFault> {
        match self.read().await {
            Ok(window) => *self.window_mut() = Some(window),
            Err(NotLoaded::Store(fault)) => return Err(fault),
            Err(error) => tracing::warn!(%error, "best sellers are searched for in the database"),
        }
        Ok(())
    }

    fn committed(&self, events: &[Event<Order>]) {
        let today = self.today();
        let mut kept = self.window_mut();
        let Some(window) = kept.as_mut() else {
            return;
        };
        window.forget(today);
        for (cell, (_, quantity)) in sales::sold(events) {
            if let Err(full) = window.add(today, cell, quantity) {
                tracing::warn!(error = %full, "best sellers are searched for in the database");
                *kept = None;
                return;
            }
        }
    }

    fn forget(&self) {
        *self.window_mut() = None;
    }
}
