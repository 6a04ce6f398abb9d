//! What is kept in memory beside the tables that a reader of events makes.

use async_trait::async_trait;
use messages::Event;

use crate::store::{EventDatabase, StoreFault};

/// Something in memory that follows what a reader has committed.
///
/// Between [`load`](Self::load) and [`forget`](Self::forget) this process alone changes the tables,
/// so what was loaded and what was committed since is all there is.
#[async_trait]
pub trait Mirror<B>: Send + Sync + 'static {
    /// This process writes from now on: what is kept is read from the tables.
    ///
    /// Cancel safe: dropped where the process is to stop meanwhile.
    async fn load(&self, database: &EventDatabase) -> Result<(), StoreFault>;

    /// These events, each new, are committed.
    fn committed(&self, events: &[Event<B>]);

    /// Another process may write from now on: nothing that is kept counts any more.
    fn forget(&self);
}

/// Of a reader whose tables are answer enough.
#[async_trait]
impl<B: Send + Sync> Mirror<B> for () {
    async fn load(&self, _: &EventDatabase) -> Result<(), StoreFault> {
        Ok(())
    }

    fn committed(&self, _: &[Event<B>]) {}

    fn forget(&self) {}
}
