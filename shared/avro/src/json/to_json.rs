//! Converts a datum to JSON.
//!
//! `bytes` and `fixed` are strings of one character (U+0000 to U+00FF) for each byte, as in Avro's JSON encoding. Floats that
//! JSON cannot represent are `"NaN"`, `"Infinity"` and `"-Infinity"`. docs/FORMATS.md has the mapping.

use serde_json::{Map, Number, Value};

use super::MAX_LEVELS;
use super::union::branch_of;
use crate::Fault;
use crate::binary::Cursor;
use crate::graph::{Graph, Node, NodeId, Record};
use crate::logical::is_like_text;
use crate::reason::Reason;

/// How many values are encoded at most for one datum, to find out whether a union's value needs a branch name. Beyond it, the
/// name is written in any case.
const MAX_CHECKED: usize = 1_000_000;

/// Which JSON represents a datum.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The documented mapping: logical types as text, and branch names only where a union would be ambiguous.
    Text,
    /// The underlying types, without branch names.
    Underlying,
    /// Avro's JSON encoding: the underlying types, with branch names.
    AvroJson,
}

/// Converts a datum that has been validated.
pub(crate) fn value(graph: &Graph, datum: &[u8], form: Form) -> Result<Value, Fault> {
    let mut cursor = Cursor::new(datum);
    let mut reader = Reader {
        graph,
        cursor: &mut cursor,
        form,
        unchecked: MAX_CHECKED,
    };
    reader
        .value(graph.root, 0)
        .map_err(|reason| Fault::without_path(cursor.pos, reason.to_string()))
}

struct Reader<'t, 'c, 'a> {
    graph: &'t Graph,
    cursor: &'c mut Cursor<'a>,
    form: Form,
    /// How many values may still be encoded: see [`MAX_CHECKED`].
    unchecked: usize,
}

impl Reader<'_, '_, '_> {
    // Recursive functions are small and call the others without inlining, because a thousand of their frames may be on
    // the stack.
    fn value(&mut self, id: NodeId, level: usize) -> Result<Value, Reason> {
        if level > MAX_LEVELS {
            return Err(Reason::Depth(MAX_LEVELS));
        }
        let graph = self.graph;
        match &graph.nodes[id] {
            Node::Union(branches) => {
                let index = self.branch(branches)?;
                let start = self.cursor.pos;
                let value = self.value(branches[index], level + 1)?;
                self.union_value(id, index, start, value, level)
            }
            Node::Record(record) => self.record(record, level),
            Node::Array(item) => self.array(*item, level),
            Node::Map(value) => self.map(*value, level),
            leaf => self.logical_leaf(id, leaf),
        }
    }

    /// The JSON of a union's value: with or without the name of the branch.
    #[inline(never)]
    fn union_value(
        &mut self,
        union: NodeId,
        index: usize,
        start: usize,
        value: Value,
        level: usize,
    ) -> Result<Value, Reason> {
        let graph = self.graph;
        let Node::Union(branches) = &graph.nodes[union] else {
            return Ok(value);
        };
        let branch = branches[index];
        match self.form {
            Form::Underlying => return Ok(value),
            Form::AvroJson if value.is_null() => return Ok(value),
            Form::AvroJson => return Ok(named(graph, branch, value)),
            Form::Text => {}
        }
        let found = branch_of(graph, union, &value, level, &mut self.unchecked);
        if found == Some(index) {
            return Ok(value);
        }
        // After a name, bytes are characters.
        match &graph.nodes[branch] {
            leaf @ (Node::Bytes | Node::Fixed(_)) => {
                self.cursor.pos = start;
                let value = self.leaf(leaf)?;
                Ok(named(graph, branch, value))
            }
            _ => Ok(named(graph, branch, value)),
        }
    }

    /// A value that contains no other values, in the text form of its logical type.
    #[inline(never)]
    fn logical_leaf(&mut self, id: NodeId, node: &Node) -> Result<Value, Reason> {
        let logical_type = self.graph.logical_types[id].filter(|_| self.form == Form::Text);
        let Some(logical_type) = logical_type else {
            return self.leaf(node);
        };
        let text = match node {
            Node::Int => {
                let value = self.cursor.int("an int")?;
                let text = logical_type.text_of_number(i64::from(value));
                return Ok(text.map_or(value.into(), Value::String));
            }
            Node::Long => {
                let value = self.cursor.long("a long")?;
                let text = logical_type.text_of_number(value);
                return Ok(text.map_or(value.into(), Value::String));
            }
            Node::Bytes => {
                let bytes = self.cursor.bytes("bytes")?;
                (logical_type.text_of_bytes(bytes, node), latin1(bytes))
            }
            Node::Fixed(fixed) => {
                let bytes = self.cursor.take(fixed.size, "a fixed")?;
                (logical_type.text_of_bytes(bytes, node), latin1(bytes))
            }
            _ => return self.leaf(node),
        };
        Ok(match text {
            (Some(text), _) => Value::String(text),
            // Without the name, these bytes would be read as text.
            (None, Value::String(bytes)) if is_like_text(logical_type, &bytes) => {
                named(self.graph, id, Value::String(bytes))
            }
            (None, bytes) => bytes,
        })
    }

    #[inline(never)]
    fn leaf(&mut self, node: &Node) -> Result<Value, Reason> {
        Ok(match node {
            Node::Boolean => self.cursor.boolean()?.into(),
            Node::Int => self.cursor.int("an int")?.into(),
            Node::Long => self.cursor.long("a long")?.into(),
            Node::Float => {
                let bytes = self.cursor.take(4, "a float")?;
                let value = bytes.first_chunk().map_or(0.0, |b| f32::from_le_bytes(*b));
                shortest(value)
            }
            Node::Double => {
                let bytes = self.cursor.take(8, "a double")?;
                let value = bytes.first_chunk().map_or(0.0, |b| f64::from_le_bytes(*b));
                number(value)
            }
            Node::Bytes => latin1(self.cursor.bytes("bytes")?),
            Node::String => self.cursor.string()?.into(),
            Node::Fixed(fixed) => latin1(self.cursor.take(fixed.size, "a fixed")?),
            Node::Enum(symbols) => {
                let index = self.cursor.int("an enum's symbol")?;
                let symbol = usize::try_from(index).ok();
                match symbol.and_then(|index| symbols.symbols.get(index)) {
                    Some(symbol) => Value::String(symbol.to_string()),
                    None => {
                        return Err(Reason::EnumIndex(
                            i64::from(index),
                            symbols.symbols.len() as u32,
                        ));
                    }
                }
            }
            _ => Value::Null,
        })
    }

    #[inline(never)]
    fn branch(&mut self, branches: &[NodeId]) -> Result<usize, Reason> {
        let index = self.cursor.int("a union's index")?;
        let branch = usize::try_from(index).ok();
        match branch.filter(|index| *index < branches.len()) {
            Some(branch) => Ok(branch),
            None => {
                let count = branches.len() as u32;
                Err(Reason::UnionIndex(i64::from(index), count))
            }
        }
    }

    fn record(&mut self, record: &Record, level: usize) -> Result<Value, Reason> {
        let mut object = Map::new();
        for field in &record.fields {
            let value = self.value(field.node, level + 1)?;
            object.insert(field.name.clone(), value);
        }
        Ok(Value::Object(object))
    }

    fn array(&mut self, item: NodeId, level: usize) -> Result<Value, Reason> {
        let mut items = Vec::new();
        self.blocks(|reader| {
            items.push(reader.value(item, level + 1)?);
            Ok(())
        })?;
        Ok(Value::Array(items))
    }

    fn map(&mut self, node: NodeId, level: usize) -> Result<Value, Reason> {
        let mut object = Map::new();
        self.blocks(|reader| {
            let key = reader.cursor.string()?.to_owned();
            object.insert(key, reader.value(node, level + 1)?);
            Ok(())
        })?;
        Ok(Value::Object(object))
    }

    fn blocks(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        loop {
            match self.cursor.block(0)?.0 {
                0 => return Ok(()),
                count => (0..count).try_for_each(|_| each(self))?,
            }
        }
    }
}

/// `{"branch": value}`.
fn named(graph: &Graph, id: NodeId, value: Value) -> Value {
    let mut object = Map::new();
    object.insert(graph.name(id).to_owned(), value);
    Value::Object(object)
}

/// A string with one character for each byte.
fn latin1(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().copied().map(char::from).collect())
}

/// The shortest decimal number of a float: 0.1, not 0.10000000149011612, which is its value as a double.
fn shortest(value: f32) -> Value {
    match value.to_string().parse() {
        Ok(value) => number(value),
        Err(_) => number(f64::from(value)),
    }
}

fn number(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}
