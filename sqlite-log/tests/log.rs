//! What is written through the VFS is what SQLite would have written by itself, and as safe.

#![expect(
    clippy::unwrap_used,
    reason = "a test that is wrong about its own ground fails where it stands"
)]

use std::{fs, path::Path};

use onhand_sqlite_log as log;
use proptest::prelude::*;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

const TABLE: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT";

fn ours(folder: &Path) -> Connection {
    let path = folder.join("ours.db");
    let connection =
        Connection::open_with_flags_and_vfs(path, OpenFlags::default(), log::name()).unwrap();
    set(&connection);
    connection
}

fn plain(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    set(&connection);
    connection
}

/// With a cache of ten pages, so that large transactions are written before they are committed.
fn set(connection: &Connection) {
    for (name, value) in [
        ("journal_mode", "wal"),
        ("synchronous", "full"),
        ("cache_size", "10"),
    ] {
        connection.pragma_update(None, name, value).unwrap();
    }
}

fn notes(connection: &Connection) -> Vec<(i64, String)> {
    let mut select = connection
        .prepare("SELECT id, text FROM note ORDER BY id")
        .unwrap();
    let rows = select
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

fn write(connection: &Connection, notes: std::ops::Range<i64>) {
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    for id in notes {
        connection
            .execute("INSERT INTO note VALUES (?, ?)", (id, "x".repeat(1_000)))
            .unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

#[test]
fn a_commit_that_returned_is_in_the_file() {
    let folder = TempDir::new().unwrap();
    let connection = ours(folder.path());
    connection.execute_batch(TABLE).unwrap();
    for n in 0..20 {
        write(&connection, n * 30..n * 30 + 30);
        // What a process that dies now leaves behind.
        let copy = TempDir::new().unwrap();
        for file in ["ours.db", "ours.db-wal"] {
            fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
        }
        let left = plain(&copy.path().join("ours.db"));
        assert_eq!(notes(&left).len(), usize::try_from(n).unwrap() * 30 + 30);
    }
}

#[test]
fn others_see_what_is_committed_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let connection = ours(folder.path());
    connection.execute_batch(TABLE).unwrap();
    let reader = plain(&folder.path().join("ours.db"));
    write(&connection, 0..100);
    assert_eq!(notes(&reader).len(), 100);
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
        .execute("UPDATE note SET text = text || 'y'", ())
        .unwrap();
    assert!(
        notes(&connection)
            .iter()
            .all(|(_, text)| text.ends_with('y'))
    );
    assert!(notes(&reader).iter().all(|(_, text)| text.ends_with('x')));
    connection.execute_batch("ROLLBACK").unwrap();
    assert!(
        notes(&connection)
            .iter()
            .all(|(_, text)| text.ends_with('x'))
    );
    // Another connection may bring the log into the database's file, too.
    write(&connection, 100..200);
    reader
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
        .unwrap();
    write(&connection, 200..300);
    assert_eq!(notes(&reader).len(), 300);
}

/// What is done to both databases.
#[derive(Clone, Debug)]
enum Step {
    Insert { rows: usize, length: usize },
    Update { every: i64, length: usize },
    Delete { every: i64 },
    Savepoint,
    RollbackToSavepoint,
    Commit,
    Rollback,
    Checkpoint,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..60_usize, 0..6_000_usize).prop_map(|(rows, length)| Step::Insert { rows, length }),
        (1..5_i64, 0..6_000_usize).prop_map(|(every, length)| Step::Update { every, length }),
        (2..5_i64).prop_map(|every| Step::Delete { every }),
        Just(Step::Savepoint),
        Just(Step::RollbackToSavepoint),
        Just(Step::Commit),
        Just(Step::Commit),
        Just(Step::Rollback),
        Just(Step::Checkpoint),
        Just(Step::Reopen),
    ]
}

/// What is out of place, such as a commit without a transaction, is refused by both.
fn run(connection: &Connection, step: &Step) -> bool {
    let text = |length: &usize| "n".repeat(*length);
    match step {
        Step::Insert { rows, length } => {
            let _ = connection.execute_batch("BEGIN IMMEDIATE");
            (0..*rows).all(|_| {
                let row = "INSERT INTO note (text) VALUES (?)";
                connection.execute(row, (text(length),)).is_ok()
            })
        }
        Step::Update { every, length } => connection
            .execute(
                "UPDATE note SET text = ?2 WHERE id % ?1 = 0",
                (every, text(length)),
            )
            .is_ok(),
        Step::Delete { every } => connection
            .execute("DELETE FROM note WHERE id % ?1 = 0", (every,))
            .is_ok(),
        Step::Savepoint => connection.execute_batch("SAVEPOINT here").is_ok(),
        Step::RollbackToSavepoint => connection.execute_batch("ROLLBACK TO here").is_ok(),
        Step::Commit => connection.execute_batch("COMMIT").is_ok(),
        Step::Rollback => connection.execute_batch("ROLLBACK").is_ok(),
        Step::Checkpoint => connection
            .query_row("PRAGMA wal_checkpoint(RESTART)", (), |_| Ok(()))
            .is_ok(),
        Step::Reopen => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn both_hold_the_same_after_any_steps(steps in prop::collection::vec(step(), 1..40)) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("plain.db");
        let (mut one, mut other) = (ours(folder.path()), plain(&path));
        for connection in [&one, &other] {
            connection.execute_batch(TABLE).unwrap();
        }
        for step in &steps {
            prop_assert_eq!(run(&one, step), run(&other, step), "{:?}", step);
            if matches!(step, Step::Reopen) {
                drop((one, other));
                (one, other) = (ours(folder.path()), plain(&path));
            }
            prop_assert_eq!(notes(&one), notes(&other));
        }
        let sound: String = one.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        prop_assert_eq!(sound, "ok");
    }
}
