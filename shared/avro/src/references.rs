//! Joins a schema with the schemas that it references, as schema registries store them, to one self-contained schema.
//!
//! The definition of a type is put where its name is used first, as the canonical form requires. So the result has no more
//! definitions than the texts, and any Avro library can parse it.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::{SchemaError, names, parse};

/// The maximum nesting of the joined JSON. It is below the limit of JSON parsers, 128.
const MAX_NESTING: usize = 120;

/// The JSON text of the schema with the definitions of the named types of `references`.
///
/// # Errors
/// A text is not JSON, two references define a type differently, or the result exceeds a limit.
pub(super) fn join(schema: &str, references: &[&str]) -> Result<String, SchemaError> {
    let size: usize = references.iter().map(|text| text.len()).sum();
    parse::check_length(size.saturating_add(schema.len()))?;
    let references = references.iter().map(|text| parse::json(text));
    let references = references.collect::<Result<Vec<Value>, SchemaError>>()?;
    let mut definitions = HashMap::new();
    for reference in &references {
        collect(reference, None, &mut definitions)?;
    }
    let mut joiner = Joiner {
        definitions,
        defined: HashSet::new(),
    };
    let joined = joiner.schema(&parse::json(schema)?, None, false, 0)?;
    Ok(joined.to_string())
}

type Definition<'j> = &'j Map<String, Value>;

/// Finds the definitions of named types, by full name.
// Recursion is limited by the nesting of the JSON text.
fn collect<'j>(
    json: &'j Value,
    namespace: Option<&str>,
    definitions: &mut HashMap<String, Definition<'j>>,
) -> Result<(), SchemaError> {
    match json {
        Value::Array(branches) => {
            (branches.iter()).try_for_each(|branch| collect(branch, namespace, definitions))
        }
        Value::Object(object) => {
            let name = defined_name(object, namespace);
            let namespace = match &name {
                Some(name) => names::namespace(name),
                None => namespace,
            };
            if let Some(name) = &name {
                let known = definitions.insert(name.clone(), object);
                if known.is_some_and(|known| known != object) {
                    return Err(SchemaError(format!(
                        "two references define the type {name} differently"
                    )));
                }
            }
            inner_types(object).try_for_each(|inner| collect(inner, namespace, definitions))
        }
        _ => Ok(()),
    }
}

/// The types directly inside a type: of fields, items, values, or of `{"type": {…}}`.
fn inner_types(object: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let fields = object.get("fields").and_then(Value::as_array);
    let fields = fields.into_iter().flatten();
    let kinds = fields.filter_map(|field| field.get("type"));
    let own = ["items", "values", "type"].map(|key| object.get(key));
    own.into_iter().flatten().chain(kinds)
}

/// The full name of the type that an object defines. `None` for other types.
fn defined_name(object: &Map<String, Value>, namespace: Option<&str>) -> Option<String> {
    let kind = object.get("type")?.as_str()?;
    if !["record", "error", "enum", "fixed"].contains(&kind) {
        return None;
    }
    let own = object.get("namespace").and_then(Value::as_str);
    let name = object.get("name")?.as_str()?;
    Some(names::full_name(name, own.or(namespace)))
}

struct Joiner<'j> {
    /// The definitions of the references.
    definitions: HashMap<String, Definition<'j>>,
    /// The full names that are defined in the result so far.
    defined: HashSet<String>,
}

impl Joiner<'_> {
    fn schema(
        &mut self,
        json: &Value,
        namespace: Option<&str>,
        in_reference: bool,
        level: usize,
    ) -> Result<Value, SchemaError> {
        if level > MAX_NESTING {
            return Err(SchemaError(format!(
                "the schema is nested deeper than {MAX_NESTING} with its references"
            )));
        }
        match json {
            Value::String(name) => self.reference(name, namespace, level),
            Value::Array(branches) => {
                let branches = branches.iter();
                let joined =
                    branches.map(|branch| self.schema(branch, namespace, in_reference, level + 1));
                Ok(Value::Array(joined.collect::<Result<_, _>>()?))
            }
            Value::Object(object) => self.object(object, namespace, in_reference, level),
            other => Ok(other.clone()),
        }
    }

    /// A type's name, or its definition if it has none in the result yet.
    fn reference(
        &mut self,
        name: &str,
        namespace: Option<&str>,
        level: usize,
    ) -> Result<Value, SchemaError> {
        let full_name = names::full_name(name, namespace);
        // In the order in which the parser looks for a type.
        for candidate in [full_name.as_str(), name] {
            if parse::is_primitive(name) || self.defined.contains(candidate) {
                break;
            }
            if let Some(definition) = self.definitions.get(candidate).copied() {
                let mut definition = definition.clone();
                let namespace = names::namespace(candidate).unwrap_or_default();
                definition.insert("name".to_owned(), names::unqualified(candidate).into());
                definition.insert("namespace".to_owned(), namespace.into());
                return self.object(&definition, None, true, level);
            }
        }
        Ok(name.into())
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
        in_reference: bool,
        level: usize,
    ) -> Result<Value, SchemaError> {
        let name = defined_name(object, namespace);
        let is_container = matches!(
            object.get("type").and_then(Value::as_str),
            Some("array" | "map")
        );
        let mut namespace = namespace;
        if let Some(name) = &name {
            // The type is inside another one in the reference, and has been used before that one.
            if !self.defined.insert(name.clone()) && in_reference {
                return Ok(name.as_str().into());
            }
            namespace = names::namespace(name);
        } else if let (false, Some(kind)) = (is_container, object.get("type")) {
            // {"type": "a.Name"} means the type, and so does {"type": {…}}.
            let inner = self.schema(kind, namespace, in_reference, level + 1)?;
            if inner != *kind {
                return Ok(inner);
            }
        }
        let mut joined = object.clone();
        for key in ["items", "values"] {
            if let (true, Some(inner)) = (is_container, joined.get_mut(key)) {
                *inner = self.schema(inner, namespace, in_reference, level + 1)?;
            }
        }
        let fields = joined.get_mut("fields").and_then(Value::as_array_mut);
        for field in fields.into_iter().flatten() {
            if let Some(kind) = field.get_mut("type") {
                *kind = self.schema(kind, namespace, in_reference, level + 3)?;
            }
        }
        Ok(Value::Object(joined))
    }
}

#[cfg(test)]
mod tests {
    use crate::Schema;

    const MONEY: &str = r#"{"type":"record","name":"Money","namespace":"shop","fields":[
        {"name":"currency","type":{"type":"enum","name":"Currency","symbols":["EUR","USD"]}},
        {"name":"cents","type":"long"}]}"#;
    const LINE: &str = r#"{"type":"record","name":"Line","namespace":"shop","fields":[
        {"name":"price","type":"Money"},{"name":"next","type":["null","Line"],"default":null}]}"#;
    const PLAIN: &str = r#"{"type":"fixed","name":"Plain","size":2}"#;
    const ORDER: &str = r#"{"type":"record","name":"Order","namespace":"api","fields":[
        {"name":"currency","type":"shop.Currency"},
        {"name":"lines","type":{"type":"array","items":"shop.Line"}},
        {"name":"total","type":{"type":"shop.Money"}},
        {"name":"by_day","type":{"type":"map","values":["null","shop.Money"]}},
        {"name":"plain","type":["null","Plain"]},{"name":"again","type":"Plain"}]}"#;

    #[test]
    fn the_joined_schema_is_self_contained() {
        let schema = Schema::parse_with_references(ORDER, &[MONEY, LINE, PLAIN]).unwrap();
        let again = Schema::parse(schema.json()).unwrap();
        assert_eq!(again.canonical_form(), schema.canonical_form());
        assert_eq!(again.fingerprint(), schema.fingerprint());
        let expected = concat!(
            r#"{"name":"api.Order","type":"record","fields":["#,
            r#"{"name":"currency","type":{"name":"shop.Currency","type":"enum","symbols":["EUR","USD"]}},"#,
            r#"{"name":"lines","type":{"type":"array","items":{"name":"shop.Line","type":"record","fields":["#,
            r#"{"name":"price","type":{"name":"shop.Money","type":"record","fields":["#,
            r#"{"name":"currency","type":"shop.Currency"},{"name":"cents","type":"long"}]}},"#,
            r#"{"name":"next","type":["null","shop.Line"]}]}}},"#,
            r#"{"name":"total","type":"shop.Money"},"#,
            r#"{"name":"by_day","type":{"type":"map","values":["null","shop.Money"]}},"#,
            r#"{"name":"plain","type":["null",{"name":"Plain","type":"fixed","size":2}]},"#,
            r#"{"name":"again","type":"Plain"}]}"#,
        );
        assert_eq!(schema.canonical_form(), expected);
    }

    #[test]
    fn another_parser_reads_the_joined_schema() {
        let union = r#"["null","shop.Line"]"#;
        let schema = Schema::parse_with_references(union, &[MONEY, LINE]).unwrap();
        let theirs = apache_avro::Schema::parse_str(schema.json()).unwrap();
        assert_eq!(theirs.canonical_form(), schema.canonical_form());
    }

    #[test]
    fn a_schema_may_be_the_name_of_a_reference() {
        let schema = Schema::parse_with_references("\"shop.Money\"", &[MONEY]).unwrap();
        assert_eq!(schema.name(), "shop.Money");
        let union = Schema::parse_with_references(r#"["null","shop.Line"]"#, &[MONEY, LINE]);
        assert!(union.unwrap().canonical_form().contains("shop.Money"));
    }

    #[test]
    fn without_references_the_text_is_unchanged() {
        let schema = Schema::parse_with_references(MONEY, &[]).unwrap();
        assert_eq!(schema.json(), MONEY);
    }

    #[test]
    fn a_writers_names_and_a_repeated_reference_are_accepted() {
        let odd = r#"{"type":"enum","name":"a-b.C$","symbols":["x-y"]}"#;
        let main = r#"{"type":"array","items":"a-b.C$"}"#;
        let schema = Schema::parse_writer_with_references(main, &[odd, odd]).unwrap();
        assert_eq!(
            schema.canonical_form(),
            r#"{"type":"array","items":{"name":"a-b.C$","type":"enum","symbols":["x-y"]}}"#
        );
        assert!(Schema::parse_with_references(main, &[odd]).is_err());
    }

    #[test]
    fn a_logical_type_and_attributes_are_kept() {
        let main = r#"{"type":"record","name":"R","doc":"d","fields":[
            {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"e"},
            {"name":"id","type":"Id","aliases":["key"]}]}"#;
        let id = r#"{"type":"fixed","name":"Id","size":16,"logicalType":"uuid"}"#;
        let schema = Schema::parse_with_references(main, &[id]).unwrap();
        for kept in [
            "\"timestamp-millis\"",
            "\"uuid\"",
            "\"d\"",
            "\"e\"",
            "[\"key\"]",
        ] {
            assert!(schema.json().contains(kept), "{kept}: {}", schema.json());
        }
    }

    #[test]
    fn rejects_references_that_do_not_join() {
        let error = |main: &str, references: &[&str]| {
            let error = Schema::parse_with_references(main, references).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            error("\"shop.Line\"", &[LINE]),
            "the type shop.Money is not defined"
        );
        assert_eq!(
            error("\"Plain\"", &[PLAIN, &PLAIN.replace('2', "3")]),
            "two references define the type Plain differently"
        );
        assert_eq!(
            error(
                &format!(r#"["shop.Money",{}]"#, MONEY.replace("cents", "c")),
                &[MONEY]
            ),
            "the type shop.Money is defined twice"
        );
        assert!(error("\"A\"", &["{"]).starts_with("the schema is not JSON"));
        let large = " ".repeat(1 << 20);
        assert!(error("\"A\"", &[&large]).contains("bytes"));
        // Each reference contains the next one.
        let chain: Vec<String> = (0..2_000)
            .map(|n| {
                let field = format!(r#"{{"name":"a","type":"R{}"}}"#, n + 1);
                format!(r#"{{"type":"record","name":"R{n}","fields":[{field}]}}"#)
            })
            .collect();
        let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
        assert_eq!(
            error("\"R0\"", &chain),
            "the schema is nested deeper than 120 with its references"
        );
    }
}
