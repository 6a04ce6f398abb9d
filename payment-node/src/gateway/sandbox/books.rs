//! What the sandbox writes: all that waits is written together, in one transaction, since each has
//! the disk wait.

use std::time::Duration;

use node::{store::DatabaseUrl, table::Value};
use sqlx::{
    AssertSqlSafe, Connection as _, Database, Encode, Pool, Postgres, Sqlite, Type,
    error::ErrorKind,
    postgres::PgPoolOptions,
    query::Query,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{mpsc, oneshot};

use super::SandboxError;
use crate::gateway::Unknown;

/// How long a write waits for the other writer.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// How many writes wait at most, and how many are written together.
const WAITING_MAX: usize = 256;

/// The end that takes what is to be written.
#[derive(Clone)]
pub(super) struct Books(mpsc::Sender<Write>);

struct Write {
    sql: &'static str,
    values: Vec<Value>,
    written: oneshot::Sender<Result<(), Unknown>>,
}

/// Where it is written.
enum Place {
    Sqlite(Pool<Sqlite>),
    Postgres(Pool<Postgres>),
}

impl Books {
    /// Books in this database. To be called inside a runtime, which writes them.
    pub(super) fn open(url: &DatabaseUrl) -> Result<Self, SandboxError> {
        let place = match url {
            DatabaseUrl::Sqlite(path) => Place::Sqlite(
                SqlitePoolOptions::new()
                    .max_connections(1)
                    .acquire_timeout(WRITE_WAIT)
                    .connect_lazy_with(
                        SqliteConnectOptions::new()
                            .filename(path)
                            .journal_mode(SqliteJournalMode::Wal)
                            .synchronous(SqliteSynchronous::Full)
                            .busy_timeout(WRITE_WAIT),
                    ),
            ),
            DatabaseUrl::Postgres(url) => Place::Postgres(
                PgPoolOptions::new()
                    .max_connections(1)
                    .acquire_timeout(WRITE_WAIT)
                    .connect_lazy(url)
                    .map_err(|error| SandboxError(error.to_string()))?,
            ),
        };
        let (books, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write(place, waiting));
        Ok(Self(books))
    }

    /// Writes; it is on the disk when this returns well.
    pub(super) async fn write(&self, sql: &'static str, values: Vec<Value>) -> Result<(), Unknown> {
        let gone = || Unknown("the sandbox has stopped".to_owned());
        let (written, outcome) = oneshot::channel();
        let write = Write {
            sql,
            values,
            written,
        };
        self.0.send(write).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

/// Writes what waits until nobody can ask any more.
async fn write(place: Place, mut waiting: mpsc::Receiver<Write>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, WAITING_MAX).await > 0 {
        let together = place.write(&batch).await;
        // One that the tables refuse must not keep the others from being written.
        let refused = together.as_ref().is_err_and(is_refused);
        for write in batch.drain(..) {
            let written = match &together {
                Ok(()) => Ok(()),
                Err(_) if refused => {
                    let alone = place.write(std::slice::from_ref(&write)).await;
                    alone.map_err(|error| Unknown(error.to_string()))
                }
                Err(error) => Err(Unknown(error.to_string())),
            };
            // Whoever asked may wait no longer.
            let _ = write.written.send(written);
        }
    }
}

fn is_refused(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.kind() != ErrorKind::Other)
}

impl Place {
    /// Writes all of it or nothing.
    async fn write(&self, batch: &[Write]) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(pool) => {
                let mut connection = pool.acquire().await?;
                let written = async {
                    let mut transaction = connection.begin().await?;
                    for write in batch {
                        bound::<Sqlite>(write).execute(&mut *transaction).await?;
                    }
                    transaction.commit().await
                };
                let written = written.await;
                if written.is_err() {
                    // What SQLite has rolled back by itself, as on a full disk, the library counts
                    // as open still: a later transaction would be part of it and never be over.
                    let _ = connection.close().await;
                }
                written
            }
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                for write in batch {
                    bound::<Postgres>(write).execute(&mut *transaction).await?;
                }
                transaction.commit().await
            }
        }
    }
}

fn bound<'q, DB>(write: &'q Write) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    Option<&'q str>: Encode<'q, DB> + Type<DB>,
    Option<i64>: Encode<'q, DB> + Type<DB>,
    Option<bool>: Encode<'q, DB> + Type<DB>,
{
    let query = sqlx::query(AssertSqlSafe(write.sql));
    write.values.iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text.as_deref()),
        Value::Integer(integer) => query.bind(*integer),
        Value::Boolean(truth) => query.bind(*truth),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSERT: &str = "INSERT INTO charge (id) VALUES ($1)";

    fn write(id: Value) -> Write {
        let (written, _) = oneshot::channel();
        Write {
            sql: INSERT,
            values: vec![id],
            written,
        }
    }

    #[tokio::test]
    async fn what_fails_on_a_full_disk_leaves_no_transaction_open() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("books.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // As full as a disk can be made here: there is room for what is short.
            .pragma("max_page_count", "8");
        let other = SqlitePoolOptions::new().connect_lazy_with(options.clone());
        let pool = SqlitePoolOptions::new().max_connections(1);
        let place = Place::Sqlite(pool.connect_lazy_with(options));
        let table = "CREATE TABLE charge (id TEXT NOT NULL)";
        sqlx::query(table).execute(&other).await.unwrap();

        let full = place.write(&[write("x".repeat(100_000).into())]).await;
        let refused = place.write(&[write(Value::Text(None))]).await;
        place.write(&[write("short".into())]).await.unwrap();

        assert!(full.unwrap_err().to_string().contains("full"));
        assert!(is_refused(&refused.unwrap_err()));
        let there: Vec<String> = sqlx::query_scalar("SELECT id FROM charge")
            .fetch_all(&other)
            .await
            .unwrap();
        assert_eq!(there, ["short"], "seen by others, since it is committed");
        let again = sqlx::query("DELETE FROM charge").execute(&other).await;
        assert_eq!(again.unwrap().rows_affected(), 1, "nobody is locked out");
    }
}
