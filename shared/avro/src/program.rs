//! A schema → a flat program for the walker.
//!
//! A record met in one place only is laid out in line; one met in several, or inside itself, is laid out once and
//! called. So the program is never much longer than the schema's text, however its types refer to each other.
//! Values that take no bytes (null, empty records) leave no trace in it, so that walking costs nothing that the
//! bytes did not pay for.

use std::collections::{HashMap, HashSet};

use super::SchemaError;
use super::tree::{Id, Node, Tree};

/// One instruction: check the next value, and skip it. Those with a slot keep what they pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    /// A fixed of so many bytes.
    Fixed(u32),
    /// An enum of so many symbols.
    Enum(u32),
    /// A union of `of` branches; their addresses lie in `targets` from `first`.
    Union {
        first: u32,
        of: u32,
    },
    /// An array or map whose items take at least `least` bytes; the items' program follows, up to [`Op::Next`].
    Blocks {
        least: u32,
        end: u32,
    },
    /// The key of a map's next entry.
    Key,
    /// The end of an item.
    Next,
    /// An array whose items take no bytes.
    Nothings,
    Jump(u32),
    Call(u32),
    Return,
    Halt,
    KeepBoolean(u32),
    KeepInt(u32),
    KeepLong(u32),
    KeepFloat(u32),
    KeepDouble(u32),
    KeepBytes(u32),
    KeepString(u32),
    KeepFixed {
        slot: u32,
        size: u32,
    },
    /// `symbols` is a number in the program's list of symbol lists.
    KeepEnum {
        slot: u32,
        symbols: u32,
    },
    /// The start of a complex value, and its end.
    KeepFrom(u32),
    KeepTo(u32),
}

/// The program of one schema, for all fields or for a projection.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    pub(super) targets: Vec<u32>,
    pub(super) symbols: Vec<Vec<Box<str>>>,
    /// By instruction: the field it reads, from the nearest item or called record on.
    pub(super) paths: Vec<Box<str>>,
    /// How many slots the walker fills.
    pub(super) slots: usize,
}

/// Which fields to keep, as a tree of names.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) slot: Option<u32>,
    pub(super) fields: Vec<(String, Wanted)>,
}

impl Program {
    /// Lays out the program.
    ///
    /// # Errors
    /// A schema too large for it.
    pub(super) fn compile(tree: &Tree, wanted: &Wanted, slots: usize) -> Result<Self, SchemaError> {
        let mut compiler = Compiler {
            tree,
            program: Program {
                ops: Vec::new(),
                targets: Vec::new(),
                symbols: Vec::new(),
                paths: Vec::new(),
                slots,
            },
            called: HashSet::new(),
            waiting: Vec::new(),
        };
        compiler.node(tree.root, "", Some(wanted))?;
        compiler.op(Op::Halt, "");
        compiler.called_records()?;
        Ok(compiler.program)
    }
}

struct Compiler<'t> {
    tree: &'t Tree,
    program: Program,
    called: HashSet<Id>,
    waiting: Vec<Id>,
}

impl Compiler<'_> {
    fn op(&mut self, op: Op, path: &str) -> usize {
        self.program.ops.push(op);
        self.program.paths.push(path.into());
        self.program.ops.len() - 1
    }

    fn here(&self) -> Result<u32, SchemaError> {
        number(self.program.ops.len())
    }

    // As deep as definitions are nested in the text, or as a wanted field's name is long.
    fn node(&mut self, id: Id, path: &str, wanted: Option<&Wanted>) -> Result<(), SchemaError> {
        let tree = self.tree;
        let slot = wanted.and_then(|wanted| wanted.slot);
        let plain = match (&tree.nodes[id], slot) {
            (Node::Null, _) => return Ok(()),
            (Node::Boolean, None) => Op::Boolean,
            (Node::Int, None) => Op::Int,
            (Node::Long, None) => Op::Long,
            (Node::Float, None) => Op::Float,
            (Node::Double, None) => Op::Double,
            (Node::Bytes, None) => Op::Bytes,
            (Node::String, None) => Op::String,
            (Node::Boolean, Some(slot)) => Op::KeepBoolean(slot),
            (Node::Int, Some(slot)) => Op::KeepInt(slot),
            (Node::Long, Some(slot)) => Op::KeepLong(slot),
            (Node::Float, Some(slot)) => Op::KeepFloat(slot),
            (Node::Double, Some(slot)) => Op::KeepDouble(slot),
            (Node::Bytes, Some(slot)) => Op::KeepBytes(slot),
            (Node::String, Some(slot)) => Op::KeepString(slot),
            (Node::Fixed(fixed), None) if fixed.size == 0 => return Ok(()),
            (Node::Fixed(fixed), None) => Op::Fixed(number(fixed.size)?),
            (Node::Fixed(fixed), Some(slot)) => Op::KeepFixed {
                slot,
                size: number(fixed.size)?,
            },
            (Node::Enum(symbols), None) => Op::Enum(number(symbols.symbols.len())?),
            (Node::Enum(symbols), Some(slot)) => {
                self.program.symbols.push(symbols.symbols.clone());
                let symbols = number(self.program.symbols.len() - 1)?;
                Op::KeepEnum { slot, symbols }
            }
            (Node::Union(branches), _) => return self.union(branches, path, wanted),
            (Node::Array(_) | Node::Map(_) | Node::Record(_), None) => {
                return self.complex(id, path, wanted);
            }
            (Node::Array(_) | Node::Map(_) | Node::Record(_), Some(slot)) => {
                self.op(Op::KeepFrom(slot), path);
                self.complex(id, path, wanted)?;
                Op::KeepTo(slot)
            }
        };
        self.op(plain, path);
        Ok(())
    }

    fn complex(&mut self, id: Id, path: &str, wanted: Option<&Wanted>) -> Result<(), SchemaError> {
        let tree = self.tree;
        match &tree.nodes[id] {
            Node::Array(item) if tree.least[*item] == 0 => {
                self.op(Op::Nothings, path);
                Ok(())
            }
            Node::Array(item) => self.blocks(*item, tree.least[*item], false, path),
            Node::Map(value) => {
                let least = tree.least[*value].saturating_add(1);
                self.blocks(*value, least, true, path)
            }
            Node::Record(_) if wanted.is_none_or(|wanted| wanted.fields.is_empty()) => {
                if tree.least[id] == 0 {
                    return Ok(());
                }
                if tree.uses[id] == 1 {
                    return self.fields(id, path, None);
                }
                // The type's number for now; its address once everything is laid out.
                self.op(Op::Call(number(id)?), path);
                if self.called.insert(id) {
                    self.waiting.push(id);
                }
                Ok(())
            }
            _ => self.fields(id, path, wanted),
        }
    }

    fn fields(&mut self, id: Id, path: &str, wanted: Option<&Wanted>) -> Result<(), SchemaError> {
        let tree = self.tree;
        let Node::Record(record) = &tree.nodes[id] else {
            return Ok(());
        };
        for field in &record.fields {
            let path = if path.is_empty() {
                field.name.clone()
            } else {
                format!("{path}.{}", field.name)
            };
            let wanted = wanted.and_then(|wanted| wanted.field(&field.name));
            self.node(field.node, &path, wanted)?;
        }
        Ok(())
    }

    fn union(
        &mut self,
        branches: &[Id],
        path: &str,
        wanted: Option<&Wanted>,
    ) -> Result<(), SchemaError> {
        let first = number(self.program.targets.len())?;
        let of = number(branches.len())?;
        self.op(Op::Union { first, of }, path);
        let table = self.program.targets.len();
        self.program.targets.resize(table + branches.len(), 0);
        let mut jumps = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            self.program.targets[table + index] = self.here()?;
            self.node(*branch, path, wanted)?;
            jumps.push(self.op(Op::Jump(0), path));
        }
        // The last branch needs no jump: it runs into what follows.
        if let Some(last) = jumps.pop() {
            self.program.ops.truncate(last);
            self.program.paths.truncate(last);
        }
        let end = self.here()?;
        for jump in jumps {
            self.program.ops[jump] = Op::Jump(end);
        }
        // A branch without a program goes straight to the end.
        for target in &mut self.program.targets[table..table + branches.len()] {
            if matches!(self.program.ops.get(*target as usize), Some(Op::Jump(to)) if *to == end) {
                *target = end;
            }
        }
        Ok(())
    }

    fn blocks(
        &mut self,
        item: Id,
        least: usize,
        keyed: bool,
        path: &str,
    ) -> Result<(), SchemaError> {
        let least = u32::try_from(least).unwrap_or(u32::MAX);
        let at = self.op(Op::Blocks { least, end: 0 }, path);
        if keyed {
            self.op(Op::Key, "");
        }
        self.node(item, "", None)?;
        self.op(Op::Next, "");
        let end = self.here()?;
        self.program.ops[at] = Op::Blocks { least, end };
        Ok(())
    }

    /// Lays out what is called, and what that calls, and turns type numbers in calls into addresses.
    fn called_records(&mut self) -> Result<(), SchemaError> {
        let mut starts = HashMap::new();
        while let Some(id) = self.waiting.pop() {
            starts.insert(number(id)?, self.here()?);
            self.fields(id, "", None)?;
            self.op(Op::Return, "");
        }
        for op in &mut self.program.ops {
            if let Op::Call(id) = op {
                let Some(start) = starts.get(id) else {
                    return Err(SchemaError("a type has no program".to_owned()));
                };
                *op = Op::Call(*start);
            }
        }
        Ok(())
    }
}

impl Wanted {
    fn field(&self, name: &str) -> Option<&Wanted> {
        let (_, wanted) = self.fields.iter().find(|(known, _)| known == name)?;
        Some(wanted)
    }
}

fn number(value: usize) -> Result<u32, SchemaError> {
    u32::try_from(value).map_err(|_| SchemaError("the schema is too large".to_owned()))
}
