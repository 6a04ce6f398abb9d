//! A dead letter as a person reads it.

use std::io::{self, Write};

use bytes::Bytes;
use messages::Subject;
use node::bus::Delivery;
use rmpv::Value;
use serde::Serialize;

use crate::decode;

/// A message of the stream `DEAD`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Letter {
    /// Its place in the stream.
    pub(super) number: u64,
    pub(super) at: String,
    /// Where it is kept: `dead.<service>.<partition>`.
    pub(super) kept: String,
    /// Where it came from.
    pub(super) subject: Option<String>,
    pub(super) reason: Option<String>,
    /// What it asked for, where that can be read.
    pub(super) kind: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) entity: Option<String>,
    #[serde(skip)]
    pub(super) headers: Vec<(String, String)>,
    #[serde(skip)]
    pub(super) payload: Bytes,
}

impl Letter {
    pub(super) fn of(delivery: Delivery) -> Self {
        let header = |wanted: &str| {
            let found = delivery.headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone())
        };
        let envelope = envelope(&delivery.payload);
        let field = |name: &str| envelope.as_ref().and_then(|fields| text(fields, name));
        Self {
            number: delivery.sequence,
            at: delivery.at.to_string(),
            kept: delivery.subject.clone(),
            subject: header("Onhand-Subject"),
            reason: header("Onhand-Reason"),
            kind: field("kind"),
            request_id: field("requestId"),
            entity: field("entity"),
            headers: delivery.headers,
            payload: delivery.payload,
        }
    }

    /// Where it is sent again: to a stream of commands or replies, and nowhere else.
    pub(super) fn origin(&self) -> Option<Subject> {
        let subject = self.subject.as_deref()?.parse().ok()?;
        matches!(subject, Subject::Command(..) | Subject::Reply(..)).then_some(subject)
    }

    /// One line.
    pub(super) fn line(&self) -> String {
        let or_dash = |text: &Option<String>| plain(text.as_deref().unwrap_or("-"));
        format!(
            "{:>8}  {:24}  {:18}  {:18}  {:44}  {}",
            self.number,
            self.at,
            or_dash(&self.subject),
            or_dash(&self.kind),
            or_dash(&self.request_id),
            or_dash(&self.reason),
        )
    }

    /// Everything.
    pub(super) fn write(&self, output: &mut dyn Write) -> io::Result<()> {
        writeln!(output, "number: {}", self.number)?;
        writeln!(output, "time: {}", self.at)?;
        writeln!(output, "subject: {}", self.kept)?;
        for (name, value) in &self.headers {
            writeln!(output, "{}: {}", plain(name), plain(value))?;
        }
        writeln!(output)?;
        let mut json = Vec::new();
        match decode::show(&self.payload, true, &mut json) {
            Ok(()) => output.write_all(&json),
            Err(decode::Fault::Empty) => writeln!(output, "(no payload)"),
            Err(fault) => {
                writeln!(output, "{fault}")?;
                dump(&self.payload, output)
            }
        }
    }
}

/// The heads of the columns of [`Letter::line`].
pub(super) fn heads() -> String {
    format!(
        "{:>8}  {:24}  {:18}  {:18}  {:44}  {}",
        "number", "time", "came from", "kind", "request id", "reason"
    )
}

/// What strangers wrote must not move a terminal's cursor, nor break a line in two.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// The fields of the envelope, alone or as the only one of its array.
fn envelope(payload: &[u8]) -> Option<Vec<(Value, Value)>> {
    let mut rest = payload;
    match rmpv::decode::read_value(&mut rest).ok()? {
        Value::Map(fields) => Some(fields),
        Value::Array(values) => match <[Value; 1]>::try_from(values) {
            Ok([Value::Map(fields)]) => Some(fields),
            _ => None,
        },
        _ => None,
    }
}

fn text(fields: &[(Value, Value)], name: &str) -> Option<String> {
    let (_, value) = fields.iter().find(|(key, _)| key.as_str() == Some(name))?;
    value.as_str().map(str::to_owned)
}

/// Sixteen bytes a line: place, hex digits, text.
fn dump(bytes: &[u8], output: &mut dyn Write) -> io::Result<()> {
    for (n, line) in bytes.chunks(16).enumerate() {
        let digits: Vec<String> = line.iter().map(|byte| decode::hex(&[*byte])).collect();
        let shown = |byte: &u8| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        };
        let text: String = line.iter().map(shown).collect();
        writeln!(output, "{:08x}  {:47}  |{text}|", n * 16, digits.join(" "))?;
    }
    Ok(())
}
