//! The connection that writes to SQLite, on the thread of whoever calls it.
//!
//! A commit is a few hundred small statements: carried out where the journal stands, from what
//! lies there, they cost neither a copy of their values nor a way to another thread and back.
//! Everything that reads beside it does so through [`super::Readers`].

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use rusqlite::{
    ErrorCode, OpenFlags, ToSql, TransactionBehavior, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    CommitError, StoreFault,
    database::{self, CONNECT_WAIT},
    statement::{Field, Statement},
};
use crate::{
    failpoint::{self, Point},
    table::{Column, Kind, Value},
};

/// How many prepared statements are kept: a service has less than ten.
const STATEMENTS_MAX: usize = 64;

/// A connection that writes. Its clones are the same one.
#[derive(Clone)]
pub(super) struct Sqlite(Arc<Mutex<rusqlite::Connection>>);

impl Sqlite {
    /// Opens a database that is there.
    pub(super) fn open(path: &Path) -> Result<Self, StoreFault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // Its log in large pieces: WRITER_PRAGMAS say that a commit is synced, as that demands.
        let connection =
            rusqlite::Connection::open_with_flags_and_vfs(path, flags, sqlite_log::name())
                .map_err(fault)?;
        connection.busy_timeout(CONNECT_WAIT).map_err(fault)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        for (name, value) in database::WRITER_PRAGMAS {
            connection.pragma_update(None, name, value).map_err(fault)?;
        }
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Runs statements one after another in one transaction: all of them or nothing.
    pub(super) fn commit(&self, statements: &[Statement<'_>]) -> Result<(), CommitError> {
        let mut connection = self.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(unknown)?;
        for statement in statements {
            // Prepared once, and kept.
            let mut prepared = transaction
                .prepare_cached(&statement.sql)
                .map_err(unknown)?;
            for row in &statement.rows {
                let changed = prepared
                    .execute(params_from_iter(row))
                    .map_err(commit_error)?;
                if statement.every && changed != 1 {
                    return Err(CommitError::Stale(
                        "a row was not at the expected version".into(),
                    ));
                }
            }
        }
        failpoint::reach(failpoint::PROCESS, Point::Written);
        transaction.commit().map_err(commit_error)
    }

    /// Runs one statement without parameters.
    pub(super) fn run(&self, sql: &str) -> Result<(), StoreFault> {
        self.lock().execute(sql, ()).map(drop).map_err(fault)
    }

    /// Reads what a statement without parameters finds.
    pub(super) fn read(&self, sql: &str, wanted: &[Column]) -> Result<Vec<Vec<Value>>, StoreFault> {
        let connection = self.lock();
        let mut prepared = connection.prepare(sql).map_err(fault)?;
        let rows = prepared
            .query_map((), |row| {
                wanted
                    .iter()
                    .enumerate()
                    .map(|(n, column)| {
                        Ok(match column.kind {
                            Kind::Text => Value::Text(row.get(n)?),
                            Kind::Integer => Value::Integer(row.get(n)?),
                            Kind::Boolean => Value::Boolean(row.get(n)?),
                        })
                    })
                    .collect()
            })
            .map_err(fault)?;
        rows.collect::<Result<_, _>>().map_err(fault)
    }

    fn lock(&self) -> MutexGuard<'_, rusqlite::Connection> {
        self.0
            .lock()
            .expect("no panic while the connection is locked")
    }
}

impl ToSql for Field<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Integer(Some(integer)) => ValueRef::Integer(*integer),
            Self::Boolean(Some(truth)) => ValueRef::Integer(i64::from(*truth)),
            Self::Text(None) | Self::Integer(None) | Self::Boolean(None) => ValueRef::Null,
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// What a failed statement says of its commit.
fn commit_error(error: rusqlite::Error) -> CommitError {
    // The rows themselves are at fault, so that trying again is vain.
    let refused = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    );
    if refused {
        CommitError::Refused(error.to_string())
    } else {
        unknown(error)
    }
}

fn unknown(error: rusqlite::Error) -> CommitError {
    CommitError::Unknown(fault(error))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where `map_err` hands it over"
)]
fn fault(error: rusqlite::Error) -> StoreFault {
    StoreFault::Unreachable(error.to_string())
}
