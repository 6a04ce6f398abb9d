//! The short name of an order, fit to be read out on the telephone.

use messages::{OrderId, digest::fnv1a};

/// Crockford's base32 (crockford.com/base32.html): no I, L, O or U, which ears and eyes mistake.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARACTERS: u32 = 12;
const GROUP: u32 = 4;

/// 2020-01-01T00:00:00Z in ms since 1970: codes count from here.
const EPOCH_MS: u128 = 1_577_836_800_000;
/// What 41 bits hold: ms until the year 2089.
const TIME_BITS: u32 = 41;
const COUNT_BITS: u32 = 9;
const HASH_BITS: u32 = 10;

/// The code of an order, such as `0CK3-09QF-M2XD`: 60 bits of its id, five to a character.
///
/// The time comes first, so that the index that keeps codes unique grows at its end. Behind it
/// stand the id's counter, by which the orders of one process differ, and bits of the hash that
/// gives the order its partition, by which those of several do.
pub(crate) fn code(order: OrderId) -> String {
    let id = order.uuid().as_u128();
    let time = (id >> 80).saturating_sub(EPOCH_MS) & ((1 << TIME_BITS) - 1);
    let count = (id >> 64) & ((1 << COUNT_BITS) - 1);
    let hash = u128::from(fnv1a(order.entity().as_str().as_bytes())) & ((1 << HASH_BITS) - 1);
    let bits = ((time << COUNT_BITS) | count) << HASH_BITS | hash;
    let mut code = String::with_capacity(14);
    for place in 0..CHARACTERS {
        if place > 0 && place % GROUP == 0 {
            code.push('-');
        }
        let five = bits >> (5 * (CHARACTERS - 1 - place)) & 31;
        let index = usize::try_from(five).expect("five bits");
        code.push(char::from(ALPHABET[index]));
    }
    code
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use messages::Timestamp;
    use node::seams::{Ids as _, SystemIds};

    use super::*;

    fn at(ids: &SystemIds, ms: i64) -> OrderId {
        OrderId::new(ids.uuid(Timestamp::from_millis(ms)))
    }

    #[test]
    fn a_code_counts_from_the_year_2020_with_twelve_characters() {
        let ids = SystemIds::default();
        let ms = i64::try_from(EPOCH_MS).expect("a time");
        let code = code(at(&ids, ms));
        assert!(code.starts_with("0000-0000-"), "{code}");
        assert_eq!(code.len(), 14);
    }

    #[test]
    fn orders_of_one_process_never_share_a_code() {
        let ids = SystemIds::default();
        let codes: BTreeSet<String> = (0..2_000)
            .map(|n| code(at(&ids, 1_800_000_000_000 + n / 500)))
            .collect();
        assert_eq!(codes.len(), 2_000);
    }

    #[test]
    fn a_later_order_has_a_later_code() {
        let ids = SystemIds::default();
        let (earlier, later) = (at(&ids, 1_800_000_000_000), at(&ids, 1_800_000_000_001));
        assert!(code(earlier) < code(later));
    }
}
