//! Renames the writer's types by the reader's aliases.

use std::collections::HashMap;

use crate::graph::{Graph, Node};
use crate::names::unqualified;

/// The reader's names of the types that its aliases name.
///
/// An alias names the writer's type of the same full name (Avro specification 1.12, "Aliases"). If no type of the reader has
/// the unqualified name, the alias also names types of other namespaces, because types match by unqualified name: so the
/// alias `topLevelRecord` of `shop.User` reads Spark's files, whose record has no namespace. Java reads them, too.
pub(super) struct TypeRenames<'t> {
    by_full_name: HashMap<&'t str, &'t str>,
    by_unqualified_name: HashMap<&'t str, &'t str>,
}

impl<'t> TypeRenames<'t> {
    /// The renames by the aliases in the reader's schema. If two types have the same alias, the last one uses it, as in Java.
    pub(super) fn of(reader: &'t Graph) -> Self {
        let mut by_full_name = HashMap::new();
        let mut by_unqualified_name = HashMap::new();
        for node in &reader.nodes {
            for alias in aliases(node) {
                by_full_name.insert(alias.as_str(), node.name());
                by_unqualified_name.insert(unqualified(alias), node.name());
            }
        }
        for node in &reader.nodes {
            by_unqualified_name.remove(unqualified(node.name()));
        }
        Self {
            by_full_name,
            by_unqualified_name,
        }
    }

    /// The full name of a writer's type after it is renamed.
    pub(super) fn apply<'n>(&self, name: &'n str) -> &'n str
    where
        't: 'n,
    {
        let renamed = self.by_full_name.get(name);
        let renamed = renamed.or_else(|| self.by_unqualified_name.get(unqualified(name)));
        renamed.copied().unwrap_or(name)
    }
}

fn aliases(node: &Node) -> &[String] {
    match node {
        Node::Record(record) => &record.aliases,
        Node::Enum(symbols) => &symbols.aliases,
        Node::Fixed(fixed) => &fixed.aliases,
        _ => &[],
    }
}
