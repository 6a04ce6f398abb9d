//! The connection that writes, to either database.

use sqlx::{Connection as _, PgConnection};

use super::{
    CommitError, StoreFault, database::fault, postgres, sql::Dialect, sqlite::Sqlite,
    statement::Statement,
};
use crate::table::{Column, Value};

/// A connection to either database.
pub(super) enum Connection {
    /// To SQLite.
    Sqlite(Sqlite),
    /// To PostgreSQL.
    Postgres(PgConnection),
}

impl Connection {
    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Writes statements in one transaction. With SQLite this thread does it.
    pub(super) async fn commit(&mut self, statements: &[Statement<'_>]) -> Result<(), CommitError> {
        match self {
            Self::Sqlite(c) => c.commit(statements),
            Self::Postgres(c) => postgres::commit(c, statements).await,
        }
    }

    /// Makes sure that this connection still holds its locks, where they can be lost unnoticed.
    pub(super) async fn confirm(&mut self) -> Result<(), StoreFault> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(c) => postgres::run(c, "SELECT 1").await.map_err(fault),
        }
    }

    /// Runs a statement that takes no rows.
    pub(super) async fn run(&mut self, sql: String) -> Result<(), StoreFault> {
        match self {
            Self::Sqlite(c) => c.run(&sql),
            Self::Postgres(c) => postgres::run(c, sqlx::AssertSqlSafe(sql))
                .await
                .map_err(fault),
        }
    }

    /// Reads what a statement without parameters finds.
    pub(super) async fn read(
        &mut self,
        sql: &str,
        wanted: &[Column],
    ) -> Result<Vec<Vec<Value>>, StoreFault> {
        match self {
            Self::Sqlite(c) => c.read(sql, wanted),
            Self::Postgres(c) => postgres::read(c, sql.to_owned(), &[], &[], wanted)
                .await
                .map_err(fault),
        }
    }

    pub(super) async fn close(self) {
        // The lock goes with the connection, closed politely or not.
        if let Self::Postgres(c) = self {
            let _ = c.close().await;
        }
    }
}
