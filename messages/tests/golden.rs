//! The bytes of every message on the wire, fixed: what is in `golden/` was sent once and is kept
//! in streams, so that it must be read for ever.
//!
//! Changes are additive: a new optional field, a new kind. Then run the tests once with
//! `ONHAND_GOLDEN_BLESS=1`, which writes the files anew, and look at the difference: a line that
//! changes in a way that yesterday's reader would not pass over, or a field that went, is a
//! breaking change and needs a kind or a version of its own.

#[path = "golden/coupons.rs"]
mod coupons;
#[path = "golden/files.rs"]
mod files;
#[path = "golden/parts.rs"]
mod parts;
#[path = "golden/payments.rs"]
mod payments;
#[path = "golden/points.rs"]
mod points;
#[path = "golden/samples.rs"]
mod samples;

use std::{collections::BTreeSet, fmt::Write as _, fs, sync::Once};

use parts::Sample;
use samples::samples;

#[test]
fn every_message_is_written_as_it_always_was() {
    for sample in fixed() {
        assert_eq!(
            dump(&sample.bytes),
            dump(&files::bytes(&sample.name)),
            "{} is not what golden/{0}.hex says",
            sample.name
        );
    }
}

#[test]
fn every_message_that_was_ever_written_is_read_as_it_was_meant() {
    for sample in fixed() {
        (sample.reads)(&files::bytes(&sample.name));
    }
}

/// A golden file of a message that nobody writes any more would be tested by nothing.
#[test]
fn every_golden_file_has_its_message() {
    let names: BTreeSet<String> = fixed().into_iter().map(|sample| sample.name).collect();
    let files: BTreeSet<String> = files::names().into_iter().collect();
    assert_eq!(files, names);
}

/// The kinds are found in the source, so that a new one cannot come without its bytes.
#[test]
fn every_kind_that_the_code_knows_has_golden_bytes() {
    let known: BTreeSet<&str> = [
        include_str!("../src/product.rs"),
        include_str!("../src/order.rs"),
        include_str!("../src/payment.rs"),
        include_str!("../src/coupon.rs"),
        include_str!("../src/point.rs"),
    ]
    .into_iter()
    .flat_map(kinds)
    .collect();
    assert!(known.contains("product.reserve"), "{known:?}");
    assert!(known.contains("product.refused"), "{known:?}");
    assert!(known.contains("order.order"), "{known:?}");
    let shown: BTreeSet<String> = fixed().into_iter().map(|sample| sample.kind).collect();
    let missing: Vec<&&str> = known
        .iter()
        .filter(|kind| !shown.contains(**kind))
        .collect();
    assert!(missing.is_empty(), "no golden bytes of {missing:?}");
}

/// The samples, once their files are written anew where that is asked for.
fn fixed() -> Vec<Sample> {
    static BLESSED: Once = Once::new();
    BLESSED.call_once(|| {
        if std::env::var_os("ONHAND_GOLDEN_BLESS").is_some() {
            for sample in samples() {
                fs::write(files::file(&sample.name), dump(&sample.bytes))
                    .expect("a folder to write to");
            }
        }
    });
    samples()
}

/// What the source writes in quotes and has the form of a kind.
fn kinds(source: &str) -> impl Iterator<Item = &str> {
    let code = source.lines().filter(|line| !line.trim().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2))
        .filter(|text| {
            let words = text.split('.').collect::<Vec<_>>();
            let plain = |word: &&str| {
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())
            };
            words.len() > 1 && words.iter().all(plain)
        })
}

/// Sixteen bytes a line and their text beside them, so that a difference can be read.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(16) {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let ascii: String = line
            .iter()
            .map(|byte| match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '.',
            })
            .collect();
        writeln!(text, "{:47}  |{ascii}|", hex.join(" ")).expect("memory takes all text");
    }
    text
}
