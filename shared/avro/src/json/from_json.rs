//! Encodes JSON as a datum, strictly: values are never rounded, truncated or coerced. docs/FORMATS.md has the mapping.
//!
//! - Numbers: `int` and `long` accept whole numbers in their range, written without a fraction. `float` and `double`
//!   accept all numbers, and `"NaN"`, `"Infinity"`, `"-Infinity"`.
//! - `bytes` and `fixed`: a string of one character (U+0000 to U+00FF) for each byte, as in Avro's JSON encoding.
//! - Logical types: the text form or the value of the underlying type. A string that has the form of the text is never read as
//!   bytes; `{"bytes": "…"}` with the name of the type is.
//! - Unions: the first branch that fits, where whole numbers try `int` and `long` first; or `{"branch": value}` with the
//!   name of the branch. In the latter, the string for `bytes` and `fixed` is bytes if it can be, also with a logical type.
//! - Records: an absent field takes the schema's default; an unknown field is an error.
//!
//! In a default, a union takes the first branch that fits, and the value has no branch name (Avro specification 1.12,
//! "Records" and "Unions").

use serde_json::{Map, Value};

use super::MAX_LEVELS;
use super::leaf::bytes;
use crate::binary::{put_bytes, put_long};
use crate::graph::{Graph, Node, NodeId, Record};
use crate::mismatch::{self, Mismatch};

/// The maximum number of values encoded for one datum, including rejected union branches. It limits the time.
pub(super) const MAX_VALUES: usize = 10_000_000;

/// Encodes a value as one raw datum.
pub(crate) fn datum(graph: &Graph, value: &Value) -> Result<Vec<u8>, Mismatch> {
    encode(graph, graph.root, value, false)
}

/// Encodes the default of a field of this type.
pub(crate) fn default_value(graph: &Graph, id: NodeId, value: &Value) -> Result<Vec<u8>, Mismatch> {
    encode(graph, id, value, true)
}

fn encode(graph: &Graph, id: NodeId, value: &Value, in_default: bool) -> Result<Vec<u8>, Mismatch> {
    let mut encoder = Encoder {
        graph,
        out: Vec::new(),
        values: 0,
        in_default,
    };
    match encoder.value(id, value, 0) {
        Ok(()) => Ok(encoder.out),
        Err(mismatch) => Err(*mismatch),
    }
}

/// The mismatch is boxed because it is large and rare.
pub(super) type Encoded = Result<(), Box<Mismatch>>;

pub(super) struct Encoder<'t> {
    pub(super) graph: &'t Graph,
    pub(super) out: Vec<u8>,
    pub(super) values: usize,
    /// True while a default of the schema is encoded.
    pub(super) in_default: bool,
}

impl Encoder<'_> {
    // Recursive functions are small and call the others without inlining, because a thousand of their frames may be on
    // the stack.
    pub(super) fn value(&mut self, id: NodeId, value: &Value, level: usize) -> Encoded {
        self.values += 1;
        if level > MAX_LEVELS || self.values > MAX_VALUES {
            return Err(too_large());
        }
        let graph = self.graph;
        match &graph.nodes[id] {
            Node::Array(item) => self.array(id, *item, value, level),
            Node::Map(node) => self.map(id, *node, value, level),
            Node::Union(branches) => self.union(id, branches, value, level),
            Node::Record(record) => self.record(id, record, value, level),
            leaf => match self.logical_leaf(id, leaf, value) {
                Some(()) => Ok(()),
                None => Err(self.mismatch(id, value)),
            },
        }
    }

    fn array(&mut self, id: NodeId, item: NodeId, value: &Value, level: usize) -> Encoded {
        let Value::Array(items) = value else {
            return Err(self.mismatch(id, value));
        };
        if !items.is_empty() {
            put_long(&mut self.out, items.len() as i64);
        }
        for (index, value) in items.iter().enumerate() {
            if let Err(inner) = self.value(item, value, level + 1) {
                return Err(inner.within(&format!("[{index}]")));
            }
        }
        self.out.push(0);
        Ok(())
    }

    fn map(&mut self, id: NodeId, node: NodeId, value: &Value, level: usize) -> Encoded {
        let Value::Object(entries) = value else {
            return Err(self.mismatch(id, value));
        };
        if !entries.is_empty() {
            put_long(&mut self.out, entries.len() as i64);
        }
        for (key, value) in entries {
            put_bytes(&mut self.out, key.as_bytes());
            if let Err(inner) = self.value(node, value, level + 1) {
                return Err(inner.within(&format!("[{key:?}]")));
            }
        }
        self.out.push(0);
        Ok(())
    }

    fn record(&mut self, id: NodeId, record: &Record, value: &Value, level: usize) -> Encoded {
        let Value::Object(object) = value else {
            return Err(self.mismatch(id, value));
        };
        check_known_fields(record, object)?;
        let in_default = self.in_default;
        for field in &record.fields {
            let given = object.get(&field.name);
            let Some(value) = given.or(field.default.as_ref()) else {
                return Err(self.absent(field.node).within(&field.name));
            };
            self.in_default = in_default || given.is_none();
            let encoded = self.value(field.node, value, level + 1);
            self.in_default = in_default;
            if let Err(inner) = encoded {
                return Err(inner.within(&field.name));
            }
        }
        Ok(())
    }

    #[cold]
    pub(super) fn mismatch(&self, id: NodeId, value: &Value) -> Box<Mismatch> {
        let found = match (&self.graph.nodes[id], bytes(value)) {
            (Node::Fixed(_), Some(bytes)) if self.logical_type(id).is_none() => {
                format!("text of {} characters", bytes.len())
            }
            _ => mismatch::describe(value),
        };
        Mismatch::new(self.expected(id), found)
    }

    #[cold]
    fn absent(&self, id: NodeId) -> Box<Mismatch> {
        let found = "nothing: the field is absent, and the schema has no default for it";
        Mismatch::new(self.expected(id), found)
    }

    fn expected(&self, id: NodeId) -> String {
        match &self.graph.nodes[id] {
            Node::Int | Node::Long | Node::Bytes | Node::Fixed(_)
                if let Some(logical_type) = self.logical_type(id) =>
            {
                logical_type.expected()
            }
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
                let names: Vec<&str> = branches.iter().map(|id| self.graph.name(*id)).collect();
                names.join(" or ")
            }
            _ => self.graph.name(id).to_owned(),
        }
    }
}

/// Checks that the record has all fields of the object.
#[inline(never)]
fn check_known_fields(record: &Record, object: &Map<String, Value>) -> Encoded {
    let known = |key: &String| record.fields.iter().any(|field| field.name == *key);
    let Some(key) = object.keys().find(|key| !known(key)) else {
        return Ok(());
    };
    let names: Vec<&str> = record.fields.iter().map(|f| f.name.as_str()).collect();
    let expected = format!("one of the fields {}", names.join(", "));
    let found = "a field the schema does not have";
    Err(Mismatch::new(expected, found).within(key))
}

#[cold]
fn too_large() -> Box<Mismatch> {
    let expected = format!("at most {MAX_LEVELS} levels and {MAX_VALUES} values");
    Mismatch::new(expected, "more")
}
