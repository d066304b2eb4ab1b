//! A datum → JSON for people.
//!
//! Unions show the value without the branch's name. `bytes` and `fixed` are text of one character a byte, U+0000 to
//! U+00FF, as in Avro's own JSON encoding. A float that JSON has no number for is `"NaN"`, `"Infinity"` or
//! `"-Infinity"`.

use serde_json::{Map, Number, Value};

use super::tree::{Id, Node, Record, Tree};
use super::wire::{Cursor, Reason};
use super::{Fault, MAX_DEPTH};

/// How many types a value may lie inside: above what the walk lets through for schemas people write (a list of
/// nullable records has two types a level), and low enough for any thread's stack.
pub(super) const MAX_LEVELS: usize = 2 * MAX_DEPTH + 10;

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
    // What recurs is kept apart from what does not, and small: it may lie on the stack a thousand times.
    fn value(&mut self, id: Id, level: usize) -> Result<Value, Reason> {
        if level > MAX_LEVELS {
            return Err(Reason::Depth(MAX_LEVELS));
        }
        let tree = self.tree;
        match &tree.nodes[id] {
            Node::Union(branches) => {
                let branch = self.branch(branches)?;
                self.value(branch, level + 1)
            }
            Node::Record(record) => self.record(record, level),
            Node::Array(item) => self.array(*item, level),
            Node::Map(value) => self.map(*value, level),
            scalar => self.scalar(scalar),
        }
    }

    #[inline(never)]
    fn scalar(&mut self, node: &Node) -> Result<Value, Reason> {
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
            _ => Value::Null,
        })
    }

    #[inline(never)]
    fn branch(&mut self, branches: &[Id]) -> Result<Id, Reason> {
        let index = self.cursor.int("a union's index")?;
        let branch = usize::try_from(index).ok();
        match branch.and_then(|index| branches.get(index)) {
            Some(branch) => Ok(*branch),
            None => {
                let of = branches.len() as u32;
                Err(Reason::UnionIndex(i64::from(index), of))
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

    fn array(&mut self, item: Id, level: usize) -> Result<Value, Reason> {
        let mut items = Vec::new();
        self.blocks(|reader| {
            items.push(reader.value(item, level + 1)?);
            Ok(())
        })?;
        Ok(Value::Array(items))
    }

    fn map(&mut self, node: Id, level: usize) -> Result<Value, Reason> {
        let mut object = Map::new();
        self.blocks(|reader| {
            let key = reader.cursor.text()?.to_owned();
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
