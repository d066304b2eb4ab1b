//! A datum → JSON for people.
//!
//! Unions show the value without the branch's name. `bytes` and `fixed` are text of one character a byte, U+0000 to
//! U+00FF, as in Avro's own JSON encoding. A float that JSON has no number for is `"NaN"`, `"Infinity"` or
//! `"-Infinity"`.

use serde_json::{Map, Number, Value};

use super::tree::{Id, Node, Tree};
use super::wire::{Cursor, Reason};
use super::{Fault, MAX_DEPTH};

/// How many types a value may lie inside: well above what the walk lets through for schemas people write, and low
/// enough for any thread's stack.
const MAX_LEVELS: usize = 2 * MAX_DEPTH;

/// The value at the start of bytes that have been walked already.
pub(super) fn value(tree: &Tree, datum: &[u8]) -> Result<Value, Fault> {
    let mut cursor = Cursor::new(datum);
    let mut reader = Reader {
        tree,
        cursor: &mut cursor,
    };
    reader
        .value(tree.root, 0)
        .map_err(|reason| Fault::plain(cursor.pos, reason.to_string()))
}

struct Reader<'t, 'c, 'a> {
    tree: &'t Tree,
    cursor: &'c mut Cursor<'a>,
}

impl Reader<'_, '_, '_> {
    fn value(&mut self, id: Id, level: usize) -> Result<Value, Reason> {
        if level > MAX_LEVELS {
            return Err(Reason::Depth(MAX_LEVELS));
        }
        let tree = self.tree;
        Ok(match &tree.nodes[id] {
            Node::Null => Value::Null,
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
            Node::Bytes => characters(self.cursor.sized("bytes")?),
            Node::String => self.cursor.text()?.into(),
            Node::Fixed(fixed) => characters(self.cursor.take(fixed.size, "a fixed")?),
            Node::Enum(symbols) => {
                let index = self.cursor.int("an enum's symbol")?;
                let of = symbols.symbols.len() as u32;
                let symbol = usize::try_from(index).ok();
                match symbol.and_then(|index| symbols.symbols.get(index)) {
                    Some(symbol) => Value::String(symbol.to_string()),
                    None => return Err(Reason::EnumIndex(i64::from(index), of)),
                }
            }
            Node::Union(branches) => {
                let index = self.cursor.int("a union's index")?;
                let branch = usize::try_from(index).ok();
                match branch.and_then(|index| branches.get(index)) {
                    Some(branch) => self.value(*branch, level + 1)?,
                    None => {
                        let of = branches.len() as u32;
                        return Err(Reason::UnionIndex(i64::from(index), of));
                    }
                }
            }
            Node::Record(record) => {
                let mut object = Map::new();
                for field in &record.fields {
                    object.insert(field.name.clone(), self.value(field.node, level + 1)?);
                }
                Value::Object(object)
            }
            Node::Array(item) => {
                let mut items = Vec::new();
                self.blocks(|reader| {
                    items.push(reader.value(*item, level + 1)?);
                    Ok(())
                })?;
                Value::Array(items)
            }
            Node::Map(node) => {
                let mut object = Map::new();
                self.blocks(|reader| {
                    let key = reader.cursor.text()?.to_owned();
                    object.insert(key, reader.value(*node, level + 1)?);
                    Ok(())
                })?;
                Value::Object(object)
            }
        })
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

fn characters(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().copied().map(char::from).collect())
}

/// A float's shortest decimal: 0.1, not the 0.10000000149011612 that it is as a double.
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
