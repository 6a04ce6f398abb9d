//! The short name of an order, fit to be read out on the telephone.

use messages::OrderId;

/// Crockford's base32 (crockford.com/base32.html): no I, L, O or U, which ears and eyes mistake.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARACTERS: u32 = 12;
const GROUP: u32 = 4;

/// The code of an order, such as `7ZK3-09QF-M2XD`: the low 60 bits of its UUID, all random in
/// version 7, five to a character.
pub(crate) fn code(order: OrderId) -> String {
    let bits = order.uuid().as_u128();
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
    use super::*;

    fn check(uuid: &str, expected: &str) {
        assert_eq!(code(uuid.parse().expect("a UUID")), expected);
    }

    #[test]
    fn a_code_is_made_of_the_low_sixty_bits() {
        check("01890000-0000-7000-8000-000000000000", "0000-0000-0000");
        check("01890000-0000-7000-bfff-ffffffffffff", "ZZZZ-ZZZZ-ZZZZ");
        check("01890000-0000-7000-8000-000000000021", "0000-0000-0011");
        check("01890000-0000-7000-8800-000000000000", "G000-0000-0000");
        check("01890000-0000-7000-f000-000000000000", "0000-0000-0000");
    }
}
