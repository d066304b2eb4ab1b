//! The types of values in conditions, and of a record's fields.

use std::collections::{HashMap, HashSet};
use std::fmt;

use avro::{Schema, SchemaNode, SchemaType};

use crate::logical::{Encoding, TimeUnit};

/// The static type of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Type {
    pub(super) kind: Kind,
    /// True if the value may be null.
    pub(super) nullable: bool,
}

/// The type of a value that is not null.
///
/// An Avro type with a logical type has the kind of its [`Encoding`]. In a union of several types other than null it has the
/// kind of its underlying type, because a value does not tell its branch.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool,
    /// Avro's `int` and `long`.
    Int,
    /// Only in CEL; no Avro type maps to it.
    Uint,
    /// Avro's `float` and `double`.
    Double,
    Str,
    /// A string with one of the symbols in [`Types::symbols`].
    Enum(usize),
    /// Avro's `bytes` and `fixed`.
    Bytes,
    /// A timestamp, and the unit in which a record stores it.
    Timestamp(TimeUnit),
    /// A duration, and the unit in which a record stores it.
    Duration(TimeUnit),
    /// A decimal, and the scale with which a record stores it.
    Decimal(u32),
    /// The text of a UUID that a record stores as 16 bytes.
    Uuid,
    List(Box<Type>),
    /// The types of keys and values.
    Map(Box<Type>, Box<Type>),
    /// The fields are in [`Types::records`].
    Record(usize),
    /// Known only when a record is evaluated, for example a union of several types.
    Any,
}

impl From<Kind> for Type {
    fn from(kind: Kind) -> Self {
        Self {
            nullable: kind == Kind::Null,
            kind,
        }
    }
}

impl Type {
    /// The type of the elements of an empty list. No value has it.
    pub(super) const NEVER: Self = Self {
        kind: Kind::Null,
        nullable: false,
    };

    /// The narrowest type that includes both types.
    pub(super) fn or(self, other: Self) -> Self {
        let nullable = self.nullable || other.nullable;
        let kind = match (self.kind, other.kind) {
            (Kind::Null, kind) | (kind, Kind::Null) => kind,
            (a, b) if a == b => a,
            (a, b) if a.is_text() && b.is_text() => Kind::Str,
            (a, b) if a.is_same_logical(&b) => a,
            (Kind::List(a), Kind::List(b)) => Kind::List(Box::new(a.or(*b))),
            _ => Kind::Any,
        };
        Self { kind, nullable }
    }
}

impl Kind {
    /// Whether its values are text.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Str | Self::Enum(_) | Self::Uuid)
    }

    /// Whether its values are numbers, or can be.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double | Self::Any)
    }

    /// Whether both are timestamps, durations or decimals. How a record stores them does not matter.
    pub(super) fn is_same_logical(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Timestamp(_), Self::Timestamp(_))
                | (Self::Duration(_), Self::Duration(_))
                | (Self::Decimal(_), Self::Decimal(_))
        )
    }

    /// Whether it is a timestamp, a duration or a decimal.
    pub(super) fn is_logical(&self) -> bool {
        self.is_same_logical(self)
    }

    /// How a record stores its values.
    pub(super) fn encoding(&self) -> Encoding {
        match self {
            Self::Timestamp(unit) => Encoding::Timestamp(*unit),
            Self::Duration(unit) => Encoding::TimeOfDay(*unit),
            Self::Decimal(scale) => Encoding::Decimal(*scale),
            Self::Uuid => Encoding::Uuid,
            _ => Encoding::Plain,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            Kind::Null => return f.write_str("null"),
            Kind::Bool => "a boolean",
            Kind::Int => "an int",
            Kind::Uint => "an unsigned int",
            Kind::Double => "a double",
            Kind::Str => "a string",
            Kind::Enum(_) => "an enum",
            Kind::Bytes => "bytes",
            Kind::Timestamp(_) => "a timestamp",
            Kind::Duration(_) => "a duration",
            Kind::Decimal(_) => "a decimal",
            Kind::Uuid => "a UUID",
            Kind::List(_) => "a list",
            Kind::Map(..) => "a map",
            Kind::Record(_) => "a record",
            Kind::Any => "a value of several types",
        };
        write!(f, "{word}{}", if self.nullable { " or null" } else { "" })
    }
}

/// The types of a schema. Records refer to each other by index, because they may contain themselves.
#[derive(Debug, Default)]
pub(super) struct Types {
    /// The fields of each record, in order.
    pub(super) records: Vec<Vec<(String, Type)>>,
    /// The symbols of each enum, in order.
    pub(super) symbols: Vec<Vec<String>>,
    /// The fields of type `int`, also nullable ones: the record's index and the field's name.
    ints: HashSet<(usize, String)>,
    /// The type of the datum.
    datum: Option<Type>,
    /// The encodings of logical types that have an effect, in the order of the schema.
    pub(super) encodings: Vec<Encoding>,
}

impl Types {
    /// The types of a schema.
    pub(super) fn of(schema: &Schema) -> Self {
        let mut builder = TypesBuilder::default();
        let datum = builder.add(schema.root(), true);
        builder.types.datum = Some(datum);
        builder.types
    }

    /// The index of the datum's record. `None` if the datum is not a record.
    pub(super) fn record(&self) -> Option<usize> {
        match &self.datum {
            Some(Type {
                kind: Kind::Record(index),
                ..
            }) => Some(*index),
            _ => None,
        }
    }

    /// The type of the datum.
    pub(super) fn datum(&self) -> Option<&Type> {
        self.datum.as_ref()
    }

    /// The fields of the datum. Empty if the datum is not a record.
    pub(super) fn fields(&self) -> &[(String, Type)] {
        self.record().map_or(&[], |index| &self.records[index])
    }

    /// The type of the field with this path (`address.city`). It is nullable if a record around it is.
    pub(super) fn field_at(&self, path: &str) -> Option<Type> {
        let (_, _, found) = self.locate(path)?;
        Some(found)
    }

    /// Whether the field with this path has the type `int`, so that its values have 32 bits.
    pub(super) fn is_int(&self, path: &str) -> bool {
        self.locate(path)
            .is_some_and(|(record, name, _)| self.ints.contains(&(record, name.to_owned())))
    }

    /// The record that contains a field directly, the field's name, and its type.
    fn locate<'p>(&self, path: &'p str) -> Option<(usize, &'p str, Type)> {
        let mut record = self.record()?;
        let mut nullable = false;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let found = Self::field(&self.records[record], name)?;
            nullable |= found.nullable;
            match found.kind {
                Kind::Record(inner) if names.peek().is_some() => record = inner,
                _ if names.peek().is_some() => return None,
                _ => {
                    let kind = found.kind.clone();
                    return Some((record, name, Type { kind, nullable }));
                }
            }
        }
        None
    }

    /// The type of the field with this name among `fields`.
    pub(super) fn field<'a>(fields: &'a [(String, Type)], name: &str) -> Option<&'a Type> {
        fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, kind)| kind)
    }
}

#[derive(Default)]
struct TypesBuilder {
    types: Types,
    /// Records and enums, by the ids of their schema nodes.
    named: HashMap<usize, Kind>,
}

impl TypesBuilder {
    /// `is_alone` is false for the branches of a union of several types other than null.
    fn add(&mut self, node: SchemaNode<'_>, is_alone: bool) -> Type {
        if let Some(kind) = self.named.get(&node.id()) {
            return kind.clone().into();
        }
        if is_alone && let Some(kind) = self.logical(node) {
            return kind.into();
        }
        match node.kind() {
            SchemaType::Null => Kind::Null,
            SchemaType::Boolean => Kind::Bool,
            SchemaType::Int | SchemaType::Long => Kind::Int,
            SchemaType::Float | SchemaType::Double => Kind::Double,
            SchemaType::Bytes | SchemaType::Fixed(_) => Kind::Bytes,
            SchemaType::String => Kind::Str,
            SchemaType::Array(items) => Kind::List(Box::new(self.add(items, true))),
            SchemaType::Map(values) => {
                Kind::Map(Box::new(Kind::Str.into()), Box::new(self.add(values, true)))
            }
            SchemaType::Union(branches) => {
                let is_null = |branch: &SchemaNode<'_>| matches!(branch.kind(), SchemaType::Null);
                let is_alone = branches.iter().filter(|branch| !is_null(branch)).count() <= 1;
                let types = branches
                    .into_iter()
                    .map(|branch| self.add(branch, is_alone));
                return types.reduce(Type::or).unwrap_or_else(|| Kind::Any.into());
            }
            SchemaType::Record(fields) => self.record(node.id(), fields),
            SchemaType::Enum(symbols) => {
                let kind = Kind::Enum(self.types.symbols.len());
                let symbols = symbols.into_iter().map(str::to_owned).collect();
                self.types.symbols.push(symbols);
                self.named.insert(node.id(), kind.clone());
                kind
            }
        }
        .into()
    }

    /// The kind of a logical type. `None` if its values are those of the underlying type.
    fn logical(&mut self, node: SchemaNode<'_>) -> Option<Kind> {
        let is_fixed = matches!(node.kind(), SchemaType::Fixed(_));
        let encoding = Encoding::of(node.logical_type()?, is_fixed);
        let kind = match encoding {
            Encoding::Plain => return None,
            Encoding::Timestamp(unit) => Kind::Timestamp(unit),
            Encoding::TimeOfDay(unit) => Kind::Duration(unit),
            Encoding::Decimal(scale) => Kind::Decimal(scale),
            Encoding::Uuid => Kind::Uuid,
        };
        self.types.encodings.push(encoding);
        Some(kind)
    }

    fn record(&mut self, id: usize, fields: Vec<(&str, SchemaNode<'_>)>) -> Kind {
        let index = self.types.records.len();
        self.types.records.push(Vec::new());
        // Known before its fields are added, because one of them may be the record itself.
        self.named.insert(id, Kind::Record(index));
        let mut added = Vec::with_capacity(fields.len());
        for (name, node) in fields {
            if is_int(node) {
                self.types.ints.insert((index, name.to_owned()));
            }
            added.push((name.to_owned(), self.add(node, true)));
        }
        self.types.records[index] = added;
        Kind::Record(index)
    }
}

/// Whether all values that are not null are of type `int`.
fn is_int(node: SchemaNode<'_>) -> bool {
    match node.kind() {
        SchemaType::Int => true,
        SchemaType::Union(branches) => branches
            .iter()
            .all(|branch| matches!(branch.kind(), SchemaType::Int | SchemaType::Null)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(schema: &str) -> Types {
        Types::of(&Schema::parse(schema).unwrap())
    }

    fn nullable(kind: Kind) -> Type {
        Type {
            kind,
            nullable: true,
        }
    }

    #[test]
    fn fields_have_the_types_of_their_values() {
        let types = types(
            r#"{"type":"record","name":"R","namespace":"n","fields":[
                {"name":"id","type":"int"},
                {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
                {"name":"email","type":["null","string"]},
                {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
                {"name":"day","type":["null",{"type":"int","logicalType":"date"}]},
                {"name":"time","type":{"type":"array","items":{"type":"long","logicalType":"time-micros"}}},
                {"name":"key","type":{"type":"fixed","name":"Key","size":16,"logicalType":"uuid"}},
                {"name":"text","type":{"type":"string","logicalType":"uuid"}},
                {"name":"span","type":{"type":"fixed","name":"Span","size":12,"logicalType":"duration"}},
                {"name":"either","type":["string",{"type":"long","logicalType":"timestamp-millis"}]},
                {"name":"colour","type":{"type":"enum","name":"Colour","symbols":["RED","BLUE"]}},
                {"name":"second","type":"Colour"},
                {"name":"mixed","type":["int","string"]},
                {"name":"tags","type":{"type":"map","values":["null","long","int"]}}]}"#,
        );
        let kinds: Vec<Type> = types
            .fields()
            .iter()
            .map(|(_, kind)| kind.clone())
            .collect();
        assert_eq!(
            kinds,
            [
                Kind::Int.into(),
                Kind::Timestamp(TimeUnit::Millis).into(),
                nullable(Kind::Str),
                Kind::Decimal(2).into(),
                nullable(Kind::Timestamp(TimeUnit::Days)),
                Kind::List(Box::new(Kind::Duration(TimeUnit::Micros).into())).into(),
                Kind::Uuid.into(),
                Kind::Str.into(),
                Kind::Bytes.into(),
                Kind::Any.into(),
                Kind::Enum(0).into(),
                Kind::Enum(0).into(),
                Kind::Any.into(),
                Kind::Map(Box::new(Kind::Str.into()), Box::new(nullable(Kind::Int))).into(),
            ]
        );
    }

    #[test]
    fn a_record_may_contain_itself() {
        let types = types(
            r#"{"type":"record","name":"Node","namespace":"a.b","fields":[
                {"name":"value","type":"int"},{"name":"next","type":["null","Node"]}]}"#,
        );
        assert_eq!(
            types.fields()[1],
            ("next".to_owned(), nullable(Kind::Record(0)))
        );
    }

    #[test]
    fn datums_that_are_not_records_have_no_fields() {
        assert!(types(r#""string""#).fields().is_empty());
    }
}
