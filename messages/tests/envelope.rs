//! What a reader makes of envelopes that were not written by this program, or not by this version.

use messages::{DecodeError, Envelope, envelope, product, wire};
use serde_json::{Map, Value, json};

#[test]
fn an_envelope_with_what_it_needs_is_read() {
    let read = decode(&good()).expect("an envelope");
    assert_eq!(read.request_id.as_str(), "DEC-o-1");
    assert_eq!(read.entity.as_str(), "p-1");
    assert!(matches!(read.body, product::Command::Reserve(_)));
}

#[test]
fn fields_that_nobody_knows_are_passed_over() {
    let mut envelope = good();
    envelope.insert("priority".into(), json!({"deep": [1, {"deeper": null}]}));
    envelope["body"]["giftWrap"] = json!("yes");
    assert_eq!(decode(&envelope), decode(&good()));
}

#[test]
fn optional_fields_may_be_null() {
    let mut envelope = good();
    for field in ["source", "replyTo", "causation", "traceparent"] {
        envelope.insert(field.into(), Value::Null);
    }
    assert_eq!(decode(&envelope), decode(&good()));
}

#[test]
fn a_body_before_its_kind_is_read_all_the_same() {
    // In a JSON map fields are sorted, so the bytes are written field by field.
    let mut ordered = vec![("body", good()["body"].clone())];
    let rest = good().into_iter().filter(|(name, _)| name != "body");
    let rest: Vec<(String, Value)> = rest.collect();
    ordered.extend(
        rest.iter()
            .map(|(name, value)| (name.as_str(), value.clone())),
    );
    let read = envelope::decode(&map(&ordered));
    assert_eq!(read, decode(&good()));
    assert!(read.is_ok(), "{read:?}");

    ordered.retain(|(name, _)| *name != "kind");
    ordered.push(("kind", json!("product.paint")));
    let read = envelope::decode::<product::Command>(&map(&ordered));
    assert_eq!(read, Err(DecodeError::UnknownKind("product.paint".into())));
}

#[test]
fn a_kind_that_nobody_knows_is_named() {
    for body in [
        json!({}),
        json!([1, 2]),
        json!(null),
        json!({"a": {"b": 1}}),
    ] {
        let envelope = with(&[("kind", json!("product.paint")), ("body", body)]);
        let read = decode(&envelope);
        assert_eq!(read, Err(DecodeError::UnknownKind("product.paint".into())));
    }
}

#[test]
fn a_version_that_nobody_knows_is_named() {
    for version in [0, 2, u64::MAX] {
        let read = decode(&with(&[("v", json!(version))]));
        assert_eq!(read, Err(DecodeError::UnknownVersion(version)));
    }
}

#[test]
fn a_field_that_is_missing_is_named() {
    for field in ["v", "kind", "requestId", "entity", "origin", "at", "body"] {
        let mut envelope = good();
        envelope.remove(field);
        says(&envelope, field);
    }
    for field in ["orderId", "quantity"] {
        let mut envelope = good();
        envelope["body"]
            .as_object_mut()
            .expect("a map")
            .remove(field);
        says(&envelope, field);
    }
}

#[test]
fn wrong_types_and_values_are_malformed() {
    let wrongs = [
        ("v", json!("1")),
        ("v", json!(-1)),
        ("kind", json!(7)),
        ("requestId", json!("")),
        ("requestId", json!("x".repeat(201))),
        ("entity", json!(null)),
        ("entity", json!("x".repeat(129))),
        ("origin", json!("nobody")),
        ("replyTo", json!("somewhere.else")),
        ("at", json!(0)),
        ("at", json!("yesterday")),
        ("body", json!(null)),
        ("body", json!({"orderId": "o-1", "quantity": 0})),
        ("body", json!({"orderId": "o-1", "quantity": -1})),
        ("body", json!({"orderId": "o-1", "quantity": 1.5})),
        ("body", json!({"orderId": "o-1", "quantity": 1_000_001})),
        ("body", json!({"orderId": "o-1", "quantity": "3"})),
    ];
    for (field, value) in wrongs {
        let read = decode(&with(&[(field, value.clone())]));
        assert!(
            matches!(read, Err(DecodeError::Malformed(_))),
            "{field}: {value}: {read:?}"
        );
    }
}

#[test]
fn what_is_no_map_is_malformed() {
    for bytes in [
        &b""[..],
        b"\xc1",
        b"\x01",
        b"\x90",
        b"\xa1x",
        b"\x81",
        b"\x81\x01\x02",
    ] {
        let read = envelope::decode::<product::Command>(bytes);
        assert!(
            matches!(read, Err(DecodeError::Malformed(_))),
            "{bytes:?}: {read:?}"
        );
    }
}

#[test]
fn every_cut_of_a_message_is_malformed() {
    let whole = wire::to_vec(&good());
    for length in 0..whole.len() {
        let read = envelope::decode::<product::Command>(&whole[..length]);
        assert!(
            matches!(read, Err(DecodeError::Malformed(_))),
            "{length}: {read:?}"
        );
    }
}

#[test]
fn nesting_without_end_is_refused_before_it_is_followed() {
    let mut payload = vec![0x91, 0x81, 0xa1, b'x'];
    payload.resize(100_000, 0x91);
    payload.push(0xc0);
    let pieces = wire::split(&payload);
    let [Ok(piece)] = pieces[..] else {
        panic!("{pieces:?}")
    };
    let read = envelope::decode::<product::Command>(piece);
    assert!(matches!(read, Err(DecodeError::Malformed(_))), "{read:?}");
}

type Read = Result<Envelope<product::Command>, DecodeError>;

fn decode(envelope: &Map<String, Value>) -> Read {
    envelope::decode(&wire::to_vec(envelope))
}

fn says(envelope: &Map<String, Value>, field: &str) {
    match decode(envelope) {
        Err(DecodeError::Malformed(reason)) => assert!(reason.contains(field), "{reason}"),
        read => panic!("without {field}: {read:?}"),
    }
}

fn with(fields: &[(&str, Value)]) -> Map<String, Value> {
    let mut envelope = good();
    for (name, value) in fields {
        envelope.insert((*name).to_owned(), value.clone());
    }
    envelope
}

fn good() -> Map<String, Value> {
    let envelope = json!({
        "v": 1, "kind": "product.reserve", "requestId": "DEC-o-1", "entity": "p-1",
        "origin": "saga", "at": "2026-01-31T12:00:00.000Z",
        "body": {"orderId": "o-1", "quantity": 3},
    });
    envelope.as_object().expect("a map").clone()
}

fn map(fields: &[(&str, Value)]) -> Vec<u8> {
    let mut bytes = vec![0x80 | u8::try_from(fields.len()).expect("few fields")];
    for (name, value) in fields {
        bytes.extend(wire::to_vec(name));
        bytes.extend(wire::to_vec(value));
    }
    bytes
}

#[test]
fn nesting_without_end_is_malformed_and_nothing_worse() {
    // {"x": [[[…]]]}
    let mut bytes = vec![0x81, 0xa1, b'x'];
    bytes.extend(std::iter::repeat_n(0x91, 100_000));
    bytes.push(0xc0);
    let read = messages::envelope::decode::<messages::product::Command>(&bytes);
    assert!(matches!(read, Err(messages::DecodeError::Malformed(_))));
}

#[test]
fn a_body_of_another_version_may_have_any_form() {
    let other = serde_json::json!({"v": 2, "kind": "product.reserve", "body": "another form"});
    let bytes = messages::wire::to_vec(&other);
    let read = messages::envelope::decode::<messages::product::Command>(&bytes);
    assert_eq!(
        read.map(|_| ()),
        Err(messages::DecodeError::UnknownVersion(2))
    );
}
