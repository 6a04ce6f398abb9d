//! A commit on the connection that writes: all of it or nothing, and what became of it.

use super::{
    CommitError, StoreFault,
    connection::{Connection, Statement, WriteError, refuses},
    database::fault,
    sql::Dialect,
};
use crate::failpoint::{self, Point};

impl Connection {
    /// Writes statements in one transaction.
    pub(super) async fn commit(&mut self, statements: Vec<Statement>) -> Result<(), CommitError> {
        let begin = match self.dialect() {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        };
        self.run(begin).await.map_err(unknown)?;
        match self.write(statements).await {
            Ok(()) => {
                failpoint::reach(failpoint::PROCESS, Point::Written);
                self.run("COMMIT").await.map_err(commit_error)
            }
            Err(error) => {
                let undone = self.run("ROLLBACK").await;
                // SQLite has done it already where it refused a row. In PostgreSQL the connection
                // is useless where this fails, and nothing was committed.
                if self.dialect() == Dialect::Postgres {
                    undone.map_err(unknown)?;
                }
                Err(write_error(error))
            }
        }
    }

    /// Makes sure that this connection still holds its locks, where they can be lost unnoticed.
    pub(super) async fn confirm(&mut self) -> Result<(), StoreFault> {
        match self.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => self.run("SELECT 1").await.map_err(fault),
        }
    }
}

fn write_error(error: WriteError) -> CommitError {
    match error {
        WriteError::Database(error) => commit_error(error),
        WriteError::Stale { given, changed } => CommitError::Stale(format!(
            "{changed} of {given} rows were at the expected version"
        )),
    }
}

fn commit_error(error: sqlx::Error) -> CommitError {
    if refuses(&error) {
        CommitError::Refused(error.to_string())
    } else {
        CommitError::Unknown(fault(error))
    }
}

fn unknown(error: sqlx::Error) -> CommitError {
    CommitError::Unknown(fault(error))
}
