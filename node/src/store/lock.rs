//! The lock of an SQLite database: an operating system lock on a file beside it.
//!
//! It is held as long as the process lives and goes with it, however it ends; readers such as the
//! audit open the database all the same.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

/// Holds the lock until it is dropped.
pub(super) struct FileLock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Takes the lock beside a database, or answers `None` where another process has it.
pub(super) fn take(database: &Path) -> io::Result<Option<FileLock>> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(FileLock(file))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
