//! `onhand decode`: MessagePack on standard input, JSON on standard output.
//!
//! Knows none of our types, so that it shows any message, ours or not:
//! `nats sub 'cmd.>' --translate 'onhand decode'`. Bytes become hex text, an extension an object
//! of its type and bytes, and a key that is no text the text of its JSON.

mod measure;

use std::io::{self, Cursor, IsTerminal as _, Read as _, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use rmpv::Value;
use serde::{Serialize, Serializer, ser::SerializeMap as _, ser::SerializeSeq as _};

/// Shows MessagePack from standard input as JSON, one line a value
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Args {
    /// Break and indent the JSON; without it, only on a terminal
    #[arg(long)]
    pretty: bool,
}

/// Reads standard input to its end and shows what it holds.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { pretty } = args;
    let mut bytes = Vec::new();
    io::stdin()
        .read_to_end(&mut bytes)
        .context("standard input cannot be read")?;
    let stdout = io::stdout();
    let pretty = pretty || stdout.is_terminal();
    match show(&bytes, pretty, &mut stdout.lock()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(fault) => {
            eprintln!("{fault}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Why bytes were not shown, or not all of them.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There are none.
    Empty,
    /// What starts at `start` is no MessagePack; `at` is where that showed.
    Malformed { start: u64, at: u64, reason: String },
    /// The output is closed.
    Output(io::Error),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing to decode: standard input is empty"),
            Self::Malformed { start, at, reason } if start == at => {
                write!(f, "no MessagePack at byte {at}: {reason}")
            }
            Self::Malformed { start, at, reason } => write!(
                f,
                "no MessagePack at byte {at}, in the value that starts at byte {start}: {reason}"
            ),
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
        }
    }
}

/// Writes every value as JSON and a line end. What can be read before a fault is shown all the same.
pub(crate) fn show(bytes: &[u8], pretty: bool, output: &mut impl Write) -> Result<(), Fault> {
    if bytes.is_empty() {
        return Err(Fault::Empty);
    }
    let mut reader = Cursor::new(bytes);
    while reader.position() < bytes.len() as u64 {
        let value = read(&mut reader)?;
        let value = Shown(&value);
        let written = if pretty {
            serde_json::to_writer_pretty(&mut *output, &value)
        } else {
            serde_json::to_writer(&mut *output, &value)
        };
        written.map_err(|error| Fault::Output(error.into()))?;
        output.write_all(b"\n").map_err(Fault::Output)?;
    }
    output.flush().map_err(Fault::Output)
}

fn read(reader: &mut Cursor<&[u8]>) -> Result<Value, Fault> {
    let start = reader.position();
    let malformed = |at, reason| Fault::Malformed { start, at, reason };
    let rest = &reader.get_ref()[usize::try_from(start).expect("a position within a slice")..];
    measure::value(rest).map_err(|(at, reason)| malformed(start + at as u64, reason.to_owned()))?;
    rmpv::decode::read_value(reader)
        .map_err(|error| malformed(reader.position(), error.to_string()))
}

/// A value of MessagePack as JSON has it, fields in the order of the bytes.
pub(crate) struct Shown<'a>(pub(crate) &'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Nil => serializer.serialize_unit(),
            Value::Boolean(truth) => serializer.serialize_bool(*truth),
            Value::Integer(integer) => match (integer.as_i64(), integer.as_u64()) {
                (Some(signed), _) => serializer.serialize_i64(signed),
                (None, unsigned) => serializer.serialize_u64(unsigned.unwrap_or_default()),
            },
            Value::F32(number) => float(f64::from(*number), serializer),
            Value::F64(number) => float(*number, serializer),
            Value::String(text) => match text.as_str() {
                Some(text) => serializer.serialize_str(text),
                None => serializer.serialize_str(&hex(text.as_bytes())),
            },
            Value::Binary(bytes) => serializer.serialize_str(&hex(bytes)),
            Value::Array(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&Shown(value))?;
                }
                list.end()
            }
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&name(key), &Shown(value))?;
                }
                map.end()
            }
            Value::Ext(kind, bytes) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("ext", kind)?;
                map.serialize_entry("data", &hex(bytes))?;
                map.end()
            }
        }
    }
}

/// JSON has no word for what is no number, so it is said in text.
fn float<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() {
        serializer.serialize_f64(number)
    } else {
        serializer.serialize_str(&number.to_string())
    }
}

fn name(key: &Value) -> String {
    match key.as_str() {
        Some(text) => text.to_owned(),
        None => match key {
            Value::Binary(bytes) => hex(bytes),
            other => serde_json::to_string(&Shown(other)).expect("any shown value is JSON"),
        },
    }
}

/// Bytes as hex digits, two a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;

    use super::*;

    #[test]
    fn an_array_of_envelopes_is_one_line_with_its_fields_in_their_order() {
        let bytes = b"\x91\x83\xa1v\x01\xa4kind\xabproduct.get\xa4body\x80";
        assert_eq!(
            shown(bytes),
            r#"[{"v":1,"kind":"product.get","body":{}}]"#.to_owned() + "\n"
        );
    }

    #[test]
    fn several_values_are_a_line_each() {
        assert_eq!(shown(b"\x01\xa1a\xc0"), "1\n\"a\"\nnull\n");
    }

    #[test]
    fn what_json_lacks_is_shown_all_the_same() {
        // Bytes, an extension, keys that are no text, no number, text that is no UTF-8.
        assert_eq!(shown(b"\xc4\x02\xde\xad"), "\"dead\"\n");
        assert_eq!(shown(b"\xd4\x05\x2a"), "{\"ext\":5,\"data\":\"2a\"}\n");
        assert_eq!(
            shown(b"\x83\x01\x02\xc3\x03\x91\x01\x04"),
            "{\"1\":2,\"true\":3,\"[1]\":4}\n"
        );
        assert_eq!(shown(b"\xcb\x7f\xf8\0\0\0\0\0\0"), "\"NaN\"\n");
        assert_eq!(shown(b"\xa1\xff"), "\"ff\"\n");
        assert_eq!(
            shown(b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
            "18446744073709551615\n"
        );
    }

    #[test]
    fn pretty_json_says_the_same() {
        let mut output = Vec::new();
        show(b"\x91\x81\xa1v\x01", true, &mut output).unwrap();
        let output = String::from_utf8(output).unwrap();
        assert!(output.lines().count() > 1, "{output}");
        let value: serde_json::Value = serde_json::from_str(&output).unwrap();
        assert_eq!(value, serde_json::json!([{"v": 1}]));
    }

    #[test]
    fn a_message_of_any_length_is_read() {
        let text = "x".repeat(3 << 20);
        let mut bytes = vec![0xdb];
        bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend(text.as_bytes());
        assert_eq!(shown(&bytes).len(), text.len() + 3);
    }

    #[test]
    fn what_is_no_messagepack_is_named_by_its_place() {
        let mut output = Vec::new();
        let fault = show(b"\x01\x02\xa5ab", false, &mut output).unwrap_err();
        assert_eq!(output, b"1\n2\n");
        let said = fault.to_string();
        assert!(
            said.contains("at byte 5, in the value that starts at byte 2"),
            "{said}"
        );

        let fault = show(b"\x92\x01\xc1", false, &mut Vec::new()).unwrap_err();
        assert!(fault.to_string().contains("at byte 2"), "{fault}");
        let fault = show(b"", false, &mut Vec::new()).unwrap_err();
        assert!(fault.to_string().contains("empty"), "{fault}");
    }

    /// What is walked over and what is read must be the same bytes, for every form of a value.
    #[test]
    fn every_form_of_a_value_is_read_to_its_end() {
        for marker in (0x00..=0xff_u8).filter(|marker| *marker != 0xc1) {
            let mut bytes = vec![marker];
            bytes.resize(600, 0);
            let mut output = Vec::new();
            show(&bytes, false, &mut output).unwrap_or_else(|fault| panic!("{marker:x}: {fault}"));
        }
    }

    proptest::proptest! {
        /// What can be shown of any bytes is a line of JSON a value, and the rest is a fault.
        #[test]
        fn any_bytes_are_shown_or_named(bytes: Vec<u8>) {
            let mut output = Vec::new();
            let outcome = show(&bytes, false, &mut output);
            for line in output.lines() {
                let line = line.expect("JSON is UTF-8");
                let read = serde_json::from_str::<serde_json::Value>(&line);
                assert!(read.is_ok(), "{line}");
            }
            if let Err(fault) = outcome {
                assert!(!fault.to_string().is_empty());
            }
        }
    }

    #[test]
    fn nesting_without_end_is_refused_and_not_followed() {
        let fault = show(&vec![0x91; 1 << 20], false, &mut Vec::new()).unwrap_err();
        assert!(matches!(fault, Fault::Malformed { .. }), "{fault}");
    }

    fn shown(bytes: &[u8]) -> String {
        let mut output = Vec::new();
        show(bytes, false, &mut output).expect("MessagePack");
        String::from_utf8(output).expect("JSON is UTF-8")
    }
}
