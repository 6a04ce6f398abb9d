//! Values that are text on the wire.

use std::{fmt, marker::PhantomData};

use serde::{Deserializer, de};

/// Reads a text and makes a value of it, without a copy of the text between.
pub(crate) fn read<'de, D, T, F, R>(deserializer: D, of: F) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    F: FnOnce(&str) -> Result<T, R>,
    R: fmt::Display,
{
    deserializer.deserialize_str(Reading(of, PhantomData))
}

struct Reading<F, T>(F, PhantomData<fn() -> T>);

impl<T, F, R> de::Visitor<'_> for Reading<F, T>
where
    F: FnOnce(&str) -> Result<T, R>,
    R: fmt::Display,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }

    /// A writer may know of no difference between text and bytes, as `MessagePack` once had none.
    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| E::invalid_value(de::Unexpected::Bytes(bytes), &self))?;
        self.visit_str(text)
    }
}

#[cfg(test)]
mod tests {
    use crate::{EntityId, Timestamp};

    #[test]
    fn a_text_may_come_as_bytes() {
        let bytes = [b"\xc4\x03".as_slice(), b"o-1"].concat();
        let id: EntityId = rmp_serde::from_slice(&bytes).expect("an id");
        assert_eq!(id.as_str(), "o-1");
        assert!(rmp_serde::from_slice::<EntityId>(b"\xc4\x01\xff").is_err());
        assert!(rmp_serde::from_slice::<EntityId>(b"\xc4\x00").is_err());
        assert!(rmp_serde::from_slice::<Timestamp>(&bytes).is_err());
    }

    #[test]
    fn what_is_no_text_is_told_as_such() {
        let error = serde_json::from_str::<EntityId>("7").expect_err("no text");
        assert!(error.to_string().contains("expected a string"), "{error}");
    }
}
