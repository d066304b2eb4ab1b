//! Routes and the versions of a schema.

#![cfg(test)]

use avro::Schema;
use routes::{RouteDefinition, Routes, VersionProblem};

const ID: &str = r#"{"name":"id","type":"int"}"#;
const COUNTRY: &str = r#"{"name":"country","type":"string","default":"PT"}"#;

fn record(fields: &[&str]) -> Schema {
    let text = format!(
        r#"{{"type":"record","name":"Order","fields":[{}]}}"#,
        fields.join(",")
    );
    Schema::parse(&text).unwrap()
}

fn status(symbols: &[&str]) -> String {
    format!(r#"{{"name":"status","type":{{"type":"enum","name":"Status","symbols":{symbols:?}}}}}"#)
}

fn problems(conditions: &[&str], reader: &Schema, versions: Vec<Schema>) -> Vec<String> {
    let definitions = conditions
        .iter()
        .enumerate()
        .map(|(index, when)| RouteDefinition {
            name: format!("R{index}"),
            when: (*when).to_owned(),
        });
    let routes = Routes::compile(definitions.collect(), reader).unwrap();
    let labelled = versions.into_iter().enumerate();
    let labelled: Vec<(String, Schema)> = labelled
        .map(|(index, schema)| (format!("version {}", index + 1), schema))
        .collect();
    let found = routes.check_versions(&labelled);
    found.iter().map(VersionProblem::to_string).collect()
}

#[test]
fn versions_that_cannot_be_resolved_are_reported() {
    let reader = record(&[ID, COUNTRY]);
    let text_id = record(&[r#"{"name":"id","type":"string"}"#]);
    let found = problems(&["country == 'ES'"], &reader, vec![text_id, reader.clone()]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("records of version 1 cannot be read: "),
        "{}",
        found[0]
    );
    assert!(found[0].contains("id"), "{}", found[0]);
}

#[test]
fn a_field_that_early_versions_lack_is_not_reported() {
    let reader = record(&[ID, COUNTRY]);
    let versions = vec![record(&[ID]), reader.clone(), reader.clone()];
    assert_eq!(
        problems(&["country == 'ES'"], &reader, versions),
        [] as [&str; 0]
    );
    assert_eq!(
        problems(&["country == 'ES'"], &reader, vec![record(&[ID])]),
        [] as [&str; 0]
    );
    assert_eq!(
        problems(&["country == 'ES'"], &reader, vec![]),
        [] as [&str; 0]
    );
}

#[test]
fn a_field_that_later_versions_lack_is_reported_from_the_first_of_them_on() {
    let reader = record(&[ID, COUNTRY]);
    let without = record(&[ID, r#"{"name":"region","type":"string"}"#]);
    let versions = vec![
        reader.clone(),
        without.clone(),
        reader.clone(),
        without.clone(),
        without,
    ];
    assert_eq!(
        problems(&["country == 'ES'", "id == 1"], &reader, versions.clone()),
        [r#"route "R0": from version 4 on, the field country has its default in every record"#]
    );
    assert_eq!(
        problems(&["id == 1"], &reader, versions.clone()),
        [] as [&str; 0]
    );
    let alias = r#"{"name":"country","type":"string","default":"PT","aliases":["region"]}"#;
    assert_eq!(
        problems(&["country == 'ES'"], &record(&[ID, alias]), versions),
        [] as [&str; 0]
    );
}

#[test]
fn symbols_that_no_later_version_has_are_reported() {
    let reader = record(&[ID, &status(&["OLD", "NEW", "LOST"])]);
    let old = record(&[ID, &status(&["OLD"])]);
    let new = record(&[ID, &status(&["NEW"])]);
    let condition = ["status in ['OLD', 'NEW'] && id > 1", "status == 'LOST'"];
    assert_eq!(
        problems(
            &condition,
            &reader,
            vec![old.clone(), old, new.clone(), new]
        ),
        [
            r#"route "R0": from version 3 on, no record has the status "OLD""#,
            r#"route "R1": from version 1 on, no record has the status "LOST""#
        ]
    );
}

/// The reader's default replaces a symbol that it lacks.
#[test]
fn a_symbol_that_may_be_the_default_is_not_reported() {
    let reader = record(&[
        ID,
        r#"{"name":"status","type":{"type":"enum","name":"Status","symbols":["A","OTHER"],"default":"OTHER"}}"#,
    ]);
    let version = record(&[ID, &status(&["A", "B"])]);
    assert_eq!(
        problems(&["status == 'OTHER'"], &reader, vec![version]),
        [] as [&str; 0]
    );
}

#[test]
fn another_logical_type_is_reported() {
    let at = |logical: &str| {
        let field =
            format!(r#"{{"name":"at","type":{{"type":"long","logicalType":"{logical}"}}}}"#);
        record(&[ID, &field])
    };
    let versions = vec![
        at("timestamp-millis"),
        at("timestamp-micros"),
        at("none"),
        at("local-timestamp-micros"),
    ];
    assert_eq!(
        problems(
            &["at > timestamp(0)", "id == 1"],
            &at("timestamp-micros"),
            versions
        ),
        [
            r#"route "R0": at has another logical type in version 1 than in the schema"#,
            r#"route "R0": at has another logical type in version 3 than in the schema"#
        ]
    );
}
