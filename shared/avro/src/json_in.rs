//! JSON → a datum, strictly: what does not fit is named, never bent.
//!
//! - Numbers: an `int` or `long` takes a whole number within its range, written without a fraction; `float` and
//!   `double` take any number, and `"NaN"`, `"Infinity"`, `"-Infinity"`.
//! - `bytes` and `fixed`: text of one character a byte, U+0000 to U+00FF, as in Avro's own JSON encoding.
//! - Unions: the first branch that fits, whole numbers first trying `int` and `long`; or `{"branch": value}`, the
//!   branch by its type's name.
//! - A field that is absent takes the schema's default; one the schema does not have is refused.
//!
//! In a default, a union takes the first branch that fits, and the value has no branch name (Avro specification 1.12,
//! "Records" and "Unions").

use serde_json::{Map, Value};

use super::Mismatch;
use super::json_out::MAX_LEVELS;
use super::tree::{Id, Node, Record, Tree};
use super::wire::{put_long, put_sized};

/// The most values written for one datum, tried union branches counted: a bound on time, far above any message.
const MAX_VALUES: usize = 10_000_000;

/// Encodes a value as one raw datum.
pub(super) fn datum(tree: &Tree, value: &Value) -> Result<Vec<u8>, Mismatch> {
    encode(tree, tree.root, value, false)
}

/// Encodes the default of a field of the type.
pub(super) fn default(tree: &Tree, id: Id, value: &Value) -> Result<Vec<u8>, Mismatch> {
    encode(tree, id, value, true)
}

fn encode(tree: &Tree, id: Id, value: &Value, in_default: bool) -> Result<Vec<u8>, Mismatch> {
    let mut writer = Writer {
        tree,
        out: Vec::new(),
        values: 0,
        in_default,
    };
    match writer.value(id, value, 0) {
        Ok(()) => Ok(writer.out),
        Err(mismatch) => Err(*mismatch),
    }
}

/// A mismatch is rare and large, so it lies in a box.
type Written = Result<(), Box<Mismatch>>;

struct Writer<'t> {
    tree: &'t Tree,
    out: Vec<u8>,
    values: usize,
    /// Whether the value is a default of the schema or part of one.
    in_default: bool,
}

impl Writer<'_> {
    // What recurs is kept apart from what does not, and small: it may lie on the stack a thousand times.
    fn value(&mut self, id: Id, value: &Value, level: usize) -> Written {
        self.values += 1;
        if level > MAX_LEVELS || self.values > MAX_VALUES {
            return Err(too_much());
        }
        let tree = self.tree;
        match &tree.nodes[id] {
            Node::Array(item) => self.array(id, *item, value, level),
            Node::Map(node) => self.map(id, *node, value, level),
            Node::Union(branches) => self.union(id, branches, value, level),
            Node::Record(record) => self.record(id, record, value, level),
            scalar => match self.scalar(scalar, value) {
                Some(()) => Ok(()),
                None => Err(self.other(id, value)),
            },
        }
    }

    /// Writes a value without parts; `None` if it is another.
    #[inline(never)]
    fn scalar(&mut self, node: &Node, value: &Value) -> Option<()> {
        match node {
            Node::Null => value.as_null()?,
            Node::Boolean => self.out.push(u8::from(value.as_bool()?)),
            Node::Int => {
                let value = i32::try_from(value.as_i64()?).ok()?;
                put_long(&mut self.out, i64::from(value));
            }
            Node::Long => put_long(&mut self.out, value.as_i64()?),
            Node::Float => {
                let wide = float(value)?;
                let narrow = wide as f32;
                if wide.is_finite() && !narrow.is_finite() {
                    return None;
                }
                self.out.extend_from_slice(&narrow.to_le_bytes());
            }
            Node::Double => {
                let value = float(value)?;
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Node::String => put_sized(&mut self.out, value.as_str()?.as_bytes()),
            Node::Bytes => put_sized(&mut self.out, &bytes(value)?),
            Node::Fixed(fixed) => {
                let bytes = bytes(value).filter(|bytes| bytes.len() == fixed.size)?;
                self.out.extend_from_slice(&bytes);
            }
            Node::Enum(symbols) => {
                let text = value.as_str()?;
                let mut symbols = symbols.symbols.iter();
                put_long(
                    &mut self.out,
                    symbols.position(|symbol| **symbol == *text)? as i64,
                );
            }
            _ => return None,
        }
        Some(())
    }

    fn array(&mut self, id: Id, item: Id, value: &Value, level: usize) -> Written {
        let Value::Array(items) = value else {
            return Err(self.other(id, value));
        };
        if !items.is_empty() {
            put_long(&mut self.out, items.len() as i64);
        }
        for (index, value) in items.iter().enumerate() {
            if let Err(inner) = self.value(item, value, level + 1) {
                return Err(within(&format!("[{index}]"), inner));
            }
        }
        self.out.push(0);
        Ok(())
    }

    fn map(&mut self, id: Id, node: Id, value: &Value, level: usize) -> Written {
        let Value::Object(entries) = value else {
            return Err(self.other(id, value));
        };
        if !entries.is_empty() {
            put_long(&mut self.out, entries.len() as i64);
        }
        for (key, value) in entries {
            put_sized(&mut self.out, key.as_bytes());
            if let Err(inner) = self.value(node, value, level + 1) {
                return Err(within(&format!("[{key:?}]"), inner));
            }
        }
        self.out.push(0);
        Ok(())
    }

    fn record(&mut self, id: Id, record: &Record, value: &Value, level: usize) -> Written {
        let Value::Object(object) = value else {
            return Err(self.other(id, value));
        };
        known_fields(record, object)?;
        let in_default = self.in_default;
        for field in &record.fields {
            let given = object.get(&field.name);
            let Some(value) = given.or(field.default.as_ref()) else {
                return Err(within(&field.name, self.absent(field.node)));
            };
            self.in_default = in_default || given.is_none();
            let written = self.value(field.node, value, level + 1);
            self.in_default = in_default;
            if let Err(inner) = written {
                return Err(within(&field.name, inner));
            }
        }
        Ok(())
    }

    fn union(&mut self, id: Id, branches: &[Id], value: &Value, level: usize) -> Written {
        let mut faults = Vec::new();
        if let Some((index, inner)) = self.named_branch(branches, value) {
            match self.branch(index, branches[index], inner, level) {
                Ok(()) => return Ok(()),
                Err(fault) => faults.push(within(&self.step(branches[index]), fault)),
            }
        }
        for index in self.order(branches, value) {
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

    /// The branches that may hold the value, in the order in which they are tried. A whole number is tried as `int` and
    /// `long` first, unless it is a default. In a default, text is tried as `float` and `double` last: the specification
    /// has only numbers as defaults of these.
    #[inline(never)]
    fn order(&self, branches: &[Id], value: &Value) -> Vec<usize> {
        let last = |id: Id| match &self.tree.nodes[id] {
            Node::Int | Node::Long => false,
            Node::Float | Node::Double if self.in_default => value.is_string(),
            _ => value.is_i64() && !self.in_default,
        };
        let mut order: Vec<usize> = (0..branches.len())
            .filter(|index| self.may_hold(branches[*index], value))
            .collect();
        order.sort_by_key(|index| last(branches[*index]));
        order
    }

    fn branch(&mut self, index: usize, id: Id, value: &Value, level: usize) -> Written {
        let start = self.out.len();
        put_long(&mut self.out, index as i64);
        let written = self.value(id, value, level + 1);
        if written.is_err() {
            self.out.truncate(start);
        }
        written
    }

    fn step(&self, branch: Id) -> String {
        format!("[{:?}]", self.tree.name(branch))
    }

    /// `{"branch": value}`, if the value is that.
    fn named_branch<'v>(&self, branches: &[Id], value: &'v Value) -> Option<(usize, &'v Value)> {
        let is_one = |object: &&Map<_, _>| object.len() == 1 && !self.in_default;
        let object = value.as_object().filter(is_one)?;
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

    #[cold]
    fn other(&self, id: Id, value: &Value) -> Box<Mismatch> {
        let found = match (&self.tree.nodes[id], bytes(value)) {
            (Node::Fixed(_), Some(bytes)) => format!("text of {} characters", bytes.len()),
            _ => found(value),
        };
        mismatch(self.expected(id), found)
    }

    #[cold]
    fn absent(&self, id: Id) -> Box<Mismatch> {
        let found = "nothing: the field is absent, and the schema has no default for it";
        mismatch(self.expected(id), found)
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

/// Fails at the first field that the record does not have.
#[inline(never)]
fn known_fields(record: &Record, object: &Map<String, Value>) -> Written {
    let known = |key: &String| record.fields.iter().any(|field| field.name == *key);
    let Some(key) = object.keys().find(|key| !known(key)) else {
        return Ok(());
    };
    let names: Vec<&str> = record.fields.iter().map(|f| f.name.as_str()).collect();
    let expected = format!("one of the fields {}", names.join(", "));
    let found = "a field the schema does not have";
    Err(within(key, mismatch(expected, found)))
}

#[cold]
fn too_much() -> Box<Mismatch> {
    let expected = format!("at most {MAX_LEVELS} levels and {MAX_VALUES} values");
    mismatch(expected, "more")
}

#[cold]
fn mismatch(expected: impl Into<String>, found: impl Into<String>) -> Box<Mismatch> {
    Box::new(Mismatch {
        path: String::new(),
        expected: expected.into(),
        found: found.into(),
    })
}

#[cold]
fn within(step: &str, mut inner: Box<Mismatch>) -> Box<Mismatch> {
    let dot = match inner.path.chars().next() {
        None | Some('[') => "",
        Some(_) => ".",
    };
    inner.path = format!("{step}{dot}{}", inner.path);
    inner
}
