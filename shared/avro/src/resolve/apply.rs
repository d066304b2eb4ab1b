//! Converts a datum with a plan.

use super::fault::ResolveFault;
use super::steps::{FieldSource, MAX_LEVELS, Plan, Step};
use crate::binary::{Cursor, put_long};
use crate::graph::{Graph, Node, NodeId};
use crate::reason::Reason;

/// Appends the reader's datum, made from a validated datum of the writer.
///
/// `writer` is the writer's schema, with which the plan was made. `out` has at most `max` bytes afterwards.
///
/// # Errors
/// The datum contains a value that the reader's schema does not allow, or the output is too long.
pub(super) fn append(
    plan: &Plan,
    writer: &Graph,
    datum: &[u8],
    out: &mut Vec<u8>,
    max: usize,
) -> Result<(), ResolveFault> {
    let mut conversion = Conversion {
        steps: &plan.steps,
        graph: writer,
        cursor: Cursor::new(datum),
        out,
        max,
    };
    conversion.step(plan.root, 0)?;
    match conversion.out.len() > max {
        true => Err(ResolveFault::TooLong { max }),
        false => Ok(()),
    }
}

struct Conversion<'p, 'a, 'o> {
    steps: &'p [Step],
    graph: &'p Graph,
    cursor: Cursor<'a>,
    out: &'o mut Vec<u8>,
    max: usize,
}

impl Conversion<'_, '_, '_> {
    fn step(&mut self, step: usize, level: usize) -> Result<(), ResolveFault> {
        if level > MAX_LEVELS {
            return Err(Reason::Depth(MAX_LEVELS).into());
        }
        if self.out.len() > self.max {
            return Err(ResolveFault::TooLong { max: self.max });
        }
        let steps = self.steps;
        match &steps[step] {
            Step::Copy(id) => {
                let start = self.cursor.pos;
                skip(self.graph, *id, &mut self.cursor, level)?;
                let copied = &self.cursor.bytes[start..self.cursor.pos];
                self.out.extend_from_slice(copied);
            }
            Step::IntToFloat => {
                let value = self.cursor.long("a long")? as f32;
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Step::IntToDouble => {
                let value = self.cursor.long("a long")? as f64;
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Step::FloatToDouble => {
                let bytes = self.cursor.take(4, "a float")?;
                let value = bytes.first_chunk().map_or(0.0, |b| f32::from_le_bytes(*b));
                self.out.extend_from_slice(&f64::from(value).to_le_bytes());
            }
            Step::BytesToString => {
                let start = self.cursor.pos;
                self.cursor.skip_string()?;
                let copied = &self.cursor.bytes[start..self.cursor.pos];
                self.out.extend_from_slice(copied);
            }
            Step::Enum(symbols) => {
                let index = self.cursor.long("an enum's symbol")?;
                let symbol = usize::try_from(index).ok().and_then(|at| symbols.get(at));
                match symbol {
                    Some(Some(symbol)) => put_long(self.out, *symbol as i64),
                    _ => {
                        return Err(incompatible(format!(
                            "the configured enum has no symbol for the writer's symbol number {index}"
                        )));
                    }
                }
            }
            Step::Items { keyed, step } => self.items(*keyed, *step, level)?,
            Step::Record { fields, writer } => self.record(fields, writer, level)?,
            Step::FromUnion(branches) => {
                let index = self.cursor.long("a union's index")?;
                match usize::try_from(index).ok().and_then(|at| branches.get(at)) {
                    Some(Ok(step)) => self.step(*step, level + 1)?,
                    Some(Err(reason)) => return Err(incompatible(reason.clone())),
                    None => return Err(Reason::UnionIndex(index, branches.len() as u32).into()),
                }
            }
            Step::ToUnion { index, step } => {
                put_long(self.out, *index as i64);
                self.step(*step, level + 1)?;
            }
            Step::Pending => return Err(incompatible("its types are incompatible".to_owned())),
        }
        Ok(())
    }

    fn items(&mut self, keyed: bool, step: usize, level: usize) -> Result<(), ResolveFault> {
        loop {
            let (count, _) = self.cursor.block(0)?;
            put_long(self.out, count as i64);
            for _ in 0..count {
                if keyed {
                    let start = self.cursor.pos;
                    self.cursor.skip_string()?;
                    let key = &self.cursor.bytes[start..self.cursor.pos];
                    self.out.extend_from_slice(key);
                }
                self.step(step, level + 1)?;
            }
            if count == 0 {
                return Ok(());
            }
        }
    }

    fn record(
        &mut self,
        fields: &[FieldSource],
        writer: &[NodeId],
        level: usize,
    ) -> Result<(), ResolveFault> {
        let mut starts = Vec::with_capacity(writer.len());
        for field in writer {
            starts.push(self.cursor.pos);
            skip(self.graph, *field, &mut self.cursor, level)?;
        }
        let end = self.cursor.pos;
        for field in fields {
            match field {
                FieldSource::Default(encoded) => self.out.extend_from_slice(encoded),
                FieldSource::Field(index, step) => {
                    self.cursor.pos = index.map_or(end, |index| starts[index]);
                    self.step(*step, level + 1)?;
                }
            }
        }
        self.cursor.pos = end;
        Ok(())
    }
}

/// Skips a value that has been validated.
fn skip(graph: &Graph, id: NodeId, cursor: &mut Cursor<'_>, level: usize) -> Result<(), Reason> {
    if level > MAX_LEVELS {
        return Err(Reason::Depth(MAX_LEVELS));
    }
    match &graph.nodes[id] {
        Node::Null => {}
        Node::Boolean => {
            cursor.boolean()?;
        }
        Node::Int | Node::Long | Node::Enum(_) => {
            cursor.long("a long")?;
        }
        Node::Float => {
            cursor.take(4, "a float")?;
        }
        Node::Double => {
            cursor.take(8, "a double")?;
        }
        Node::Bytes | Node::String => {
            cursor.bytes("bytes")?;
        }
        Node::Fixed(fixed) => {
            cursor.take(fixed.size, "a fixed")?;
        }
        Node::Union(branches) => {
            let index = cursor.long("a union's index")?;
            let branch = usize::try_from(index).ok().and_then(|at| branches.get(at));
            match branch {
                Some(branch) => skip(graph, *branch, cursor, level + 1)?,
                None => return Err(Reason::UnionIndex(index, branches.len() as u32)),
            }
        }
        Node::Record(record) => {
            for field in &record.nonempty_fields {
                skip(graph, *field, cursor, level + 1)?;
            }
        }
        Node::Array(item) => loop {
            match cursor.block(0)?.0 {
                0 => break,
                count => {
                    for _ in 0..count {
                        skip(graph, *item, cursor, level + 1)?;
                    }
                }
            }
        },
        Node::Map(value) => loop {
            match cursor.block(0)?.0 {
                0 => break,
                count => {
                    for _ in 0..count {
                        cursor.bytes("a key")?;
                        skip(graph, *value, cursor, level + 1)?;
                    }
                }
            }
        },
    }
    Ok(())
}

fn incompatible(reason: String) -> ResolveFault {
    ResolveFault::Incompatible(reason)
}
