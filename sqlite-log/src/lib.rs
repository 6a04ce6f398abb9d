//! A VFS of SQLite that writes a transaction to the log in few large pieces.
//!
//! SQLite itself writes each page of a transaction to its write-ahead log by two system calls, one of
//! 24 bytes and one of the page: some 140 of them for fifty orders. A connection that is opened with
//! [`name`] gathers what comes behind one another and hands it on in pieces of up to 120 KiB. Everything
//! else is the system's own VFS, the database's file included.
//!
//! **What is promised is unchanged**: before the log is synced, read, cut, measured or closed, all that
//! was gathered is written. SQLite syncs a commit before anybody may see it as long as `synchronous` is
//! `FULL` (or `EXTRA`), so that a commit that returned is in the file. With less than that a commit
//! would be published before it is written: **use it with `synchronous=FULL` alone.**
//!
//! An error of the disk is told by the call that hands on, such as the sync instead of the write; to
//! SQLite a transaction fails by either.

mod file;

use std::{
    ffi::{CStr, c_char, c_int},
    ptr,
    sync::OnceLock,
};

use rusqlite::ffi::{
    SQLITE_OPEN_WAL, sqlite3_file, sqlite3_filename, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};

use crate::file::LogFile;

/// What a connection is opened with.
const NAME: &CStr = c"onhand-log";

/// The two, which live as long as the process.
struct Registered {
    /// The system's own.
    system: *mut sqlite3_vfs,
}

// SAFETY: SQLite itself calls a VFS from any thread; nothing writes to the structure it points to.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

static REGISTERED: OnceLock<Registered> = OnceLock::new();

/// The name of the VFS, which is registered by the first call.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("a.db");
/// use rusqlite::{Connection, OpenFlags};
/// let database = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), onhand_sqlite_log::name())?;
/// database.pragma_update(None, "journal_mode", "wal")?;
/// database.pragma_update(None, "synchronous", "full")?;
/// # Ok::<_, rusqlite::Error>(())
/// ```
///
/// # Panics
///
/// When SQLite has no VFS of the system's, or no memory for another.
pub fn name() -> &'static CStr {
    REGISTERED.get_or_init(|| {
        // SAFETY: null asks for the default; what is found is never taken away in this process.
        let system = unsafe { sqlite3_vfs_find(ptr::null()) };
        assert!(!system.is_null(), "SQLite has a VFS of the system's");
        // SAFETY: it points to a whole structure of plain values, see above.
        let system_vfs = unsafe { *system };
        let ours = Box::leak(Box::new(sqlite3_vfs {
            szOsFile: LogFile::SIZE + system_vfs.szOsFile,
            zName: NAME.as_ptr().cast::<c_char>(),
            xOpen: Some(open),
            pNext: ptr::null_mut(),
            ..system_vfs
        }));
        // SAFETY: it is whole, and lives as long as the process.
        let code = unsafe { sqlite3_vfs_register(ours, 0) };
        assert_eq!(code, 0, "SQLite takes another VFS");
        Registered { system }
    });
    NAME
}

/// Opens a log as one of ours, and every other file as the system does.
///
/// # Safety
///
/// SQLite calls it with `szOsFile` bytes at `file`.
unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    path: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let system = REGISTERED
        .get()
        .expect("it was registered before SQLite could call it")
        .system;
    // SAFETY: the system's VFS is whole. The file has room for one of ours, the system's is shorter.
    unsafe {
        let system_open = (*system).xOpen.expect("every VFS opens files");
        if flags & SQLITE_OPEN_WAL == 0 {
            return system_open(system, path, file, flags, out_flags);
        }
        LogFile::open(file, |inner| {
            system_open(system, path, inner, flags, out_flags)
        })
    }
}
