//! The golden files: where they are, and the bytes in them.

use std::{fs, path::PathBuf};

/// The file of this name.
pub(crate) fn file(name: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "tests",
        "golden",
        &format!("{name}.hex"),
    ]
    .iter()
    .collect()
}

/// The names of all files.
pub(crate) fn names() -> Vec<String> {
    let folder = file("x");
    let folder = folder.parent().expect("a folder");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("golden files")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// The bytes that a file holds: hex digits, and behind a bar the text for a person.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let file = file(name);
    let text = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("no golden bytes, {}: {error}", file.display()));
    text.lines()
        .flat_map(|line| {
            line.split_once('|')
                .map_or(line, |(hex, _)| hex)
                .split_whitespace()
        })
        .map(|byte| u8::from_str_radix(byte, 16).expect("hex digits"))
        .collect()
}
