//! Files of events: cut where they are cut, read again, and never twice the same event.

use std::{fs, path::Path};

use messages::{EntityId, Event, Timestamp, event, wire};
use node::bus::Delivery;

use super::{
    files::Folder,
    line::{Line, lines},
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const SMALL: u64 = 400;

#[test]
fn a_line_is_the_event_and_its_sequence() {
    let text = line(&told(7, 1)).text;
    let expected = concat!(
        r#"{"v":1,"kind":"order.confirmed","id":"order-3-7","entity":"o-1","version":1,"#,
        r#""at":"1970-01-01T00:00:00.000Z","body":{"quantity":3},"sequence":7}"#,
        "\n"
    );
    assert_eq!(text, expected);
}

#[test]
fn each_event_of_a_message_is_a_line() {
    let message = together(&[told(7, 1), told(8, 1)]);
    let ids: Vec<String> = lines(&message)
        .into_iter()
        .map(|line| {
            assert!(line.text.ends_with("\"sequence\":7}\n"), "{}", line.text);
            line.id.unwrap().to_string()
        })
        .collect();
    assert_eq!(ids, ["order-3-7", "order-3-8"]);
}

#[test]
fn what_is_no_event_is_shown_by_its_bytes() {
    let mut delivery = told(7, 1);
    delivery.payload = vec![0xc1, 0x02].into();
    let shown = line(&delivery);
    assert_eq!(shown.id, None);
    assert_eq!(
        shown.text,
        "{\"subject\":\"event.order.confirmed\",\"payload\":\"c102\",\"sequence\":7}\n"
    );
}

#[test]
fn files_begin_anew_by_size_and_by_day_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Folder::open(folder.path(), SMALL).unwrap();
    let deliveries: Vec<Delivery> = (1..=20).map(|n| told(n, 1 + i64::from(n > 15))).collect();
    for chunk in deliveries.chunks(6) {
        files.write(chunk).unwrap();
    }
    let names = names(folder.path());
    assert!(names.len() > 3, "{names:?}");
    assert_eq!(names[0], "events-1970-01-02-000001.ndjson");
    assert!(names.contains(&"events-1970-01-03-000001.ndjson".to_owned()));
    assert_eq!(sequences(folder.path()), (1..=20).collect::<Vec<_>>());
    for name in &names[..names.len() - 1] {
        let bytes = fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(bytes < SMALL + 200, "{name}: {bytes}");
    }
}

/// A crash may leave any part of what was being written: cut at every byte, the files are whole
/// again, and what was cut is written again, once.
#[test]
fn wherever_a_crash_cuts_the_files_every_event_is_in_them_once() {
    let deliveries: Vec<Delivery> = (1..=8).map(|n| told(n, 1)).collect();
    let whole = tempfile::tempdir().unwrap();
    Folder::open(whole.path(), SMALL)
        .unwrap()
        .write(&deliveries)
        .unwrap();
    let last = names(whole.path()).pop().unwrap();
    let bytes = fs::read(whole.path().join(&last)).unwrap();
    for cut in 0..=bytes.len() {
        let folder = tempfile::tempdir().unwrap();
        for name in fs::read_dir(whole.path()).unwrap() {
            let name = name.unwrap().file_name();
            fs::copy(whole.path().join(&name), folder.path().join(&name)).unwrap();
        }
        fs::write(folder.path().join(&last), &bytes[..cut]).unwrap();

        let mut files = Folder::open(folder.path(), SMALL).unwrap();
        files.write(&deliveries).unwrap();

        assert_eq!(
            sequences(folder.path()),
            (1..=8).collect::<Vec<_>>(),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_message_that_was_written_in_part_is_written_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Folder::open(folder.path(), SMALL).unwrap();
    files.write(&[told(1, 1), told(2, 1)]).unwrap();
    drop(files);
    let mut files = Folder::open(folder.path(), SMALL).unwrap();
    files
        .write(&[together(&[told(1, 1), told(2, 1), told(3, 1)])])
        .unwrap();
    // The last one came with the message of the first.
    assert_eq!(sequences(folder.path()), [1, 2, 1]);
}

#[test]
fn an_event_that_the_broker_has_twice_is_written_once_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Folder::open(folder.path(), SMALL).unwrap();
    files.write(&[told(1, 1), told(2, 1), told(1, 1)]).unwrap();
    drop(files);
    // The note of what is in old files may be gone.
    for note in [true, false] {
        if !note {
            fs::remove_file(folder.path().join(".seen.json")).unwrap();
        }
        let mut files = Folder::open(folder.path(), SMALL).unwrap();
        let again = Delivery {
            sequence: 99,
            ..told(2, 1)
        };
        files.write(&[again, told(1, 1)]).unwrap();
    }
    assert_eq!(sequences(folder.path()), [1, 2]);
}

#[test]
fn a_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let files = Folder::open(folder.path(), SMALL).unwrap();
    assert!(Folder::open(folder.path(), SMALL).is_err());
    drop(files);
    assert!(Folder::open(folder.path(), SMALL).is_ok());
}

#[test]
fn an_old_file_that_is_damaged_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let deliveries: Vec<Delivery> = (1..=8).map(|n| told(n, 1)).collect();
    Folder::open(folder.path(), SMALL)
        .unwrap()
        .write(&deliveries)
        .unwrap();
    fs::remove_file(folder.path().join(".seen.json")).unwrap();
    let first = &names(folder.path())[0];
    let path = folder.path().join(first);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen('{', "", 1)).unwrap();
    let Err(error) = Folder::open(folder.path(), SMALL) else {
        panic!("a damaged file is passed over");
    };
    assert!(error.to_string().contains(first.as_str()), "{error:#}");
}

/// The event of this number, at this sequence, told on this day.
fn told(number: u64, day: i64) -> Delivery {
    let event = Event {
        v: 1,
        kind: "order.confirmed".to_owned(),
        id: format!("order-3-{number}"),
        entity: EntityId::from("o-1"),
        version: 1,
        at: Timestamp::default(),
        body: serde_json::json!({"quantity": 3}),
    };
    Delivery {
        subject: "event.order.confirmed".to_owned(),
        sequence: number,
        at: Timestamp::from_millis(day * DAY_MS),
        pending: 0,
        headers: Vec::new(),
        payload: wire::to_vec(&event).into(),
    }
}

/// The message that has these events.
fn together(told: &[Delivery]) -> Delivery {
    let events = told.iter().map(|told| told.payload.to_vec()).collect();
    Delivery {
        payload: event::join(events).into(),
        ..told[0].clone()
    }
}

/// The one line of a message.
fn line(delivery: &Delivery) -> Line {
    let mut lines = lines(delivery);
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("events-"))
        .collect();
    names.sort();
    names
}

fn sequences(folder: &Path) -> Vec<u64> {
    let lines: String = names(folder)
        .iter()
        .map(|name| fs::read_to_string(folder.join(name)).unwrap())
        .collect();
    lines
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["sequence"].as_u64().unwrap()
        })
        .collect()
}
