//! A folder of files of events: lines are only added, and only to the last file.
//!
//! Invariants: an event is in the files once; a file that is not the last one is whole and on the
//! disk. What a crash left of a line that was being written is cut off, and that event is read from
//! the stream again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use node::{bus::Delivery, events::Seen};
use serde::{Deserialize, Serialize};

use super::line::{Written, day, lines};

/// Spares reading old files: it may be missing.
const CHECKPOINT: &str = ".seen.json";
/// Its lock keeps a second writer away.
const LOCK: &str = ".lock";

/// Which events are in the files before one.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    /// The first file that is not covered.
    before: String,
    seen: Seen,
}

/// A folder of files of events.
pub(super) struct Folder {
    path: PathBuf,
    file_bytes_max: u64,
    seen: Seen,
    last: Option<Last>,
    last_line: Option<(String, u64)>,
    _lock: File,
}

/// The file that grows.
struct Last {
    name: Name,
    file: File,
    bytes: u64,
}

/// A file's name, in the order of what is in the files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    day: String,
    number: u32,
}

impl Folder {
    /// Opens a folder, and cuts off what is not a whole line at its end.
    pub(super) fn open(path: &Path, file_bytes_max: u64) -> Result<Self> {
        fs::create_dir_all(path)?;
        let lock = File::create(path.join(LOCK))?;
        ensure!(
            lock.try_lock().is_ok(),
            "another process writes events into it"
        );
        let mut folder = Self {
            path: path.to_owned(),
            file_bytes_max,
            seen: Seen::default(),
            last: None,
            last_line: None,
            _lock: lock,
        };
        folder.read()?;
        Ok(folder)
    }

    /// The last line, and the sequence that it tells.
    pub(super) fn last_line(&self) -> Option<(&str, u64)> {
        let (text, sequence) = self.last_line.as_ref()?;
        Some((text, *sequence))
    }

    /// Adds the events that are not in the files yet; they are on the disk when this returns.
    pub(super) fn write(&mut self, deliveries: &[Delivery]) -> io::Result<()> {
        let mut waiting = String::new();
        let told = |delivery| {
            lines(delivery)
                .into_iter()
                .map(move |line| (delivery, line))
        };
        for (delivery, line) in deliveries.iter().flat_map(told) {
            if line.id.as_ref().is_some_and(|id| self.seen.contains(id)) {
                continue;
            }
            let day = day(delivery.at);
            if !self.takes(&day, waiting.len()) {
                self.add(&waiting)?;
                waiting.clear();
                self.begin(day)?;
            }
            if let Some(id) = &line.id {
                self.seen.insert(id);
            }
            waiting.push_str(&line.text);
        }
        self.add(&waiting)
    }

    /// Whether the last file takes a line of a day, behind so many bytes that are still to come.
    fn takes(&self, day: &str, waiting: usize) -> bool {
        self.last.as_ref().is_some_and(|last| {
            let bytes = last.bytes + waiting as u64;
            // An earlier day comes up where the broker forgot and was told again: no new file.
            day <= last.name.day.as_str() && bytes < self.file_bytes_max
        })
    }

    fn add(&mut self, lines: &str) -> io::Result<()> {
        let Some(last) = self.last.as_mut().filter(|_| !lines.is_empty()) else {
            return Ok(());
        };
        last.file.write_all(lines.as_bytes())?;
        last.file.sync_data()?;
        last.bytes += lines.len() as u64;
        Ok(())
    }

    /// Begins the next file; the one before is whole.
    fn begin(&mut self, day: String) -> io::Result<()> {
        let number = match &self.last {
            Some(last) if last.name.day >= day => last.name.number + 1,
            _ => 1,
        };
        let day = match &self.last {
            Some(last) if last.name.day > day => last.name.day.clone(),
            _ => day,
        };
        let name = Name { day, number };
        self.keep(&name)?;
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(self.path.join(name.to_string()))?;
        File::open(&self.path)?.sync_all()?;
        self.last = Some(Last {
            name,
            file,
            bytes: 0,
        });
        Ok(())
    }

    /// Writes down what is in the files before this one, whole or not at all.
    fn keep(&self, before: &Name) -> io::Result<()> {
        let checkpoint = Checkpoint {
            before: before.to_string(),
            seen: self.seen.clone(),
        };
        let new = self.path.join(format!("{CHECKPOINT}.new"));
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&checkpoint)?)?;
        file.sync_all()?;
        fs::rename(&new, self.path.join(CHECKPOINT))
    }

    /// Finds out what is in the files.
    fn read(&mut self) -> Result<()> {
        let mut names = names(&self.path)?;
        let Some(last) = names.last().cloned() else {
            return Ok(());
        };
        // Without it, or where it speaks of other files, all of them are read.
        let known = fs::read(self.path.join(CHECKPOINT))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Checkpoint>(&bytes).ok());
        if let Some(Checkpoint { before, seen }) = known
            && let Some(before) = Name::parse(&before)
        {
            self.seen = seen;
            names.retain(|name| *name >= before || *name == last);
        }
        for name in names {
            let path = self.path.join(name.to_string());
            let shown = path.display().to_string();
            let (whole, bytes) = self.read_file(&path).with_context(|| shown.clone())?;
            if name != last {
                ensure!(whole == bytes, "{shown} is damaged at byte {whole}");
                continue;
            }
            let file = OpenOptions::new().append(true).open(&path)?;
            if whole < bytes {
                eprintln!(
                    "{shown}: {} bytes at its end are no whole line and are cut off",
                    bytes - whole
                );
                file.set_len(whole)?;
                file.sync_all()?;
            }
            self.last = Some(Last {
                name,
                file,
                bytes: whole,
            });
        }
        Ok(())
    }

    /// Notes what is in a file; up to where it has whole lines, and how long it is.
    fn read_file(&mut self, path: &Path) -> io::Result<(u64, u64)> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let (mut reader, mut line, mut whole) = (BufReader::new(file), Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                return Ok((whole, bytes));
            }
            let Ok(written) = serde_json::from_slice::<Written>(&line) else {
                return Ok((whole, bytes));
            };
            if let Some(id) = written.id.and_then(|id| id.parse().ok()) {
                self.seen.insert(&id);
            }
            whole += read as u64;
            let text = String::from_utf8_lossy(&line).into_owned();
            self.last_line = Some((text, written.sequence));
        }
    }
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        let (day, number) = text
            .strip_prefix("events-")?
            .strip_suffix(".ndjson")?
            .rsplit_once('-')?;
        let name = Self {
            day: day.to_owned(),
            number: number.parse().ok()?,
        };
        (name.to_string() == text && day.len() == 10).then_some(name)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "events-{}-{:06}.ndjson", self.day, self.number)
    }
}

/// The files of events in a folder, oldest first.
fn names(path: &Path) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(Name::parse));
    }
    names.sort();
    Ok(names)
}
