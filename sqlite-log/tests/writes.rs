//! How often is written: counted by the system for the whole process, so nothing else runs in it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that is wrong about its own ground fails where it stands"
)]

use std::fs;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

fn writes() -> u64 {
    let counted = fs::read_to_string("/proc/self/io").unwrap();
    let line = counted
        .lines()
        .find_map(|line| line.strip_prefix("syscw: "));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_commit_of_many_pages_is_few_writes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.db");
    let connection =
        Connection::open_with_flags_and_vfs(path, OpenFlags::default(), onhand_sqlite_log::name())
            .unwrap();
    for (name, value) in [("journal_mode", "wal"), ("synchronous", "full")] {
        connection.pragma_update(None, name, value).unwrap();
    }
    connection
        .execute_batch("CREATE TABLE note (text TEXT) STRICT; BEGIN IMMEDIATE")
        .unwrap();
    for _ in 0..400 {
        let row = "INSERT INTO note VALUES (?)";
        connection.execute(row, ("x".repeat(1_000),)).unwrap();
    }
    let before = writes();
    connection.execute_batch("COMMIT").unwrap();
    let writes = writes() - before;
    let pages = fs::metadata(folder.path().join("a.db-wal")).unwrap().len() / 4_096;
    assert!(pages > 100, "{pages} pages");
    assert!(writes < 10, "{pages} pages by {writes} writes");
}
