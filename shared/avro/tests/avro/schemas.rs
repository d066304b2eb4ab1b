//! Schemas and values for the tests.

use avro::Schema;
use serde_json::{Value, json};

/// The tutorial's record.
pub(crate) const USER: &str = include_str!("../../../../schemas/user.avsc");

/// A record with fields of all types.
pub(crate) const WIDE: &str = r#"{"type":"record","name":"Wide","namespace":"shop","fields":[
  {"name":"flag","type":"boolean"},
  {"name":"small","type":"int"},
  {"name":"large","type":"long"},
  {"name":"ratio","type":"float"},
  {"name":"exact","type":"double"},
  {"name":"blob","type":"bytes"},
  {"name":"title","type":"string"},
  {"name":"nothing","type":"null"},
  {"name":"hash","type":{"type":"fixed","name":"Hash","size":4}},
  {"name":"colour","type":{"type":"enum","name":"Colour","symbols":["RED","GREEN","BLUE"]}},
  {"name":"address","type":["null",{"type":"record","name":"Address","fields":[
    {"name":"street","type":"string"},{"name":"city","type":"string"},
    {"name":"second","type":["null","Hash"],"default":null}]}]},
  {"name":"billing","type":["null","Address"],"default":null},
  {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
    {"name":"sku","type":"string"},{"name":"tags","type":{"type":"array","items":"string"}}]}}},
  {"name":"labels","type":{"type":"map","values":"long"}},
  {"name":"any","type":["null","long","string","Colour"]},
  {"name":"when","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}
]}"#;

/// A linked list.
pub(crate) const LIST: &str = r#"{"type":"record","name":"List","fields":[
  {"name":"value","type":"long"},{"name":"next","type":["null","List"],"default":null}]}"#;

pub(crate) fn schema(json: &str) -> Schema {
    Schema::parse(json).expect("a schema")
}

pub(crate) fn user() -> Value {
    json!({"id":10029,"name":"John","email":"john@bla.com"})
}

pub(crate) fn wide() -> Value {
    json!({
        "flag": true, "small": -7, "large": 1_234_567_890_123_i64, "ratio": 0.1, "exact": 2.5,
        "blob": "\u{0}\u{ff}x", "title": "grün", "nothing": null, "hash": "abcd", "colour": "BLUE",
        "address": {"street": "Main 1", "city": "Porto", "second": "wxyz"}, "billing": null,
        "lines": [{"sku": "a", "tags": ["x", "y"]}, {"sku": "b", "tags": []}],
        "labels": {"one": 1, "two": 2}, "any": "RED", "when": "2023-11-14T22:13:20.000Z", "price": "2.58"
    })
}
