//! Whether a resolution changes bytes.

use super::steps::{FieldSource, Plan, Step};
use crate::graph::NodeId;

/// Whether the plan copies every datum of the writer unchanged.
pub(super) fn is_identity(plan: &Plan) -> bool {
    // A type may contain itself, so each step is an identity until the contrary is found. Inner steps follow outer ones,
    // except in recursion, so the reverse order needs few rounds.
    let mut identities = vec![true; plan.steps.len()];
    loop {
        let mut changed = false;
        for (id, step) in plan.steps.iter().enumerate().rev() {
            if identities[id] && !keeps_bytes(step, plan, &identities) {
                identities[id] = false;
                changed = true;
            }
        }
        if !changed {
            return identities[plan.root];
        }
    }
}

/// Whether a step copies every value, provided that the steps in `identities` do.
fn keeps_bytes(step: &Step, plan: &Plan, identities: &[bool]) -> bool {
    match step {
        Step::Copy(_) => true,
        Step::Enum(symbols) => (symbols.iter().enumerate()).all(|(id, symbol)| *symbol == Some(id)),
        Step::Items { step, .. } => identities[*step],
        Step::Record {
            fields,
            writer: written,
        } => record_keeps_bytes(fields, written, identities),
        Step::FromUnion(branches) => branches.iter().enumerate().all(|(position, branch)| {
            let Ok(branch) = branch else { return false };
            matches!(plan.steps[*branch], Step::ToUnion { index, step } if index == position && identities[step])
        }),
        // The value of a `FromUnion` step is judged there, with its index. Without it, an index is added.
        Step::ToUnion { .. } => false,
        Step::IntToFloat
        | Step::IntToDouble
        | Step::FloatToDouble
        | Step::BytesToString
        | Step::Pending => false,
    }
}

/// Whether the reader has exactly the writer's fields that have bytes, in the writer's order.
fn record_keeps_bytes(fields: &[FieldSource], written: &[NodeId], identities: &[bool]) -> bool {
    let mut next = 0;
    for field in fields {
        match field {
            FieldSource::Default(encoded) if encoded.is_empty() => {}
            FieldSource::Field(None, step) if identities[*step] => {}
            FieldSource::Field(Some(index), step) if *index == next && identities[*step] => {
                next += 1;
            }
            _ => return false,
        }
    }
    next == written.len()
}
