//! What a line says: the event as it was told, and where in the stream its message stands.

use messages::{Timestamp, event};
use node::bus::Delivery;
use node::events::EventId;
use rmpv::Value;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::decode::{Shown, hex};

/// The field that is added to each event: its message's sequence in the stream.
const SEQUENCE: &str = "sequence";

/// An event as a line of JSON.
pub(super) struct Line {
    /// The event's id; none where the message is no event of ours.
    pub(super) id: Option<EventId>,
    /// The JSON, and a line end.
    pub(super) text: String,
}

/// A message as lines: each of its events with its sequence, or, where it has something else, its bytes.
pub(super) fn lines(delivery: &Delivery) -> Vec<Line> {
    let events = event::split(&delivery.payload).into_iter();
    events
        .map(|event| line(delivery, event.unwrap_or(&delivery.payload)))
        .collect()
}

fn line(delivery: &Delivery, bytes: &[u8]) -> Line {
    let value = rmpv::decode::read_value(&mut &*bytes).ok();
    let fields = match &value {
        Some(Value::Map(fields)) => fields.as_slice(),
        _ => &[],
    };
    let id = fields
        .iter()
        .find(|(name, _)| name.as_str() == Some("id"))
        .and_then(|(_, id)| id.as_str()?.parse().ok());
    let told = Told {
        delivery,
        bytes,
        fields,
    };
    let mut text = serde_json::to_string(&told).expect("any shown value is JSON");
    text.push('\n');
    Line { id, text }
}

struct Told<'a> {
    delivery: &'a Delivery,
    bytes: &'a [u8],
    fields: &'a [(Value, Value)],
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.fields {
            // A name that is no text, or ours, is none of an event.
            match name.as_str() {
                Some(name) if name != SEQUENCE => map.serialize_entry(name, &Shown(value))?,
                _ => {}
            }
        }
        if self.fields.is_empty() {
            map.serialize_entry("subject", &self.delivery.subject)?;
            map.serialize_entry("payload", &hex(self.bytes))?;
        }
        map.serialize_entry(SEQUENCE, &self.delivery.sequence)?;
        map.end()
    }
}

/// What is read of a line that was written before.
#[derive(serde::Deserialize)]
pub(super) struct Written {
    /// The event's id, as text.
    #[serde(default)]
    pub(super) id: Option<String>,
    /// Its message's sequence in the stream.
    pub(super) sequence: u64,
}

/// The day of a message in UTC, as in 2026-01-31.
pub(super) fn day(at: Timestamp) -> String {
    let mut day = at.to_string();
    day.truncate(10);
    day
}
