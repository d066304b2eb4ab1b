//! Matches the fields of two records.

use std::collections::HashMap;

use crate::graph::Record;

/// By the reader's fields: the index of the writer's field from which each is read.
///
/// The reader's aliases rename the writer's fields, then fields match by name (Avro specification 1.12, "Aliases"). The
/// specification does not define what happens if two fields then have the same name, and Java rejects the schemas. Here
/// an alias is ignored if the writer has a field of the new name that is not renamed itself, so that a writer's schema
/// with both names stays readable. If two fields have the same alias, the last one uses it, as in Java.
pub(super) fn field_sources(written: &Record, read: &Record) -> Vec<Option<usize>> {
    let named = written.fields.iter().map(|field| field.name.as_str());
    let named: HashMap<&str, usize> = named.zip(0..).collect();
    let mut sources = vec![None; read.fields.len()];
    let mut by_own_name = vec![false; read.fields.len()];
    loop {
        let mut renamed = vec![false; written.fields.len()];
        for (index, field) in read.fields.iter().enumerate().rev() {
            if !by_own_name[index] {
                let mut aliased = field.aliases.iter().filter_map(|alias| named.get(&**alias));
                sources[index] = aliased.find(|source| !renamed[**source]).copied();
                if let Some(source) = sources[index] {
                    renamed[source] = true;
                }
            }
        }
        // A field that keeps its name may make an alias void. Then the field of that alias keeps its name, too.
        let mut changed = false;
        for (index, field) in read.fields.iter().enumerate() {
            if let Some(source) = named.get(field.name.as_str())
                && !renamed[*source]
                && !by_own_name[index]
            {
                sources[index] = Some(*source);
                by_own_name[index] = true;
                changed = true;
            }
        }
        if !changed {
            return sources;
        }
    }
}
