//! Converts a datum to JSON.
//!
//! The value of a union has no branch name. `bytes` and `fixed` are strings of one character (U+0000 to U+00FF) for each
//! byte, as in Avro's JSON encoding. Floats that JSON cannot represent are `"NaN"`, `"Infinity"` and `"-Infinity"`.

use serde_json::{Map, Number, Value};

use crate::binary::Cursor;
use crate::graph::{Graph, Node, NodeId, Record};
use crate::reason::Reason;
use crate::{Fault, MAX_DEPTH};

/// The maximum nesting of types around a value. It is more than validation accepts for typical schemas (a linked list of
/// nullable records has two types for each level), and low enough for the stack of any thread.
pub(super) const MAX_LEVELS: usize = 2 * MAX_DEPTH + 10;

/// Converts a datum that has been validated.
pub(super) fn value(graph: &Graph, datum: &[u8]) -> Result<Value, Fault> {
    let mut cursor = Cursor::new(datum);
    let mut reader = Reader {
        graph,
        cursor: &mut cursor,
    };
    reader
        .value(graph.root, 0)
        .map_err(|reason| Fault::without_path(cursor.pos, reason.to_string()))
}

struct Reader<'t, 'c, 'a> {
    graph: &'t Graph,
    cursor: &'c mut Cursor<'a>,
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
                let branch = self.branch(branches)?;
                self.value(branch, level + 1)
            }
            Node::Record(record) => self.record(record, level),
            Node::Array(item) => self.array(*item, level),
            Node::Map(value) => self.map(*value, level),
            leaf => self.leaf(leaf),
        }
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
    fn branch(&mut self, branches: &[NodeId]) -> Result<NodeId, Reason> {
        let index = self.cursor.int("a union's index")?;
        let branch = usize::try_from(index).ok();
        match branch.and_then(|index| branches.get(index)) {
            Some(branch) => Ok(*branch),
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
