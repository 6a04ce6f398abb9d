//! MessagePack with named fields: how every message becomes bytes and is read again.
//!
//! Ids and times are text on the wire, so that any MessagePack reader shows what a person can
//! read. Envelopes travel in an array; each is found by its own bytes, so that one that cannot be
//! understood does not hide the ones beside it.

use rmp::Marker;
use rmp_serde::{Deserializer, Serializer};
use serde::{Serialize, de::DeserializeOwned};

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

/// The length of the first MessagePack value in these bytes, however deep it is.
fn skip(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut rest = bytes;
    let mut values: u64 = 1;
    while values > 0 {
        let (length, inside) = extent(&mut rest)?;
        take(&mut rest, length)?;
        values += inside;
        values -= 1;
    }
    Ok(bytes.len() - rest.len())
}

/// How many bytes and how many values stand behind the head of a value, which it reads.
fn extent(rest: &mut &[u8]) -> Result<(u64, u64), DecodeError> {
    let marker = Marker::from_u8(take(rest, 1)?[0]);
    let mut count = |bytes: u64| {
        let bytes = take(rest, bytes)?.iter();
        Ok(bytes.fold(0, |count, byte| count << 8 | u64::from(*byte)))
    };
    Ok(match marker {
        Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => {
            (0, 0)
        }
        Marker::U8 | Marker::I8 => (1, 0),
        // Here and below, an extension has a byte for its type.
        Marker::U16 | Marker::I16 | Marker::FixExt1 => (2, 0),
        Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
        Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
        Marker::FixStr(length) => (length.into(), 0),
        Marker::Str8 | Marker::Bin8 => (count(1)?, 0),
        Marker::Str16 | Marker::Bin16 => (count(2)?, 0),
        Marker::Str32 | Marker::Bin32 => (count(4)?, 0),
        Marker::FixArray(values) => (0, values.into()),
        Marker::Array16 => (0, count(2)?),
        Marker::Array32 => (0, count(4)?),
        Marker::FixMap(pairs) => (0, 2 * u64::from(pairs)),
        Marker::Map16 => (0, 2 * count(2)?),
        Marker::Map32 => (0, 2 * count(4)?),
        Marker::FixExt2 => (1 + 2, 0),
        Marker::FixExt4 => (1 + 4, 0),
        Marker::FixExt8 => (1 + 8, 0),
        Marker::FixExt16 => (1 + 16, 0),
        Marker::Ext8 => (1 + count(1)?, 0),
        Marker::Ext16 => (1 + count(2)?, 0),
        Marker::Ext32 => (1 + count(4)?, 0),
        Marker::Reserved => {
            return Err(DecodeError::Malformed("a byte that begins no value".into()));
        }
    })
}

/// So many bytes from the front.
fn take<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], DecodeError> {
    let parts = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length));
    let (front, behind) =
        parts.ok_or_else(|| DecodeError::Malformed("a value is cut short".into()))?;
    *rest = behind;
    Ok(front)
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
    use serde::{Deserialize as _, de::IgnoredAny};

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

    #[test]
    fn what_nobody_would_read_is_passed_over() {
        // A thousand arrays, one in another.
        let mut deep = vec![0x91; 1_000];
        deep.push(0xc0);
        let payload = join(
            [to_vec(&"good"), deep, to_vec(&"also good")]
                .iter()
                .map(Vec::as_slice),
        );
        let pieces = split(&payload);
        assert_eq!(pieces.len(), 3);
        assert!(from_slice::<serde_json::Value>(pieces[1].as_ref().expect("whole")).is_err());
        assert!(pieces[2].is_ok());
    }

    #[test]
    fn as_many_values_as_nobody_can_send_are_cut_short() {
        for head in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
            assert!(skip(&[head, 0xff, 0xff, 0xff, 0xff]).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_value_ends_where_another_reader_says(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Deserializer::new(std::io::Cursor::new(&bytes));
            let read = IgnoredAny::deserialize(&mut reader);
            let end = usize::try_from(reader.position()).expect("a position within a slice");
            prop_assert_eq!(skip(&bytes).ok(), read.ok().map(|_| end));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for piece in split(&bytes).into_iter().flatten() {
                let _ = from_slice::<serde_json::Value>(piece);
            }
        }
    }
}
