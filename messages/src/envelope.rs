//! The envelope: what every command and reply carries besides its body.
//!
//! On the wire it is one MessagePack map with named fields. Unknown fields are passed over, an
//! unknown kind or version is a typed error, and a body is read only when its kind is known.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};

use crate::{
    EntityId, Refusal, RequestId, Subject, Timestamp,
    wire::{self, DecodeError},
};

pub use crate::raw::Raw;

/// The version of the envelope that this program writes and reads.
pub const VERSION: u64 = 1;

/// What an envelope carries: a closed set of kinds, each with a body of its own.
pub trait Body: Sized {
    /// The kind, such as `product.reserve`.
    fn kind(&self) -> &'static str;
    /// Writes the body without its kind.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    /// Reads the body of a kind; `None` where the kind is not of this set.
    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error>;
}

/// The answers of one service's entities, when they did as they were asked. Together with the
/// refusal they make the answers that travel: `Result<R, Refusal>` is a [`Body`].
pub trait Reply: Body {
    /// The kind of a refusal, such as `product.refused`.
    const REFUSED: &'static str;
}

impl<R: Reply> Body for Result<R, Refusal> {
    fn kind(&self) -> &'static str {
        self.as_ref().map_or(R::REFUSED, Body::kind)
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Ok(reply) => reply.write(serializer),
            Err(refusal) => refusal.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        if kind == R::REFUSED {
            return Refusal::deserialize(deserializer).map(|refusal| Some(Err(refusal)));
        }
        R::read(kind, deserializer).map(|reply| reply.map(Ok))
    }
}

/// A body without fields.
#[derive(Serialize, Deserialize)]
pub(crate) struct Empty {}

/// Who asked for an effect. The same request id of two origins is two effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A saga of ours.
    Saga,
    /// An order system outside, over REST.
    Rest,
    /// A caller with a key of its own.
    Client,
}

impl Origin {
    /// The word in messages and in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Saga => "saga",
            Self::Rest => "rest",
            Self::Client => "client",
        }
    }

    /// The origin of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Saga, Self::Rest, Self::Client]
            .into_iter()
            .find(|o| o.name() == name)
    }
}

/// A message and what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<B> {
    /// The idempotency key of the effect asked for, or of the effect that is answered.
    pub request_id: RequestId,
    /// The entity that this is for.
    pub entity: EntityId,
    /// The entity that this is from, where it is an entity.
    pub source: Option<EntityId>,
    /// Who asked.
    pub origin: Origin,
    /// Where the answer is wanted.
    pub reply_to: Option<Subject>,
    /// The message or request that led to this one.
    pub causation: Option<String>,
    /// The trace that this belongs to (W3C Trace Context).
    pub traceparent: Option<String>,
    /// When it was first written.
    pub at: Timestamp,
    /// What is said.
    pub body: B,
}

/// Reads one envelope.
///
/// # Errors
/// A [`DecodeError`] that says which part could not be understood.
pub fn decode<B: Body>(bytes: &[u8]) -> Result<Envelope<B>, DecodeError> {
    let parts: Parts<B> = {
        let mut reader = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
        reader.set_max_depth(wire::DEPTH_MAX);
        reader
            .deserialize_map(PartsVisitor(std::marker::PhantomData))
            .map_err(|error| wire::malformed(&error))?
    };
    let missing = |field: &str| DecodeError::Malformed(format!("missing field `{field}`"));
    match parts.version {
        Some(VERSION) => {}
        Some(other) => return Err(DecodeError::UnknownVersion(other)),
        None => return Err(missing("v")),
    }
    let kind = parts.kind.ok_or_else(|| missing("kind"))?;
    let body = match parts.body {
        BodyPart::Missing => return Err(missing("body")),
        BodyPart::Unknown => return Err(DecodeError::UnknownKind(kind)),
        BodyPart::Read(body) => body,
    };
    Ok(Envelope {
        request_id: parts.request_id.ok_or_else(|| missing("requestId"))?,
        entity: parts.entity.ok_or_else(|| missing("entity"))?,
        source: parts.source,
        origin: parts.origin.ok_or_else(|| missing("origin"))?,
        reply_to: parts.reply_to,
        causation: parts.causation,
        traceparent: parts.traceparent,
        at: parts.at.ok_or_else(|| missing("at"))?,
        body,
    })
}

impl<B: Body> Serialize for Envelope<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let optional = [
            self.source.is_some(),
            self.reply_to.is_some(),
            self.causation.is_some(),
            self.traceparent.is_some(),
        ];
        let fields = 7 + optional.into_iter().filter(|present| *present).count();
        let mut map = serializer.serialize_map(Some(fields))?;
        map.serialize_entry("v", &VERSION)?;
        map.serialize_entry("kind", self.body.kind())?;
        map.serialize_entry("requestId", &self.request_id)?;
        map.serialize_entry("entity", &self.entity)?;
        map.serialize_entry("origin", &self.origin)?;
        entry(&mut map, "source", self.source.as_ref())?;
        entry(&mut map, "replyTo", self.reply_to.as_ref())?;
        entry(&mut map, "causation", self.causation.as_ref())?;
        entry(&mut map, "traceparent", self.traceparent.as_ref())?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("body", &Written(&self.body))?;
        map.end()
    }
}

fn entry<M: SerializeMap>(
    map: &mut M,
    name: &str,
    value: Option<&impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

/// A body without its kind, ready to be written.
pub struct Written<'a, B>(pub &'a B);

impl<B: Body> Serialize for Written<'_, B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

/// What has been read of an envelope so far.
struct Parts<B> {
    version: Option<u64>,
    kind: Option<String>,
    request_id: Option<RequestId>,
    entity: Option<EntityId>,
    source: Option<EntityId>,
    origin: Option<Origin>,
    reply_to: Option<Subject>,
    causation: Option<String>,
    traceparent: Option<String>,
    at: Option<Timestamp>,
    body: BodyPart<B>,
}

enum BodyPart<B> {
    Missing,
    Unknown,
    Read(B),
}

struct PartsVisitor<B>(std::marker::PhantomData<B>);

impl<'de, B: Body> Visitor<'de> for PartsVisitor<B> {
    type Value = Parts<B>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts<B>, A::Error> {
        let mut parts = Parts {
            version: None,
            kind: None,
            request_id: None,
            entity: None,
            source: None,
            origin: None,
            reply_to: None,
            causation: None,
            traceparent: None,
            at: None,
            body: BodyPart::Missing,
        };
        // A body that comes before its kind is kept as it is until the kind is known.
        let mut early: Option<rmpv::Value> = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*name {
                "v" => parts.version = Some(map.next_value()?),
                "kind" => parts.kind = Some(map.next_value()?),
                "requestId" => parts.request_id = Some(map.next_value()?),
                "entity" => parts.entity = Some(map.next_value()?),
                "source" => parts.source = map.next_value()?,
                "origin" => parts.origin = Some(map.next_value()?),
                "replyTo" => parts.reply_to = map.next_value()?,
                "causation" => parts.causation = map.next_value()?,
                "traceparent" => parts.traceparent = map.next_value()?,
                "at" => parts.at = Some(map.next_value()?),
                "body" => match parts.kind.as_deref() {
                    Some(kind) if parts.version.is_none_or(|v| v == VERSION) => {
                        parts.body =
                            map.next_value_seed(BodySeed(kind, std::marker::PhantomData))?;
                    }
                    _ => early = Some(map.next_value()?),
                },
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // A body of another version is not ours to read: the version is the error to be told.
        if let (Some(VERSION), Some(value), Some(kind)) =
            (parts.version, early, parts.kind.as_deref())
        {
            parts.body = BodySeed(kind, std::marker::PhantomData)
                .deserialize(value)
                .map_err(serde::de::Error::custom)?;
        }
        Ok(parts)
    }
}

struct BodySeed<'k, B>(&'k str, std::marker::PhantomData<B>);

impl<'de, B: Body> DeserializeSeed<'de> for BodySeed<'_, B> {
    type Value = BodyPart<B>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<BodyPart<B>, D::Error> {
        B::read(self.0, deserializer).map(|body| body.map_or(BodyPart::Unknown, BodyPart::Read))
    }
}

/// The body of a kind that a reader does not know: passes over its bytes.
///
/// For implementations of [`Body::read`]: whatever the kind, the value must be consumed.
pub fn unknown<'de, B, D: Deserializer<'de>>(deserializer: D) -> Result<Option<B>, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| None)
}
