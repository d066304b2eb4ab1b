//! Encodes JSON as a datum, strictly: values are never rounded, truncated or coerced.
//!
//! - Numbers: `int` and `long` accept whole numbers in their range, written without a fraction. `float` and `double`
//!   accept all numbers, and `"NaN"`, `"Infinity"`, `"-Infinity"`.
//! - `bytes` and `fixed`: a string of one character (U+0000 to U+00FF) for each byte, as in Avro's JSON encoding.
//! - Unions: the first branch that fits, where whole numbers try `int` and `long` first; or `{"branch": value}` with the
//!   name of the branch.
//! - Records: an absent field takes the schema's default; an unknown field is an error.
//!
//! In a default, a union takes the first branch that fits, and the value has no branch name (Avro specification 1.12,
//! "Records" and "Unions").

use serde_json::{Map, Value};

use crate::binary::{put_bytes, put_long};
use crate::graph::{Graph, Node, NodeId, Record};
use crate::mismatch::{self, Mismatch};
use crate::to_json::MAX_LEVELS;

/// The maximum number of values encoded for one datum, including rejected union branches. It limits the time.
const MAX_VALUES: usize = 10_000_000;

/// Encodes a value as one raw datum.
pub(super) fn datum(graph: &Graph, value: &Value) -> Result<Vec<u8>, Mismatch> {
    encode(graph, graph.root, value, false)
}

/// Encodes the default of a field of this type.
pub(super) fn default_value(graph: &Graph, id: NodeId, value: &Value) -> Result<Vec<u8>, Mismatch> {
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
type Encoded = Result<(), Box<Mismatch>>;

struct Encoder<'t> {
    graph: &'t Graph,
    out: Vec<u8>,
    values: usize,
    /// True while a default of the schema is encoded.
    in_default: bool,
}

impl Encoder<'_> {
    // Recursive functions are small and call the others without inlining, because a thousand of their frames may be on
    // the stack.
    fn value(&mut self, id: NodeId, value: &Value, level: usize) -> Encoded {
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
            leaf => match self.leaf(leaf, value) {
                Some(()) => Ok(()),
                None => Err(self.mismatch(id, value)),
            },
        }
    }

    /// Encodes a value that contains no other values. `None` if it is not of the type.
    #[inline(never)]
    fn leaf(&mut self, node: &Node, value: &Value) -> Option<()> {
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
            Node::String => put_bytes(&mut self.out, value.as_str()?.as_bytes()),
            Node::Bytes => put_bytes(&mut self.out, &bytes(value)?),
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

    fn union(&mut self, id: NodeId, branches: &[NodeId], value: &Value, level: usize) -> Encoded {
        let mut mismatches = Vec::new();
        if let Some((index, inner)) = self.named_branch(branches, value) {
            match self.branch(index, branches[index], inner, level) {
                Ok(()) => return Ok(()),
                Err(mismatch) => {
                    mismatches.push(mismatch.within(&self.branch_step(branches[index])))
                }
            }
        }
        for index in self.order(branches, value) {
            match self.branch(index, branches[index], value, level) {
                Ok(()) => return Ok(()),
                Err(mismatch) => mismatches.push(mismatch),
            }
        }
        // With one candidate, its own mismatch is the most precise. With several, list the branches.
        match mismatches.len() {
            1 => Err(mismatches.remove(0)),
            _ => Err(self.mismatch(id, value)),
        }
    }

    /// The indices of the branches that may accept the value, in the order in which they are tried. A whole number is
    /// tried as `int` and `long` first, unless it is in a default. In a default, a string is tried as `float` and `double`
    /// last, because the specification allows only numbers as their defaults.
    #[inline(never)]
    fn order(&self, branches: &[NodeId], value: &Value) -> Vec<usize> {
        let last = |id: NodeId| match &self.graph.nodes[id] {
            Node::Int | Node::Long => false,
            Node::Float | Node::Double if self.in_default => value.is_string(),
            _ => value.is_i64() && !self.in_default,
        };
        let mut order: Vec<usize> = (0..branches.len())
            .filter(|index| self.may_accept(branches[*index], value))
            .collect();
        order.sort_by_key(|index| last(branches[*index]));
        order
    }

    fn branch(&mut self, index: usize, id: NodeId, value: &Value, level: usize) -> Encoded {
        let start = self.out.len();
        put_long(&mut self.out, index as i64);
        let encoded = self.value(id, value, level + 1);
        if encoded.is_err() {
            self.out.truncate(start);
        }
        encoded
    }

    fn branch_step(&self, branch: NodeId) -> String {
        format!("[{:?}]", self.graph.name(branch))
    }

    /// The branch and the value of `{"branch": value}`. `None` if the value does not have this form.
    fn named_branch<'v>(
        &self,
        branches: &[NodeId],
        value: &'v Value,
    ) -> Option<(usize, &'v Value)> {
        let is_one = |object: &&Map<_, _>| object.len() == 1 && !self.in_default;
        let object = value.as_object().filter(is_one)?;
        let (name, inner) = object.iter().next()?;
        let index = branches
            .iter()
            .position(|branch| self.graph.name(*branch) == name)?;
        Some((index, inner))
    }

    /// Whether the type accepts values of this JSON kind.
    fn may_accept(&self, id: NodeId, value: &Value) -> bool {
        match &self.graph.nodes[id] {
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
    fn mismatch(&self, id: NodeId, value: &Value) -> Box<Mismatch> {
        let found = match (&self.graph.nodes[id], bytes(value)) {
            (Node::Fixed(_), Some(bytes)) => format!("text of {} characters", bytes.len()),
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
