//! The messages that the demo sends, and the expected destination of each record.

use serde_json::{Value, json};

/// The destination of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Delivered to API type A.
    A,
    /// Delivered to API type B.
    B,
    /// No route matches: stored, skipped and counted.
    NoRoute,
}

/// The content of a message.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// One record as a raw datum.
    Datum(Value),
    /// Several records in one container file.
    Container(Vec<Value>),
    /// Another message's bytes and one more byte.
    OneByteMore(&'static str),
    /// Another message's bytes without the last byte.
    OneByteLess(&'static str),
    /// Text that is not Avro.
    Text(&'static str),
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The name of its file.
    pub(crate) file: &'static str,
    /// A short description.
    pub(crate) what: &'static str,
    /// The content.
    pub(crate) body: Body,
}

impl Message {
    /// The records in order; none if the function must reject the message.
    pub(crate) fn records(&self) -> Vec<&Value> {
        match &self.body {
            Body::Datum(record) => vec![record],
            Body::Container(records) => records.iter().collect(),
            Body::OneByteMore(_) | Body::OneByteLess(_) | Body::Text(_) => Vec::new(),
        }
    }
}

/// The expected destination of a record, by the tutorial's routes.
pub(crate) fn destination_of(record: &Value) -> Destination {
    match record["id"].as_i64() {
        Some(1010) => Destination::A,
        Some(1020) => Destination::B,
        _ => Destination::NoRoute,
    }
}

/// The tutorial's three messages, one message with several records, and three invalid messages.
pub(crate) fn all() -> Vec<Message> {
    let message = |file, what, body| Message { file, what, body };
    let user = |id: i32, name: &str, email: &str| json!({"id": id, "name": name, "email": email});
    vec![
        message(
            "meu_file.bin",
            "one datum, id 10029",
            Body::Datum(user(10029, "John", "john@bla.com")),
        ),
        message(
            "type_a_message.bin",
            "one datum, id 1010",
            Body::Datum(user(1010, "Paul that goes to API type A", "paul@bla.com")),
        ),
        message(
            "type_b_message.bin",
            "one datum, id 1020",
            Body::Datum(user(1020, "Mary that goes to API type B", "mary@bla.com")),
        ),
        message(
            "several.avro",
            "a container file",
            Body::Container(vec![
                user(1010, "Ana", "ana@bla.com"),
                user(1020, "Bruno", "bruno@bla.com"),
                user(10030, "Carla", "carla@bla.com"),
                user(1020, "Davi", "davi@bla.com"),
                user(1010, "Elisa", "elisa@bla.com"),
                user(10031, "Fábio", "fabio@bla.com"),
                user(1010, "Gilda", "gilda@bla.com"),
            ]),
        ),
        message(
            "one_byte_more.bin",
            "a datum and a trailing byte",
            Body::OneByteMore("type_a_message.bin"),
        ),
        message(
            "one_byte_less.bin",
            "a truncated datum",
            Body::OneByteLess("type_b_message.bin"),
        ),
        message(
            "text.json",
            "the record as JSON text",
            Body::Text(
                "{\"id\":1010,\"name\":\"Paul that goes to API type A\",\"email\":\"paul@bla.com\"}",
            ),
        ),
    ]
}
