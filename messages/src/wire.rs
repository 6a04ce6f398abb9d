//! MessagePack with named fields: how every message becomes bytes and is read again.
//!
//! Ids and times are text on the wire, so that any MessagePack reader shows what a person can
//! read. Envelopes travel in an array; each is found by its own bytes, so that one that cannot be
//! understood does not hide the ones beside it.

use std::io::Cursor;

use rmp_serde::{Deserializer, Serializer};
use serde::{Deserialize, Serialize, de::DeserializeOwned, de::IgnoredAny};

use crate::envelope::{Body, Envelope};

/// The content type of every message.
pub const CONTENT_TYPE: &str = "application/msgpack";

/// Room for most values, in bytes: what grows is moved.
const USUAL: usize = 512;

/// The deepest nesting that a reader follows; ours nest half as deep.
pub(crate) const DEPTH_MAX: usize = 32;

/// Why bytes could not be read as a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not the MessagePack that an envelope needs.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// A version of the envelope that this program does not know.
    #[error("unknown envelope version {0}")]
    UnknownVersion(u64),
    /// A kind of message that this reader does not know.
    #[error("unknown kind {0:?}")]
    UnknownKind(String),
}

/// Writes a value as MessagePack with named fields.
pub fn to_vec(value: &impl Serialize) -> Vec<u8> {
    to_vec_before(value, 0)
}

/// The same, with room for so many bytes behind it.
pub(crate) fn to_vec_before(value: &impl Serialize, behind: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL + behind);
    write(&mut bytes, value);
    bytes
}

/// Reads one value.
///
/// # Errors
/// [`DecodeError::Malformed`] where the bytes are not that value.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Deserializer::from_read_ref(bytes).with_human_readable();
    reader.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut reader).map_err(|error| malformed(&error))
}

/// Writes one envelope, ready to be put into an array by [`join`].
pub fn encode<B: Body>(envelope: &Envelope<B>) -> Vec<u8> {
    to_vec(envelope)
}

/// The payload that carries these envelopes: a MessagePack array of them.
pub fn join<'a>(envelopes: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let bytes: usize = envelopes.clone().map(<[u8]>::len).sum();
    let mut payload = Vec::with_capacity(bytes + 5);
    let count = u32::try_from(envelopes.len()).expect("fewer than four billion envelopes");
    rmp::encode::write_array_len(&mut payload, count).expect("writing to memory cannot fail");
    envelopes.for_each(|envelope| payload.extend_from_slice(envelope));
    payload
}

/// The envelopes of a payload, each by its own bytes.
///
/// Ends after the first piece that is no MessagePack at all, since nothing behind it can be found.
pub fn split(payload: &[u8]) -> Vec<Result<&[u8], DecodeError>> {
    let mut rest = payload;
    let Ok(count) = rmp::decode::read_array_len(&mut rest) else {
        return vec![Err(DecodeError::Malformed(
            "not an array of envelopes".into(),
        ))];
    };
    let mut envelopes = Vec::with_capacity((count as usize).min(1024));
    for _ in 0..count {
        match skip(rest) {
            Ok(length) => {
                let (envelope, behind) = rest.split_at(length);
                envelopes.push(Ok(envelope));
                rest = behind;
            }
            Err(error) => {
                envelopes.push(Err(error));
                return envelopes;
            }
        }
    }
    if !rest.is_empty() {
        envelopes.push(Err(DecodeError::Malformed(
            "bytes behind the last envelope".into(),
        )));
    }
    envelopes
}

/// The length of the first MessagePack value in these bytes.
fn skip(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut reader = Deserializer::new(Cursor::new(bytes));
    reader.set_max_depth(DEPTH_MAX);
    IgnoredAny::deserialize(&mut reader).map_err(|error| malformed(&error))?;
    Ok(usize::try_from(reader.position()).expect("a position within a slice"))
}

fn write(bytes: &mut Vec<u8>, value: &impl Serialize) {
    let mut writer = Serializer::new(bytes)
        .with_struct_map()
        .with_human_readable();
    value
        .serialize(&mut writer)
        .expect("our types always serialise, and memory takes all bytes");
}

pub(crate) fn malformed(error: &rmp_serde::decode::Error) -> DecodeError {
    DecodeError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bad_envelope_does_not_hide_its_neighbours() {
        let payload = join(
            [to_vec(&"good"), vec![0x80], to_vec(&"also good")]
                .iter()
                .map(Vec::as_slice),
        );
        let pieces = split(&payload);
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(Result::is_ok));
        assert_eq!(
            from_slice::<String>(pieces[2].as_ref().expect("whole")).expect("text"),
            "also good"
        );
    }

    #[test]
    fn what_is_cut_short_keeps_what_came_before() {
        let payload = join(
            [to_vec(&"good"), to_vec(&"cut short")]
                .iter()
                .map(Vec::as_slice),
        );
        let pieces = split(&payload[..payload.len() - 1]);
        assert!(pieces[0].is_ok());
        assert!(matches!(pieces[1], Err(DecodeError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for piece in split(&bytes).into_iter().flatten() {
                let _ = from_slice::<serde_json::Value>(piece);
            }
        }
    }
}
