//! A log that is open: what was gathered, and behind it in the same memory the system's own file.

use std::{
    ffi::{c_int, c_void},
    mem, ptr, slice,
};

use rusqlite::ffi::{SQLITE_OK, sqlite3_file, sqlite3_int64, sqlite3_io_methods};

/// How much is handed on at once, in bytes: the system's VFS takes less than 128 KiB.
const PIECE: usize = 120 * 1024;

/// What SQLite sees as the file, in memory of SQLite's. The system's own file begins [`Self::SIZE`]
/// bytes behind its start.
#[repr(C)]
pub(crate) struct LogFile {
    /// First, as SQLite demands.
    base: sqlite3_file,
    /// What is not written yet.
    gathered: Vec<u8>,
    /// Where in the file it belongs.
    offset: sqlite3_int64,
}

impl LogFile {
    /// How much longer than the system's own file it is, in bytes.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "some dozens"
    )]
    pub(crate) const SIZE: c_int = mem::size_of::<Self>() as c_int;

    /// Opens the system's own file by `open`, and makes the file around it.
    ///
    /// # Safety
    ///
    /// At `file` there is room for one of these and for one of the system's.
    pub(crate) unsafe fn open(
        file: *mut sqlite3_file,
        open: impl FnOnce(*mut sqlite3_file) -> c_int,
    ) -> c_int {
        // SAFETY: there is room. Without methods, SQLite takes a file as not open and will not close it.
        unsafe {
            (*file).pMethods = ptr::null();
            let code = open(inner(file));
            if code == SQLITE_OK {
                file.cast::<Self>().write(Self {
                    base: sqlite3_file {
                        pMethods: &raw const METHODS,
                    },
                    gathered: Vec::with_capacity(PIECE),
                    offset: 0,
                });
            }
            code
        }
    }

    /// Whether so many bytes at this offset come right behind what was gathered, and have room there.
    fn takes(&self, offset: sqlite3_int64, length: usize) -> bool {
        let end = i64::try_from(self.gathered.len()).map(|gathered| self.offset + gathered);
        end == Ok(offset) && self.gathered.len() + length <= PIECE
    }
}

/// The system's own file of one of ours.
///
/// # Safety
///
/// `file` is the start of a [`LogFile`] with the system's behind it.
unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: both lie in one piece of memory.
    unsafe { file.cast::<LogFile>().add(1).cast() }
}

/// Writes what was gathered.
///
/// # Safety
///
/// `file` is an open [`LogFile`].
unsafe fn hand_on(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite uses a file from one thread at a time.
    let log = unsafe { &mut *file.cast::<LogFile>() };
    if log.gathered.is_empty() {
        return SQLITE_OK;
    }
    let length = c_int::try_from(log.gathered.len()).expect("a piece at most");
    // SAFETY: the system's own file is open, and is called as SQLite calls it.
    let code = unsafe {
        let inner = inner(file);
        let write = (*(*inner).pMethods).xWrite.expect("every file is written");
        write(inner, log.gathered.as_ptr().cast(), length, log.offset)
    };
    // Where it failed, SQLite takes the transaction back and writes these places anew.
    log.gathered.clear();
    code
}

/// # Safety
///
/// SQLite calls it with an open file, and `length` bytes at `bytes`.
unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite lends the bytes for this call.
    let bytes = unsafe {
        let length = usize::try_from(length).expect("a length");
        slice::from_raw_parts(bytes.cast::<u8>(), length)
    };
    // SAFETY: the file is open; no reference to it is kept meanwhile.
    unsafe {
        if !(*file.cast::<LogFile>()).takes(offset, bytes.len()) {
            let code = hand_on(file);
            if code != SQLITE_OK {
                return code;
            }
            (*file.cast::<LogFile>()).offset = offset;
        }
        (*file.cast::<LogFile>()).gathered.extend_from_slice(bytes);
    }
    SQLITE_OK
}

/// # Safety
///
/// SQLite calls it with an open file, and never with the same again.
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: the file is open; after this its memory holds nothing that is to be dropped.
    unsafe {
        let written = hand_on(file);
        ptr::drop_in_place(file.cast::<LogFile>());
        let inner = inner(file);
        let close = (*(*inner).pMethods).xClose.expect("every file is closed");
        let closed = close(inner);
        if written == SQLITE_OK {
            closed
        } else {
            written
        }
    }
}

/// A call that writes what was gathered and then is the system's own.
macro_rules! after_writing {
    ($name:ident, $method:ident, $($argument:ident: $type:ty),*) => {
        /// # Safety
        ///
        /// SQLite calls it with an open file.
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($argument: $type),*) -> c_int {
            // SAFETY: the file is open, and so is the system's own; the rest is passed on as it came.
            unsafe {
                let code = hand_on(file);
                if code != SQLITE_OK {
                    return code;
                }
                let inner = inner(file);
                let call = (*(*inner).pMethods).$method.expect("every file has it");
                call(inner, $($argument),*)
            }
        }
    };
}

after_writing!(read, xRead, bytes: *mut c_void, length: c_int, offset: sqlite3_int64);
after_writing!(truncate, xTruncate, length: sqlite3_int64);
after_writing!(sync, xSync, flags: c_int);
after_writing!(size, xFileSize, size: *mut sqlite3_int64);
after_writing!(lock, xLock, level: c_int);
after_writing!(unlock, xUnlock, level: c_int);
after_writing!(check_reserved_lock, xCheckReservedLock, out: *mut c_int);
after_writing!(control, xFileControl, operation: c_int, argument: *mut c_void);

/// # Safety
///
/// SQLite calls it with an open file.
unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    // SAFETY: the system's own file is open.
    unsafe {
        let inner = inner(file);
        let call = (*(*inner).pMethods).xSectorSize.expect("every file has it");
        call(inner)
    }
}

/// # Safety
///
/// SQLite calls it with an open file.
unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    // SAFETY: the system's own file is open.
    unsafe {
        let inner = inner(file);
        let methods = &*(*inner).pMethods;
        let call = methods.xDeviceCharacteristics.expect("every file has it");
        call(inner)
    }
}

/// Of version 1: a log is neither mapped nor has it shared memory, the database's file has both.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};
