//! Typed identities. An id is text on the wire and in the databases, so that a person can read it.

use std::{fmt, marker::PhantomData, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::{Partition, text};

/// A UUID (version 7, RFC 9562) that names one `K`.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

/// A text that is no UUID.
#[derive(Debug, thiserror::Error)]
#[error("must be a UUID")]
pub struct IdError;

/// Names an order.
pub type OrderId = Id<kind::Order>;
/// Names a product.
pub type ProductId = Id<kind::Product>;
/// Names a coupon campaign.
pub type CouponId = Id<kind::Coupon>;

/// What an [`Id`] may name.
pub mod kind {
    /// An order.
    #[derive(Debug)]
    pub enum Order {}
    /// A product.
    #[derive(Debug)]
    pub enum Product {}
    /// A coupon campaign.
    #[derive(Debug)]
    pub enum Coupon {}
}

impl<K> Id<K> {
    /// Takes a UUID that was made by the server.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The UUID itself.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The entity of this name.
    pub fn entity(self) -> EntityId {
        EntityId::from(self.0)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<K> FromStr for Id<K> {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self::new).map_err(|_| IdError)
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer, str::parse)
    }
}

/// Names an entity of any service: the text of its id, at most 128 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EntityId(Arc<str>);

impl EntityId {
    /// The longest id, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that this entity lives in: FNV-1a (64 bit) of its text, modulo `partitions`.
    pub fn partition(&self, partitions: u16) -> Partition {
        Partition::of(self.0.as_bytes(), partitions)
    }
}

impl From<Uuid> for EntityId {
    fn from(uuid: Uuid) -> Self {
        let mut buffer = Uuid::encode_buffer();
        Self(Arc::from(&*uuid.hyphenated().encode_lower(&mut buffer)))
    }
}
impl From<&str> for EntityId {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}
impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer, |text| {
            bounded(text, Self::BYTES_MAX).map(Self)
        })
    }
}

/// The idempotency key of one effect on one entity: `DEC-{orderId}`, `INC-{orderId}`, a caller's
/// own key. At most 200 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The longest request id, in bytes.
    pub const BYTES_MAX: usize = 200;

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the reserve of an order's attempt, counted from 1.
    pub fn reserve(order: impl fmt::Display, attempt: u32) -> Self {
        Self::of("DEC", order, attempt)
    }

    /// The id of the release that undoes the reserve of the same attempt.
    pub fn release(order: impl fmt::Display, attempt: u32) -> Self {
        Self::of("INC", order, attempt)
    }

    fn of(prefix: &str, order: impl fmt::Display, attempt: u32) -> Self {
        match attempt {
            0 | 1 => Self(format!("{prefix}-{order}").into()),
            n => Self(format!("{prefix}-{order}-{n}").into()),
        }
    }

    /// The reserve that this release undoes, or the release that undoes this reserve: `INC-x-n`
    /// and `DEC-x-n` are each other's counterparts, and nothing else has one.
    pub fn counterpart(&self) -> Option<Self> {
        match self.0.split_at_checked(4)? {
            ("INC-", rest) => Some(Self(["DEC-", rest].concat().into())),
            ("DEC-", rest) => Some(Self(["INC-", rest].concat().into())),
            _ => None,
        }
    }

    /// The order of this reserve or release, where it is named as orders are here: by a UUID in
    /// lower case. Texts of such requests sort as their orders do.
    pub fn order(&self) -> Option<OrderId> {
        let (prefix, rest) = self.0.split_at_checked(4)?;
        let uuid = rest.get(..uuid::fmt::Hyphenated::LENGTH)?;
        let ours =
            matches!(prefix, "DEC-" | "INC-") && !uuid.bytes().any(|b| b.is_ascii_uppercase());
        uuid.parse().ok().filter(|_| ours)
    }
}

impl From<&str> for RequestId {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}
impl From<String> for RequestId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer, |text| {
            bounded(text, Self::BYTES_MAX).map(Self)
        })
    }
}

/// A caller's name for a buyer or user: 1 to 64 of `[A-Za-z0-9_.:-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UserId(String);

/// A name that is not 1 to 64 of `[A-Za-z0-9_.:-]`.
#[derive(Debug, thiserror::Error)]
#[error("must be 1 to 64 of [A-Za-z0-9_.:-]")]
pub struct NameError;

impl UserId {
    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl FromStr for UserId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        is_name(text)
            .then(|| Self(text.to_owned()))
            .ok_or(NameError)
    }
}
impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer, str::parse)
    }
}

/// Whether a text is a caller's name for something: 1 to 64 of `[A-Za-z0-9_.:-]`.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
}

fn bounded(text: &str, bytes_max: usize) -> Result<Arc<str>, String> {
    if text.is_empty() || text.len() > bytes_max {
        return Err(format!("an id has 1 to {bytes_max} bytes"));
    }
    Ok(Arc::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserve_and_release_of_one_attempt_are_counterparts() {
        for attempt in [1, 2, 17] {
            let reserve = RequestId::reserve("o-1", attempt);
            let release = RequestId::release("o-1", attempt);
            assert_eq!(reserve.counterpart(), Some(release.clone()));
            assert_eq!(release.counterpart(), Some(reserve));
        }
        assert_eq!(RequestId::reserve("o-1", 1).as_str(), "DEC-o-1");
        assert_eq!(RequestId::reserve("o-1", 2).as_str(), "DEC-o-1-2");
        assert_eq!(RequestId::from("my-key").counterpart(), None);
        assert_eq!(RequestId::from("ä€x").counterpart(), None);
    }

    #[test]
    fn a_request_tells_its_order_where_the_text_sorts_as_the_order_does() {
        let order = OrderId::new(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_00ab));
        for attempt in [1, 2, 17] {
            assert_eq!(RequestId::reserve(order, attempt).order(), Some(order));
            assert_eq!(RequestId::release(order, attempt).order(), Some(order));
        }
        for other in [
            format!("PAY-{order}"),
            format!("DEC-{order}").to_uppercase(),
            format!("DEC-{}", order.uuid().simple()),
            "DEC-o-1".to_owned(),
            "DEC-".to_owned(),
            "€€".to_owned(),
        ] {
            assert_eq!(RequestId::from(other.as_str()).order(), None, "{other}");
        }
    }

    #[test]
    fn a_name_is_short_and_plain() {
        assert!("u-001".parse::<UserId>().is_ok());
        for bad in ["", " ", "a b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<UserId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_uuid_is_told_what_it_must_be() {
        let wrong = |value| {
            serde_json::from_value::<ProductId>(value)
                .unwrap_err()
                .to_string()
        };
        for bad in ["mug", "", "{"] {
            assert_eq!(wrong(bad.into()), "must be a UUID");
        }
        assert!(wrong(5.into()).contains("expected a string"));
    }
}
