//! Whatever bytes come, reading them ends in a message or in an error, and what was read is written
//! and read again as the same. Inputs that ever failed are kept in `proptest-regressions/`.

#[path = "golden/files.rs"]
mod files;

use std::fmt::Debug;

use messages::{
    Event,
    envelope::{self, Body, Envelope},
    wire,
};
use messages::{coupon, order, payment, point, product};
use proptest::prelude::*;

/// The longest input of nothing but chance.
const BYTES_MAX: usize = 600;
/// How often a real message is damaged before it is read.
const DAMAGES_MAX: usize = 6;

/// What befalls the bytes of a message.
#[derive(Clone, Debug)]
enum Damage {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Cut(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    End(prop::sample::Index),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_in_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..BYTES_MAX)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn a_damaged_message_ends_in_a_message_or_an_error(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..DAMAGES_MAX),
        together in any::<bool>(),
    ) {
        let names = files::names();
        let mut bytes = files::bytes(&names[which.index(names.len())]);
        if together {
            bytes = wire::join([&bytes[..], &bytes[..]].into_iter());
        }
        for damage in &damages {
            damage.to(&mut bytes);
        }
        read_as_everything(&bytes);
    }
}

/// Reads bytes as every kind of message, alone and as the parts of one payload.
fn read_as_everything(bytes: &[u8]) {
    read_as_each(bytes);
    for piece in wire::split(bytes).into_iter().flatten() {
        read_as_each(piece);
    }
}

fn read_as_each(bytes: &[u8]) {
    again::<order::Command>(bytes);
    again::<product::Command>(bytes);
    again::<product::Answer>(bytes);
    again::<point::Command>(bytes);
    again::<point::Answer>(bytes);
    again::<coupon::Command>(bytes);
    again::<coupon::Answer>(bytes);
    again::<payment::Command>(bytes);
    again::<payment::Answer>(bytes);
    // Either outcome is right; a panic is not.
    let _ = wire::from_slice::<Event<order::View>>(bytes);
    let _ = wire::from_slice::<Event<product::StockMoved>>(bytes);
}

/// What can be read is written, and read again as the same.
fn again<B: Body + Debug + PartialEq>(bytes: &[u8]) {
    if let Ok(read) = envelope::decode::<B>(bytes) {
        let again: Result<Envelope<B>, _> = envelope::decode(&wire::encode(&read));
        assert_eq!(again.as_ref(), Ok(&read));
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        4 => (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        1 => (place(), 1..20_usize).prop_map(|(at, length)| Damage::Cut(at, length)),
        1 => (place(), 1..20_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        1 => place().prop_map(Damage::End),
    ]
}

impl Damage {
    fn to(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Set(at, byte) => bytes[at.index(length)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(length), *byte),
            Self::Cut(at, many) => {
                let at = at.index(length);
                bytes.drain(at..(at + many).min(length));
            }
            Self::Repeat(at, many) => {
                let at = at.index(length);
                let part = bytes[at..(at + many).min(length)].to_vec();
                bytes.splice(at..at, part);
            }
            Self::End(at) => bytes.truncate(at.index(length)),
        }
    }
}
