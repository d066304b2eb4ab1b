//! What is sent, and what the README promises to become of it. Pure.

use serde_json::{Value, json};

/// The end that the story promises to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Delivered to API type A.
    A,
    /// Delivered to API type B.
    B,
    /// Stored, but no route wants it: skipped and counted.
    NoRoute,
}

/// What a message is made of.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// One record as a raw datum.
    Datum(Value),
    /// Several in one container file.
    Container(Vec<Value>),
    /// Another message's bytes and one more.
    OneByteMore(&'static str),
    /// Another message's bytes without the last.
    OneByteLess(&'static str),
    /// No Avro at all.
    Text(&'static str),
}

/// One message of the story.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The file that it is kept in.
    pub(crate) file: &'static str,
    /// What it is, in a few words.
    pub(crate) what: &'static str,
    /// What it is made of.
    pub(crate) body: Body,
}

impl Message {
    /// The records in it, in order; none when the door must refuse it.
    pub(crate) fn records(&self) -> Vec<&Value> {
        match &self.body {
            Body::Datum(record) => vec![record],
            Body::Container(records) => records.iter().collect(),
            Body::OneByteMore(_) | Body::OneByteLess(_) | Body::Text(_) => Vec::new(),
        }
    }
}

/// What the routes of the tutorial mean for a record.
pub(crate) fn end_of(record: &Value) -> End {
    match record["id"].as_i64() {
        Some(1010) => End::A,
        Some(1020) => End::B,
        _ => End::NoRoute,
    }
}

/// The tutorial's three messages, several at once, and three that are not what they should be.
pub(crate) fn messages() -> Vec<Message> {
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
