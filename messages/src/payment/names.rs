//! What a gateway knows things by: payments, ours and its own, and cards.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{id::is_name, text};

/// The name by which the gateway knows the payment of an order's attempt, counted from 1: the
/// order's id, and from the second attempt on its number behind it, as in request ids.
pub fn merchant_uid(order: impl fmt::Display, attempt: u32) -> String {
    match attempt {
        0 | 1 => order.to_string(),
        n => format!("{order}-{n}"),
    }
}

/// Whether a text may be a gateway's id of a payment: a name as any other, but for the two that
/// mean another place in the address that it becomes part of.
pub fn is_payment_id(text: &str) -> bool {
    is_name(text) && !matches!(text, "." | "..")
}

/// What a gateway knows a card by: 1 to 200 visible ASCII characters. Never shown in a log.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Token(String);

/// A text that cannot be a card's token.
#[derive(Debug, thiserror::Error)]
#[error("must be 1 to 200 visible ASCII characters")]
pub struct TokenError;

impl Token {
    /// The longest token, in bytes.
    pub const BYTES_MAX: usize = 200;

    /// The text of the token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Token {
    type Err = TokenError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| Self(text.to_owned()))
            .ok_or(TokenError)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer, str::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_payment_is_a_name_that_leads_nowhere_else() {
        assert!(is_payment_id("imp_123456"));
        for bad in ["", ".", "..", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(!is_payment_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn each_attempt_has_a_merchant_uid_of_its_own() {
        assert_eq!(merchant_uid("o-1", 1), "o-1");
        assert_eq!(merchant_uid("o-1", 2), "o-1-2");
    }

    #[test]
    fn a_token_is_short_and_plain_and_not_shown() {
        let token: Token = "approve".parse().expect("a token");
        assert_eq!(token.as_str(), "approve");
        assert!(!format!("{token:?}").contains("approve"));
        for bad in ["", "a b", "ä", "a\n", &"x".repeat(201)] {
            assert!(bad.parse::<Token>().is_err(), "{bad:?}");
        }
    }
}
