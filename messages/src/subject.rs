//! Where messages travel: every subject and stream name is built and parsed here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// A service and the word that stands for it in subjects, stream names and event ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Orders and their sagas.
    Order,
    /// Products and their stock.
    Product,
    /// Wallets and their points.
    Point,
    /// Coupon campaigns and what they issued.
    Coupon,
    /// Payments through a gateway.
    Payment,
}

impl Service {
    /// All services.
    pub const ALL: [Self; 5] = [
        Self::Order,
        Self::Product,
        Self::Point,
        Self::Coupon,
        Self::Payment,
    ];

    /// The word in subjects, such as `order`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Product => "product",
            Self::Point => "point",
            Self::Coupon => "coupon",
            Self::Payment => "payment",
        }
    }

    /// The stream that this service reads: its replies for orders, its commands for all others.
    pub const fn inbox(self) -> &'static str {
        match self {
            Self::Order => "REPLY_ORDER",
            Self::Product => "CMD_PRODUCT",
            Self::Point => "CMD_POINT",
            Self::Coupon => "CMD_COUPON",
            Self::Payment => "CMD_PAYMENT",
        }
    }

    /// The subject of one partition of that stream.
    pub const fn inbox_subject(self, partition: Partition) -> Subject {
        match self {
            Self::Order => Subject::Reply(self, partition),
            Self::Product | Self::Point | Self::Coupon | Self::Payment => {
                Subject::Command(self, partition)
            }
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl FromStr for Service {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|s| s.name() == text)
            .ok_or(SubjectError)
    }
}

/// A fixed share of a service's entities, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub u16);

impl Partition {
    /// The most partitions that a service may have.
    pub const COUNT_MAX: u16 = 1024;

    /// The partition of a key: FNV-1a (64 bit) of its bytes, modulo `partitions`.
    pub fn of(key: &[u8], partitions: u16) -> Self {
        let hash = crate::digest::fnv1a(key);
        let index = hash % u64::from(partitions.max(1));
        Self(u16::try_from(index).expect("a remainder of a u16 fits into one"))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A subject that messages travel on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// `cmd.<service>.<partition>`: commands for a service's entities.
    Command(Service, Partition),
    /// `reply.<service>.<partition>`: answers to what a service's entities asked.
    Reply(Service, Partition),
    /// `dead.<service>.<partition>`: what a service could not understand or carry out.
    Dead(Service, Partition),
    /// `ask.<service>.<partition>`: a request that the owner answers at once, outside any stream.
    Ask(Service, Partition),
}

/// The stream of all events, and what it listens to.
pub const EVENTS: (&str, &str) = ("EVENTS", "event.>");
/// The stream of all dead letters, and what it listens to.
pub const DEAD: (&str, &str) = ("DEAD", "dead.>");

/// The subject of an event: `event.` and its kind, such as `event.product.reserved`.
pub fn event(kind: &str) -> String {
    format!("event.{kind}")
}

/// A text that is none of our subjects.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a subject of Onhand")]
pub struct SubjectError;

impl Subject {
    /// The partition that a message on this subject is for.
    pub const fn partition(self) -> Partition {
        match self {
            Self::Command(_, p) | Self::Reply(_, p) | Self::Dead(_, p) | Self::Ask(_, p) => p,
        }
    }

    /// The service that reads this subject.
    pub const fn service(self) -> Service {
        match self {
            Self::Command(s, _) | Self::Reply(s, _) | Self::Dead(s, _) | Self::Ask(s, _) => s,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, service, partition) = match self {
            Self::Command(s, p) => ("cmd", s, p),
            Self::Reply(s, p) => ("reply", s, p),
            Self::Dead(s, p) => ("dead", s, p),
            Self::Ask(s, p) => ("ask", s, p),
        };
        write!(f, "{word}.{service}.{partition}")
    }
}

impl FromStr for Subject {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.');
        let (Some(word), Some(service), Some(partition), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SubjectError);
        };
        let service = service.parse()?;
        let partition = Partition(partition.parse().map_err(|_| SubjectError)?);
        match word {
            "cmd" => Ok(Self::Command(service, partition)),
            "reply" => Ok(Self::Reply(service, partition)),
            "dead" => Ok(Self::Dead(service, partition)),
            "ask" => Ok(Self::Ask(service, partition)),
            _ => Err(SubjectError),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer, str::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_parses_as_it_was_written() {
        for service in Service::ALL {
            let p = Partition(7);
            for subject in [
                Subject::Command(service, p),
                Subject::Reply(service, p),
                Subject::Dead(service, p),
                Subject::Ask(service, p),
            ] {
                assert_eq!(subject.to_string().parse(), Ok(subject));
            }
        }
        for bad in [
            "",
            "cmd",
            "cmd.product",
            "cmd.product.x",
            "cmd.mug.1",
            "cmd.product.1.2",
            "x.order.1",
        ] {
            assert_eq!(bad.parse::<Subject>(), Err(SubjectError), "{bad}");
        }
    }

    /// Partitions are fixed in databases and streams: another hash would lose every entity.
    #[test]
    fn the_partition_of_a_key_never_changes() {
        assert_eq!(Partition::of(b"", 8), Partition(5));
        assert_eq!(Partition::of(b"a", 8), Partition(4));
    }
}
