//! Schemas as the registry stores them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An Avro schema of the registry. Its text has not been parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredSchema {
    /// The id. `None` after a lookup by GUID: that response has no id.
    pub id: Option<u32>,
    /// The GUID, if the registry has GUIDs (Confluent's since 8.0).
    pub guid: Option<[u8; 16]>,
    /// The version within the subject. `None` after a lookup by id or GUID.
    pub version: Option<u32>,
    /// The schema, as JSON.
    pub json: String,
    /// The schemas that define the names used in `json`, as JSON. Each one precedes those that use it.
    pub references: Vec<String>,
}

/// A reference of a schema to another one, whose named type it uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SchemaReference {
    /// The full name of the type.
    pub name: String,
    /// The subject of the other schema.
    pub subject: String,
    /// Its version within that subject.
    pub version: u32,
}

impl RegisteredSchema {
    /// The size of all texts, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.json.len() + self.references.iter().map(String::len).sum::<usize>()
    }
}

/// A schema in a response of the registry. Fields that are not listed are ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct SchemaResponse {
    pub(crate) schema: String,
    /// Absent: Avro.
    #[serde(rename = "schemaType")]
    pub(crate) schema_type: Option<String>,
    pub(crate) references: Option<Vec<SchemaReference>>,
    pub(crate) id: Option<u32>,
    pub(crate) guid: Option<String>,
    pub(crate) version: Option<u32>,
}

impl SchemaResponse {
    /// The type, if it is not Avro.
    pub(crate) fn other_type(&self) -> Option<&str> {
        self.schema_type
            .as_deref()
            .filter(|name| !name.eq_ignore_ascii_case("AVRO"))
    }

    /// The GUID, if the response has a valid one.
    pub(crate) fn guid(&self) -> Option<[u8; 16]> {
        parse_guid(self.guid.as_deref()?)
    }
}

/// The text form of a GUID (RFC 9562): `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, in lower case.
pub(crate) fn format_guid(guid: &[u8; 16]) -> String {
    Uuid::from_bytes(*guid).to_string()
}

fn parse_guid(text: &str) -> Option<[u8; 16]> {
    Some(Uuid::try_parse(text).ok()?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_survives_its_text_form() {
        let guid: [u8; 16] = std::array::from_fn(|index| index as u8 * 17);
        let text = format_guid(&guid);
        assert_eq!(text, "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(parse_guid(&text), Some(guid));
        assert_eq!(parse_guid(&text.to_uppercase()), Some(guid));
        for wrong in [
            "",
            "00112233-4455-6677-8899-aabbccddeef",
            "zz112233445566778899aabbccddeeff",
            "éé",
        ] {
            assert_eq!(parse_guid(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn optional_fields_may_be_null_or_absent() {
        let body = r#"{"schema":"\"long\"","schemaType":null,"references":null,"ruleSet":{}}"#;
        let response: SchemaResponse = serde_json::from_str(body).unwrap();
        assert_eq!(
            (response.schema.as_str(), response.other_type()),
            ("\"long\"", None)
        );
        let body = r#"{"schema":"syntax = \"proto3\";","schemaType":"PROTOBUF"}"#;
        let response: SchemaResponse = serde_json::from_str(body).unwrap();
        assert_eq!(response.other_type(), Some("PROTOBUF"));
    }
}
