//! What the sandbox writes: all that waits is written together, in one transaction, since each has
//! the disk wait.

use std::{collections::HashSet, time::Duration};

use messages::{Money, Timestamp};
use node::store::DatabaseUrl;
use sqlx::{
    Connection as _, Database, Encode, Executor, FromRow, IntoArguments, Pool, Postgres,
    QueryBuilder, Sqlite, Type,
    database::HasStatementCache,
    error::ErrorKind,
    postgres::PgPoolOptions,
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
    entry: Entry,
    written: oneshot::Sender<Result<Entered, Unknown>>,
}

/// What is written.
pub(super) enum Entry {
    /// A payment, unless there is one of this id, or of this merchant uid by card.
    Charge(Charge),
    /// That the payment of this id was given back.
    Cancel(String),
}

/// A payment as the books have it.
#[derive(Clone)]
pub(super) struct Charge {
    pub(super) gateway_id: String,
    pub(super) merchant_uid: String,
    pub(super) by_card: bool,
    pub(super) amount: Money,
    pub(super) status: &'static str,
    pub(super) due_at: Timestamp,
    pub(super) created_at: Timestamp,
}

/// Whether something was written; of charges only the first of an id is.
pub(super) type Entered = bool;

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
    pub(super) async fn write(&self, entry: Entry) -> Result<Entered, Unknown> {
        let gone = || Unknown("the sandbox has stopped".to_owned());
        let (written, outcome) = oneshot::channel();
        let write = Write { entry, written };
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
        for (n, write) in batch.drain(..).enumerate() {
            let written = match &together {
                Ok(entered) => Ok(entered[n]),
                Err(_) if refused => {
                    let alone = place.write(std::slice::from_ref(&write)).await;
                    alone
                        .map(|entered| entered[0])
                        .map_err(|error| Unknown(error.to_string()))
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
    /// Writes all of it or nothing, and tells of each whether it was entered.
    async fn write(&self, batch: &[Write]) -> Result<Vec<Entered>, sqlx::Error> {
        let entered = match self {
            Self::Sqlite(pool) => {
                let (charges, cancels) = (charges(batch), cancels(batch));
                let mut connection = pool.acquire().await?;
                let written = transact::<Sqlite>(&mut connection, charges, cancels).await;
                if written.is_err() {
                    // What SQLite has rolled back by itself, as on a full disk, the library counts
                    // as open still: a later transaction would be part of it and never be over.
                    let _ = connection.close().await;
                }
                written?
            }
            Self::Postgres(pool) => {
                let (charges, cancels) = (charges(batch), cancels(batch));
                let mut connection = pool.acquire().await?;
                transact::<Postgres>(&mut connection, charges, cancels).await?
            }
        };
        Ok(told(batch, entered))
    }
}

/// Runs both statements in one transaction, and finds the ids of the charges that were entered.
async fn transact<DB>(
    connection: &mut DB::Connection,
    charges: Option<QueryBuilder<DB>>,
    cancels: Option<QueryBuilder<DB>>,
) -> Result<Vec<String>, sqlx::Error>
where
    DB: Database + HasStatementCache,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    (String,): for<'r> FromRow<'r, DB::Row>,
{
    let mut transaction = connection.begin().await?;
    let mut entered = Vec::new();
    if let Some(mut charges) = charges {
        let ids = charges.build_query_scalar();
        entered = ids.fetch_all(&mut *transaction).await?;
    }
    if let Some(mut cancels) = cancels {
        cancels.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(entered)
}

/// All charges in one statement, since each is a message to the database and back; it finds the ids
/// of those that were entered.
fn charges<DB>(batch: &[Write]) -> Option<QueryBuilder<DB>>
where
    DB: Database,
    String: Encode<'static, DB> + Type<DB>,
    &'static str: Encode<'static, DB> + Type<DB>,
    bool: Encode<'static, DB> + Type<DB>,
    i64: Encode<'static, DB> + Type<DB>,
{
    let charges = batch.iter().filter_map(|write| match &write.entry {
        Entry::Charge(charge) => Some(charge.clone()),
        Entry::Cancel(_) => None,
    });
    let mut charges = charges.peekable();
    charges.peek()?;
    let mut insert = QueryBuilder::new(
        "INSERT INTO sandbox_charge \
         (gateway_id, merchant_uid, by_card, amount, status, due_at, created_at) ",
    );
    insert.push_values(charges, |mut row, charge| {
        row.push_bind(charge.gateway_id)
            .push_bind(charge.merchant_uid)
            .push_bind(charge.by_card)
            .push_bind(charge.amount.get())
            .push_bind(charge.status)
            .push_bind(String::from(charge.due_at))
            .push_bind(String::from(charge.created_at));
    });
    insert.push(" ON CONFLICT DO NOTHING RETURNING gateway_id");
    Some(insert)
}

/// All that is given back, in one statement.
fn cancels<DB>(batch: &[Write]) -> Option<QueryBuilder<DB>>
where
    DB: Database,
    String: Encode<'static, DB> + Type<DB>,
{
    let cancelled = batch.iter().filter_map(|write| match &write.entry {
        Entry::Cancel(gateway_id) => Some(gateway_id.clone()),
        Entry::Charge(_) => None,
    });
    let mut cancelled = cancelled.peekable();
    cancelled.peek()?;
    let mut update =
        QueryBuilder::new("UPDATE sandbox_charge SET status = 'CANCELLED' WHERE gateway_id IN (");
    let mut ids = update.separated(", ");
    for gateway_id in cancelled {
        ids.push_bind(gateway_id);
    }
    update.push(")");
    Some(update)
}

/// Of each write whether it was entered; of two charges of one id the first was.
fn told(batch: &[Write], entered: Vec<String>) -> Vec<Entered> {
    let mut entered: HashSet<String> = entered.into_iter().collect();
    let told = batch.iter().map(|write| match &write.entry {
        Entry::Charge(charge) => entered.remove(&charge.gateway_id),
        Entry::Cancel(_) => true,
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE sandbox_charge (gateway_id TEXT NOT NULL PRIMARY KEY, \
         merchant_uid TEXT NOT NULL, by_card INTEGER NOT NULL, amount INTEGER NOT NULL, \
         status TEXT NOT NULL CHECK (status <> ''), due_at TEXT NOT NULL, created_at TEXT NOT NULL)";

    fn charge(gateway_id: &str, status: &'static str) -> Write {
        let (written, _) = oneshot::channel();
        let at = Timestamp::from_millis(0);
        let charge = Charge {
            gateway_id: gateway_id.to_owned(),
            merchant_uid: "order".to_owned(),
            by_card: true,
            amount: Money::new(1).unwrap(),
            status,
            due_at: at,
            created_at: at,
        };
        Write {
            entry: Entry::Charge(charge),
            written,
        }
    }

    fn cancel(gateway_id: &str) -> Write {
        let (written, _) = oneshot::channel();
        Write {
            entry: Entry::Cancel(gateway_id.to_owned()),
            written,
        }
    }

    /// Books on a new file, and another look into it.
    async fn books(folder: &tempfile::TempDir) -> (Place, Pool<Sqlite>) {
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("books.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // As full as a disk can be made here: there is room for what is short.
            .pragma("max_page_count", "8");
        let other = SqlitePoolOptions::new().connect_lazy_with(options.clone());
        let pool = SqlitePoolOptions::new().max_connections(1);
        let place = Place::Sqlite(pool.connect_lazy_with(options));
        sqlx::query(TABLE).execute(&other).await.unwrap();
        (place, other)
    }

    #[tokio::test]
    async fn each_is_told_whether_it_was_entered() {
        let folder = tempfile::tempdir().unwrap();
        let (place, _) = books(&folder).await;
        let both = [
            charge("a", "PAID"),
            charge("a", "DECLINED"),
            charge("b", "PAID"),
        ];
        assert_eq!(place.write(&both).await.unwrap(), [true, false, true]);
        let mixed = [
            cancel("a"),
            charge("b", "PAID"),
            cancel("none"),
            charge("c", "PAID"),
        ];
        let entered = place.write(&mixed).await.unwrap();
        assert_eq!(entered, [true, false, true, true]);
    }

    #[tokio::test]
    async fn what_fails_on_a_full_disk_leaves_no_transaction_open() {
        let folder = tempfile::tempdir().unwrap();
        let (place, other) = books(&folder).await;

        let full = place.write(&[charge(&"x".repeat(100_000), "PAID")]).await;
        let refused = place.write(&[charge("refused", "")]).await;
        place.write(&[charge("short", "PAID")]).await.unwrap();

        assert!(full.unwrap_err().to_string().contains("full"));
        assert!(is_refused(&refused.unwrap_err()));
        let there: Vec<String> = sqlx::query_scalar("SELECT gateway_id FROM sandbox_charge")
            .fetch_all(&other)
            .await
            .unwrap();
        assert_eq!(there, ["short"], "seen by others, since it is committed");
        let again = sqlx::query("DELETE FROM sandbox_charge").execute(&other);
        let again = again.await.unwrap().rows_affected();
        assert_eq!(again, 1, "nobody is locked out");
    }
}
