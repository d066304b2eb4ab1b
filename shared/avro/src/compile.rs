//! Compiles a schema to a [`Program`].
//!
//! A record that occurs in one place is compiled inline. A record that occurs in several places, or contains itself, is
//! compiled once and called. So the length of the program is linear in the length of the schema.
//!
//! Types whose encoding is always empty (null, records without fields) have no instructions, so that they cost no time.

use std::collections::{HashMap, HashSet};

use crate::SchemaError;
use crate::graph::{Graph, Node, NodeId};
use crate::program::{Op, Program, Selection};

/// Compiles the program of a schema that captures the selected fields in `slots` slots.
///
/// # Errors
/// The schema is too large.
pub(super) fn program(
    graph: &Graph,
    selection: &Selection,
    slots: usize,
) -> Result<Program, SchemaError> {
    let mut compiler = Compiler {
        graph,
        program: Program {
            ops: Vec::new(),
            targets: Vec::new(),
            symbols: Vec::new(),
            paths: Vec::new(),
            slots,
        },
        called: HashSet::new(),
        pending: Vec::new(),
    };
    compiler.node(graph.root, "", Some(selection))?;
    compiler.emit(Op::Halt, "");
    compiler.called_records()?;
    Ok(compiler.program)
}

struct Compiler<'t> {
    graph: &'t Graph,
    program: Program,
    /// The records that are called.
    called: HashSet<NodeId>,
    /// Those of them that are not compiled yet.
    pending: Vec<NodeId>,
}

impl Compiler<'_> {
    fn emit(&mut self, op: Op, path: &str) -> usize {
        self.program.ops.push(op);
        self.program.paths.push(path.into());
        self.program.ops.len() - 1
    }

    fn address(&self) -> Result<u32, SchemaError> {
        number(self.program.ops.len())
    }

    // Recursion is limited by the nesting of the schema's text and by the length of the selected paths.
    fn node(
        &mut self,
        id: NodeId,
        path: &str,
        selection: Option<&Selection>,
    ) -> Result<(), SchemaError> {
        let graph = self.graph;
        let slot = selection.and_then(|selection| selection.slot);
        let op = match (&graph.nodes[id], slot) {
            (Node::Null, _) => return Ok(()),
            (Node::Boolean, None) => Op::Boolean,
            (Node::Int, None) => Op::Int,
            (Node::Long, None) => Op::Long,
            (Node::Float, None) => Op::Float,
            (Node::Double, None) => Op::Double,
            (Node::Bytes, None) => Op::Bytes,
            (Node::String, None) => Op::String,
            (Node::Boolean, Some(slot)) => Op::CaptureBoolean(slot),
            (Node::Int, Some(slot)) => Op::CaptureInt(slot),
            (Node::Long, Some(slot)) => Op::CaptureLong(slot),
            (Node::Float, Some(slot)) => Op::CaptureFloat(slot),
            (Node::Double, Some(slot)) => Op::CaptureDouble(slot),
            (Node::Bytes, Some(slot)) => Op::CaptureBytes(slot),
            (Node::String, Some(slot)) => Op::CaptureString(slot),
            (Node::Fixed(fixed), None) if fixed.size == 0 => return Ok(()),
            (Node::Fixed(fixed), None) => Op::Fixed(number(fixed.size)?),
            (Node::Fixed(fixed), Some(slot)) => Op::CaptureFixed {
                slot,
                size: number(fixed.size)?,
            },
            (Node::Enum(symbols), None) => Op::Enum(number(symbols.symbols.len())?),
            (Node::Enum(symbols), Some(slot)) => {
                self.program.symbols.push(symbols.symbols.clone());
                let symbols = number(self.program.symbols.len() - 1)?;
                Op::CaptureEnum { slot, symbols }
            }
            (Node::Union(branches), _) => return self.union(branches, path, selection),
            (Node::Array(_) | Node::Map(_) | Node::Record(_), None) => {
                return self.complex(id, path, selection);
            }
            (Node::Array(_) | Node::Map(_) | Node::Record(_), Some(slot)) => {
                self.emit(Op::CaptureStart(slot), path);
                self.complex(id, path, selection)?;
                Op::CaptureEnd(slot)
            }
        };
        self.emit(op, path);
        Ok(())
    }

    fn complex(
        &mut self,
        id: NodeId,
        path: &str,
        selection: Option<&Selection>,
    ) -> Result<(), SchemaError> {
        let graph = self.graph;
        match &graph.nodes[id] {
            Node::Array(item) if graph.min_sizes[*item] == 0 => {
                self.emit(Op::ZeroLengthItems, path);
                Ok(())
            }
            Node::Array(item) => self.blocks(*item, graph.min_sizes[*item], false, path),
            Node::Map(value) => {
                let min_size = graph.min_sizes[*value].saturating_add(1);
                self.blocks(*value, min_size, true, path)
            }
            Node::Record(_) if selection.is_none_or(|selection| selection.fields.is_empty()) => {
                if graph.min_sizes[id] == 0 {
                    return Ok(());
                }
                if graph.uses[id] == 1 {
                    return self.fields(id, path, None);
                }
                // The operand is the node until `called_records` replaces it with the address.
                self.emit(Op::Call(number(id)?), path);
                if self.called.insert(id) {
                    self.pending.push(id);
                }
                Ok(())
            }
            _ => self.fields(id, path, selection),
        }
    }

    fn fields(
        &mut self,
        id: NodeId,
        path: &str,
        selection: Option<&Selection>,
    ) -> Result<(), SchemaError> {
        let graph = self.graph;
        let Node::Record(record) = &graph.nodes[id] else {
            return Ok(());
        };
        for field in &record.fields {
            let path = if path.is_empty() {
                field.name.clone()
            } else {
                format!("{path}.{}", field.name)
            };
            let selection = selection.and_then(|selection| selection.field(&field.name));
            self.node(field.node, &path, selection)?;
        }
        Ok(())
    }

    fn union(
        &mut self,
        branches: &[NodeId],
        path: &str,
        selection: Option<&Selection>,
    ) -> Result<(), SchemaError> {
        let first = number(self.program.targets.len())?;
        let count = number(branches.len())?;
        self.emit(Op::Union { first, count }, path);
        let table = self.program.targets.len();
        self.program.targets.resize(table + branches.len(), 0);
        let mut jumps = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            self.program.targets[table + index] = self.address()?;
            self.node(*branch, path, selection)?;
            jumps.push(self.emit(Op::Jump(0), path));
        }
        // The last branch needs no jump, because the end follows it.
        if let Some(last) = jumps.pop() {
            self.program.ops.truncate(last);
            self.program.paths.truncate(last);
        }
        let end = self.address()?;
        for jump in jumps {
            self.program.ops[jump] = Op::Jump(end);
        }
        // A branch without instructions has the end as its address.
        for target in &mut self.program.targets[table..table + branches.len()] {
            if matches!(self.program.ops.get(*target as usize), Some(Op::Jump(to)) if *to == end) {
                *target = end;
            }
        }
        Ok(())
    }

    fn blocks(
        &mut self,
        item: NodeId,
        min_size: usize,
        keyed: bool,
        path: &str,
    ) -> Result<(), SchemaError> {
        let min_size = u32::try_from(min_size).unwrap_or(u32::MAX);
        let at = self.emit(Op::Blocks { min_size, end: 0 }, path);
        if keyed {
            self.emit(Op::Key, "");
        }
        self.node(item, "", None)?;
        self.emit(Op::Next, "");
        let end = self.address()?;
        self.program.ops[at] = Op::Blocks { min_size, end };
        Ok(())
    }

    /// Compiles the called records, and replaces the nodes in calls with addresses.
    fn called_records(&mut self) -> Result<(), SchemaError> {
        let mut starts = HashMap::new();
        while let Some(id) = self.pending.pop() {
            starts.insert(number(id)?, self.address()?);
            self.fields(id, "", None)?;
            self.emit(Op::Return, "");
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

fn number(value: usize) -> Result<u32, SchemaError> {
    u32::try_from(value).map_err(|_| SchemaError("the schema is too large".to_owned()))
}
