//! Canonical forms and fingerprints, compared with those of other implementations.

use apache_avro::rabin::Rabin;
use avro::Schema;

use crate::schemas::{LIST, USER, schema};

fn number(text: &str) -> u64 {
    u64::from_le_bytes(schema(text).fingerprint())
}

/// The values are from Apache Avro's `schema-tests.txt`, the common test data of its implementations.
#[test]
fn fingerprints_match_the_published_ones() {
    for (text, fingerprint) in [
        ("\"null\"", 7_195_948_357_588_979_594_i64),
        ("\"boolean\"", -6_970_731_678_124_411_036),
        ("\"int\"", 8_247_732_601_305_521_295),
        ("\"long\"", -3_434_872_931_120_570_953),
        ("\"float\"", 5_583_340_709_985_441_680),
        ("\"double\"", -8_181_574_048_448_539_266),
        ("\"bytes\"", 5_746_618_253_357_095_269),
        ("\"string\"", -8_142_146_995_180_207_161),
    ] {
        assert_eq!(number(text) as i64, fingerprint, "{text}");
        assert_eq!(
            schema(&format!("{{\"type\":{text}}}")).canonical_form(),
            text
        );
    }
}

#[test]
fn fingerprints_match_the_apache_avro_crate_without_logical_types() {
    for text in [
        USER,
        LIST,
        r#"["null","int",{"type":"map","values":{"type":"array","items":"bytes"}}]"#,
        r#"{"type":"enum","name":"a.b.C","symbols":["X","Y"],"doc":"d"}"#,
        r#"{"type":"record","name":"R","namespace":"n","fields":[
            {"name":"f","type":{"type":"fixed","name":"F","size":7}},
            {"name":"g","type":"F"},{"name":"h","type":["null","n.R"],"default":null},
            {"name":"i","type":{"type":"record","name":"other.S","fields":[{"name":"t","type":
                {"type":"enum","name":"T","symbols":["A"]}}]}},{"name":"j","type":"other.T"}]}"#,
    ] {
        let apache = apache_avro::Schema::parse_str(text).unwrap();
        let schema = schema(text);
        assert_eq!(schema.canonical_form(), apache.canonical_form());
        assert_eq!(
            schema.fingerprint()[..],
            apache.fingerprint::<Rabin>().bytes
        );
    }
}

/// Each rule of the specification.
#[test]
fn the_canonical_form_has_only_what_the_encoding_depends_on() {
    let text = r#"{"fields":[
        {"order":"descending","type":{"logicalType":"decimal","precision":4,"scale":2,"type":"bytes"},
         "doc":"d","default":"","name":"price","aliases":["p"]},
        {"name":"when","type":{"type":"long","logicalType":"timestamp-millis"}}],
        "aliases":["Old"],"namespace":"shop","name":"Item","type":"record","custom":1}"#;
    let expected = r#"{"name":"shop.Item","type":"record","fields":[{"name":"price","type":"bytes"},{"name":"when","type":"long"}]}"#;
    assert_eq!(schema(text).canonical_form(), expected);
    assert_eq!(schema(expected).canonical_form(), expected);
    assert_eq!(schema(text).json(), text);
}

#[test]
fn resolves_names_in_their_namespace() {
    let text = r#"{"type":"record","name":"R","namespace":"a","fields":[
        {"name":"x","type":{"type":"fixed","name":"F","size":1,"namespace":""}},
        {"name":"y","type":{"type":"fixed","name":"F","size":2}},
        {"name":"z","type":"F"}]}"#;
    let form = schema(text).canonical_form().to_owned();
    assert_eq!(
        form,
        r#"{"name":"a.R","type":"record","fields":[{"name":"x","type":{"name":"F","type":"fixed","size":1}},{"name":"y","type":{"name":"a.F","type":"fixed","size":2}},{"name":"z","type":"a.F"}]}"#
    );
    assert_eq!(
        schema(text).validate(&[0; 5]),
        Ok(()),
        "one byte, two, and two of the type in the same namespace"
    );
    assert!(Schema::parse(&text.replace("\"\"", "1")).is_err());
}
