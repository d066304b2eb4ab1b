//! JSON → a datum, strictly: what does not fit is named, never bent.
//!
//! - Numbers: an `int` or `long` takes a whole number within its range, written without a fraction; `float` and
//!   `double` take any number, and `"NaN"`, `"Infinity"`, `"-Infinity"`.
//! - `bytes` and `fixed`: text of one character a byte, U+0000 to U+00FF, as in Avro's own JSON encoding.
//! - Unions: the first branch that fits, whole numbers first trying `int` and `long`; or `{"branch": value}`, the
//!   branch by its type's name.
//! - A field that is absent takes the schema's default; one the schema does not have is refused.

use serde_json::Value;

use super::tree::{Enum, Id, Node, Record, Tree};
use super::wire::{put_long, put_sized};
use super::{MAX_DEPTH, Mismatch};

/// The most values written for one datum, tried union branches counted: a bound on time, far above any message.
const MAX_VALUES: usize = 10_000_000;

/// Encodes a value as one raw datum.
pub(super) fn datum(tree: &Tree, value: &Value) -> Result<Vec<u8>, Mismatch> {
    part(tree, tree.root, value)
}

/// Encodes a value of one of the schema's types, such as a field's default.
pub(super) fn part(tree: &Tree, id: Id, value: &Value) -> Result<Vec<u8>, Mismatch> {
    let mut writer = Writer {
        tree,
        out: Vec::new(),
        values: 0,
    };
    writer.value(id, value, 0)?;
    Ok(writer.out)
}

struct Writer<'t> {
    tree: &'t Tree,
    out: Vec<u8>,
    values: usize,
}

impl Writer<'_> {
    fn value(&mut self, id: Id, value: &Value, level: usize) -> Result<(), Mismatch> {
        self.values += 1;
        if level > MAX_DEPTH || self.values > MAX_VALUES {
            let limit = format!("at most {MAX_DEPTH} levels and {MAX_VALUES} values");
            return Err(mismatch(limit, "more"));
        }
        let tree = self.tree;
        match &tree.nodes[id] {
            Node::Null => match value {
                Value::Null => Ok(()),
                _ => Err(self.other(id, value)),
            },
            Node::Boolean => match value {
                Value::Bool(value) => {
                    self.out.push(u8::from(*value));
                    Ok(())
                }
                _ => Err(self.other(id, value)),
            },
            Node::Int => match value.as_i64().and_then(|value| i32::try_from(value).ok()) {
                Some(value) => {
                    put_long(&mut self.out, i64::from(value));
                    Ok(())
                }
                None => Err(self.other(id, value)),
            },
            Node::Long => match value.as_i64() {
                Some(value) => {
                    put_long(&mut self.out, value);
                    Ok(())
                }
                None => Err(self.other(id, value)),
            },
            Node::Float => match float(value) {
                Some(wide) if !wide.is_finite() || (wide as f32).is_finite() => {
                    self.out.extend_from_slice(&(wide as f32).to_le_bytes());
                    Ok(())
                }
                _ => Err(self.other(id, value)),
            },
            Node::Double => match float(value) {
                Some(value) => {
                    self.out.extend_from_slice(&value.to_le_bytes());
                    Ok(())
                }
                None => Err(self.other(id, value)),
            },
            Node::String => match value {
                Value::String(text) => {
                    put_sized(&mut self.out, text.as_bytes());
                    Ok(())
                }
                _ => Err(self.other(id, value)),
            },
            Node::Bytes => {
                let bytes = bytes(value).ok_or_else(|| self.other(id, value))?;
                put_sized(&mut self.out, &bytes);
                Ok(())
            }
            Node::Fixed(fixed) => match bytes(value) {
                Some(bytes) if bytes.len() == fixed.size => {
                    self.out.extend_from_slice(&bytes);
                    Ok(())
                }
                Some(bytes) => {
                    let found = format!("text of {} characters", bytes.len());
                    Err(mismatch(self.expected(id), found))
                }
                None => Err(self.other(id, value)),
            },
            Node::Enum(symbols) => self.symbol(id, symbols, value),
            Node::Array(item) => {
                let Value::Array(items) = value else {
                    return Err(self.other(id, value));
                };
                if !items.is_empty() {
                    put_long(&mut self.out, items.len() as i64);
                }
                for (index, value) in items.iter().enumerate() {
                    self.value(*item, value, level + 1)
                        .map_err(|inner| within(format!("[{index}]"), inner))?;
                }
                self.out.push(0);
                Ok(())
            }
            Node::Map(node) => {
                let Value::Object(entries) = value else {
                    return Err(self.other(id, value));
                };
                if !entries.is_empty() {
                    put_long(&mut self.out, entries.len() as i64);
                }
                for (key, value) in entries {
                    put_sized(&mut self.out, key.as_bytes());
                    self.value(*node, value, level + 1)
                        .map_err(|inner| within(format!("[{key:?}]"), inner))?;
                }
                self.out.push(0);
                Ok(())
            }
            Node::Union(branches) => self.union(id, branches, value, level),
            Node::Record(record) => self.record(id, record, value, level),
        }
    }

    fn symbol(&mut self, id: Id, symbols: &Enum, value: &Value) -> Result<(), Mismatch> {
        let symbol = value
            .as_str()
            .and_then(|text| symbols.symbols.iter().position(|symbol| **symbol == *text));
        match symbol {
            Some(index) => {
                put_long(&mut self.out, index as i64);
                Ok(())
            }
            None => Err(self.other(id, value)),
        }
    }

    fn record(
        &mut self,
        id: Id,
        record: &Record,
        value: &Value,
        level: usize,
    ) -> Result<(), Mismatch> {
        let Value::Object(object) = value else {
            return Err(self.other(id, value));
        };
        let known = |key: &String| record.fields.iter().any(|field| field.name == *key);
        if let Some(key) = object.keys().find(|key| !known(key)) {
            let names: Vec<&str> = record.fields.iter().map(|f| f.name.as_str()).collect();
            let expected = format!("one of the fields {}", names.join(", "));
            let found = "a field the schema does not have";
            return Err(within(key.clone(), mismatch(expected, found)));
        }
        for field in &record.fields {
            let written = match (object.get(&field.name), &field.default) {
                (Some(value), _) => self.value(field.node, value, level + 1),
                (None, Some(default)) => self.value(field.node, default, level + 1),
                (None, None) => Err(mismatch(
                    self.expected(field.node),
                    "nothing: the field is absent, and the schema has no default for it",
                )),
            };
            written.map_err(|inner| within(field.name.clone(), inner))?;
        }
        Ok(())
    }

    fn union(
        &mut self,
        id: Id,
        branches: &[Id],
        value: &Value,
        level: usize,
    ) -> Result<(), Mismatch> {
        let mut faults = Vec::new();
        if let Some((index, inner)) = self.named_branch(branches, value) {
            match self.branch(index, branches[index], inner, level) {
                Ok(()) => return Ok(()),
                Err(fault) => faults.push(within(
                    format!("[{:?}]", self.tree.name(branches[index])),
                    fault,
                )),
            }
        }
        let whole_number = value.is_i64();
        let is_whole = |id: &Id| matches!(self.tree.nodes[*id], Node::Int | Node::Long);
        let mut order: Vec<usize> = (0..branches.len()).collect();
        order.sort_by_key(|index| whole_number && !is_whole(&branches[*index]));
        for index in order {
            if !self.may_hold(branches[index], value) {
                continue;
            }
            match self.branch(index, branches[index], value, level) {
                Ok(()) => return Ok(()),
                Err(fault) => faults.push(fault),
            }
        }
        // With one candidate its own complaint says most; a choice is best told as the choice.
        match faults.len() {
            1 => Err(faults.remove(0)),
            _ => Err(self.other(id, value)),
        }
    }

    fn branch(
        &mut self,
        index: usize,
        id: Id,
        value: &Value,
        level: usize,
    ) -> Result<(), Mismatch> {
        let start = self.out.len();
        put_long(&mut self.out, index as i64);
        let written = self.value(id, value, level + 1);
        if written.is_err() {
            self.out.truncate(start);
        }
        written
    }

    /// `{"branch": value}`, if the value is that.
    fn named_branch<'v>(&self, branches: &[Id], value: &'v Value) -> Option<(usize, &'v Value)> {
        let object = value.as_object().filter(|object| object.len() == 1)?;
        let (name, inner) = object.iter().next()?;
        let index = branches
            .iter()
            .position(|branch| self.tree.name(*branch) == name)?;
        Some((index, inner))
    }

    /// Whether a value of this JSON kind can be of the type at all.
    fn may_hold(&self, id: Id, value: &Value) -> bool {
        match &self.tree.nodes[id] {
            Node::Null => value.is_null(),
            Node::Boolean => value.is_boolean(),
            Node::Int | Node::Long => value.is_number(),
            Node::Float | Node::Double => value.is_number() || value.is_string(),
            Node::Bytes | Node::String | Node::Fixed(_) | Node::Enum(_) => value.is_string(),
            Node::Array(_) => value.is_array(),
            Node::Map(_) | Node::Record(_) => value.is_object(),
            Node::Union(_) => true,
        }
    }

    fn other(&self, id: Id, value: &Value) -> Mismatch {
        mismatch(self.expected(id), found(value))
    }

    fn expected(&self, id: Id) -> String {
        match &self.tree.nodes[id] {
            Node::Int => "an int, a whole number of 32 bits".to_owned(),
            Node::Long => "a long, a whole number of 64 bits".to_owned(),
            Node::Bytes => "bytes, as text of characters up to U+00FF".to_owned(),
            Node::Array(_) => "an array".to_owned(),
            Node::Map(_) => "an object of entries".to_owned(),
            Node::Record(record) => format!("the record {}, an object", record.name),
            Node::Fixed(fixed) => format!(
                "the fixed {}, as text of {} characters up to U+00FF",
                fixed.name, fixed.size
            ),
            Node::Enum(symbols) => {
                format!("the enum {}: {}", symbols.name, symbols.symbols.join(", "))
            }
            Node::Union(branches) => {
                let names: Vec<&str> = branches.iter().map(|id| self.tree.name(*id)).collect();
                names.join(" or ")
            }
            _ => self.tree.name(id).to_owned(),
        }
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    let characters = value.as_str()?.chars();
    characters.map(|c| u8::try_from(c).ok()).collect()
}

/// The value as an error shows it: its kind, and itself if it is short.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => {
            let short: String = text.chars().take(40).collect();
            let more = if short.len() < text.len() { "…" } else { "" };
            format!("the text {short:?}{more}")
        }
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(object) => match object.len() {
            1 => "an object of 1 field".to_owned(),
            fields => format!("an object of {fields} fields"),
        },
    }
}

fn mismatch(expected: impl Into<String>, found: impl Into<String>) -> Mismatch {
    Mismatch {
        path: String::new(),
        expected: expected.into(),
        found: found.into(),
    }
}

fn within(step: String, mut inner: Mismatch) -> Mismatch {
    inner.path = match inner.path.chars().next() {
        None => step,
        Some('[') => step + &inner.path,
        Some(_) => format!("{step}.{}", inner.path),
    };
    inner
}
