//! The wire format of Confluent's serializers: which schema of a schema registry a message was written with.
//!
//! The value begins with a magic byte of 0 and the schema's id, four bytes big-endian. Newer serializers may instead leave the
//! value as it is, and put the id or a GUID into a header: see [`SchemaHeader`].
//!
//! Source: Confluent's documentation, "Wire format", and `SchemaId` of its serializers.

/// The Kafka header of a [`SchemaHeader`].
pub const VALUE_SCHEMA_ID: &str = "__value_schema_id";

/// The magic byte before an id.
const MAGIC_ID: u8 = 0;

/// The magic byte before a GUID.
const MAGIC_GUID: u8 = 1;

/// The id and the datum of a framed value. `None` if the value does not begin with the magic byte and an id.
///
/// A raw datum can begin with the same bytes, so the caller has to know from its configuration that values are framed. The datum
/// is not validated.
pub fn split(value: &[u8]) -> Option<(u32, &[u8])> {
    let framed = value.strip_prefix(&[MAGIC_ID])?;
    let (id, datum) = framed.split_first_chunk()?;
    Some((u32::from_be_bytes(*id), datum))
}

/// The framed value of a datum.
pub fn frame(id: u32, datum: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(5 + datum.len());
    value.push(MAGIC_ID);
    value.extend_from_slice(&id.to_be_bytes());
    value.extend_from_slice(datum);
    value
}

/// The content of the header [`VALUE_SCHEMA_ID`]. The value of the message is then a datum without a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaHeader {
    /// The id within the registry: the magic byte 0 and four bytes, big-endian.
    Id(u32),
    /// The GUID, the same in every registry: the magic byte 1 and 16 bytes, big-endian.
    Guid([u8; 16]),
}

impl SchemaHeader {
    /// Parses the header's value. `None` if it is malformed.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (magic, rest) = value.split_first()?;
        match *magic {
            MAGIC_ID => Some(Self::Id(u32::from_be_bytes(rest.try_into().ok()?))),
            MAGIC_GUID => Some(Self::Guid(rest.try_into().ok()?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framed_value_has_the_id_and_the_datum() {
        assert_eq!(frame(0x0102_03ff, b"ab"), *b"\x00\x01\x02\x03\xffab");
        for (id, datum) in [(0, &b""[..]), (100_001, b"\x00"), (u32::MAX, b"datum")] {
            assert_eq!(split(&frame(id, datum)), Some((id, datum)));
        }
    }

    #[test]
    fn other_values_are_not_framed() {
        for value in [
            &b""[..],
            b"\x00",
            b"\x00\x00\x00\x01",
            b"\x01\x00\x00\x00\x01a",
        ] {
            assert_eq!(split(value), None);
        }
    }

    #[test]
    fn the_header_has_an_id_or_a_guid() {
        assert_eq!(
            SchemaHeader::parse(b"\x00\x00\x00\x01\x00"),
            Some(SchemaHeader::Id(256))
        );
        let guid: [u8; 16] = *b"0123456789abcdef";
        assert_eq!(
            SchemaHeader::parse(b"\x010123456789abcdef"),
            Some(SchemaHeader::Guid(guid))
        );
        for value in [
            &b""[..],
            b"\x00\x00\x00\x01",
            b"\x00\x00\x00\x01\x00\x00",
            b"\x010123456789abcde",
            b"\x010123456789abcdef0",
            b"\x02\x00\x00\x00\x01",
        ] {
            assert_eq!(SchemaHeader::parse(value), None);
        }
    }
}
