//! A plan and a proven datum → the datum in the other schema.

use super::{MAX_LEVELS, Plan, Refused, Source, Step};
use crate::tree::{Id, Node, Tree};
use crate::wire::{Cursor, Reason, put_long};

pub(super) fn run(
    plan: &Plan,
    tree: &Tree,
    datum: &[u8],
    out: &mut Vec<u8>,
    most: usize,
) -> Result<(), Refused> {
    let mut run = Run {
        steps: &plan.steps,
        tree,
        cursor: Cursor::new(datum),
        out,
        most,
    };
    run.step(plan.root, 0)?;
    match run.out.len() > most {
        true => Err(Refused::TooMuch),
        false => Ok(()),
    }
}

struct Run<'p, 'a, 'o> {
    steps: &'p [Step],
    tree: &'p Tree,
    cursor: Cursor<'a>,
    out: &'o mut Vec<u8>,
    most: usize,
}

impl Run<'_, '_, '_> {
    fn step(&mut self, step: usize, level: usize) -> Result<(), Refused> {
        if level > MAX_LEVELS {
            return Err(Reason::Depth(MAX_LEVELS).into());
        }
        if self.out.len() > self.most {
            return Err(Refused::TooMuch);
        }
        let steps = self.steps;
        match &steps[step] {
            Step::Copy(id) => {
                let start = self.cursor.pos;
                skip(self.tree, *id, &mut self.cursor, level)?;
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
            Step::BytesToText => {
                let start = self.cursor.pos;
                self.cursor.skip_text()?;
                let copied = &self.cursor.bytes[start..self.cursor.pos];
                self.out.extend_from_slice(copied);
            }
            Step::Enum(places) => {
                let index = self.cursor.long("an enum's symbol")?;
                let place = usize::try_from(index).ok().and_then(|at| places.get(at));
                match place {
                    Some(Some(place)) => put_long(self.out, *place as i64),
                    _ => {
                        return Err(misfit(format!(
                            "it holds an enum's symbol, number {index}, that is unknown here"
                        )));
                    }
                }
            }
            Step::Items { keyed, step } => self.items(*keyed, *step, level)?,
            Step::Record { fields, writer } => self.record(fields, writer, level)?,
            Step::OutOfUnion(branches) => {
                let index = self.cursor.long("a union's index")?;
                match usize::try_from(index).ok().and_then(|at| branches.get(at)) {
                    Some(Ok(step)) => self.step(*step, level + 1)?,
                    Some(Err(reason)) => return Err(misfit(reason.clone())),
                    None => return Err(Reason::UnionIndex(index, branches.len() as u32).into()),
                }
            }
            Step::IntoUnion { index, step } => {
                put_long(self.out, *index as i64);
                self.step(*step, level + 1)?;
            }
            Step::Pending => return Err(misfit("its types do not fit".to_owned())),
        }
        Ok(())
    }

    fn items(&mut self, keyed: bool, step: usize, level: usize) -> Result<(), Refused> {
        loop {
            let (count, _) = self.cursor.block(0)?;
            put_long(self.out, count as i64);
            for _ in 0..count {
                if keyed {
                    let start = self.cursor.pos;
                    self.cursor.skip_text()?;
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

    fn record(&mut self, fields: &[Source], writer: &[Id], level: usize) -> Result<(), Refused> {
        let mut starts = Vec::with_capacity(writer.len());
        for field in writer {
            starts.push(self.cursor.pos);
            skip(self.tree, *field, &mut self.cursor, level)?;
        }
        let end = self.cursor.pos;
        for field in fields {
            match field {
                Source::Default(encoded) => self.out.extend_from_slice(encoded),
                Source::Field(index, step) => {
                    self.cursor.pos = index.map_or(end, |index| starts[index]);
                    self.step(*step, level + 1)?;
                }
            }
        }
        self.cursor.pos = end;
        Ok(())
    }
}

/// Skips a value that has been proven.
fn skip(tree: &Tree, id: Id, cursor: &mut Cursor<'_>, level: usize) -> Result<(), Reason> {
    if level > MAX_LEVELS {
        return Err(Reason::Depth(MAX_LEVELS));
    }
    match &tree.nodes[id] {
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
            cursor.sized("bytes")?;
        }
        Node::Fixed(fixed) => {
            cursor.take(fixed.size, "a fixed")?;
        }
        Node::Union(branches) => {
            let index = cursor.long("a union's index")?;
            let branch = usize::try_from(index).ok().and_then(|at| branches.get(at));
            match branch {
                Some(branch) => skip(tree, *branch, cursor, level + 1)?,
                None => return Err(Reason::UnionIndex(index, branches.len() as u32)),
            }
        }
        Node::Record(record) => {
            for field in &record.solid {
                skip(tree, *field, cursor, level + 1)?;
            }
        }
        Node::Array(item) => loop {
            match cursor.block(0)?.0 {
                0 => break,
                count => {
                    for _ in 0..count {
                        skip(tree, *item, cursor, level + 1)?;
                    }
                }
            }
        },
        Node::Map(value) => loop {
            match cursor.block(0)?.0 {
                0 => break,
                count => {
                    for _ in 0..count {
                        cursor.sized("a key")?;
                        skip(tree, *value, cursor, level + 1)?;
                    }
                }
            }
        },
    }
    Ok(())
}

fn misfit(reason: String) -> Refused {
    Refused::Misfit(reason)
}
