//! What a condition may know about a record: the names and types of its fields. Pure: a schema in, types out.

use std::collections::HashMap;
use std::fmt;

use apache_avro::Schema as Avro;
use apache_avro::schema::{RecordSchema, UnionSchema};

/// The type of a value, as far as it is known before any record is seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Type {
    pub(super) kind: Kind,
    /// True where the value may be null instead.
    pub(super) nullable: bool,
}

/// The type of a value that is not null. Avro's logical types count as what they are stored as.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool,
    /// Avro's `int` and `long`.
    Int,
    /// CEL's own; no field has it.
    Uint,
    /// Avro's `float` and `double`.
    Double,
    Str,
    /// A string that can only be one of the symbols of [`Shapes::symbols`].
    Enum(usize),
    /// Avro's `bytes` and `fixed`.
    Bytes,
    List(Box<Type>),
    /// The types of keys and values.
    Map(Box<Type>, Box<Type>),
    /// The fields are in [`Shapes::records`].
    Record(usize),
    /// Known only when a record is there: a union of several types.
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
    /// The type of the elements of an empty list: no value has it.
    pub(super) const NOTHING: Self = Self {
        kind: Kind::Null,
        nullable: false,
    };

    /// The narrowest type that holds the values of both.
    pub(super) fn or(self, other: Self) -> Self {
        let nullable = self.nullable || other.nullable;
        let kind = match (self.kind, other.kind) {
            (Kind::Null, kind) | (kind, Kind::Null) => kind,
            (a, b) if a == b => a,
            (Kind::Enum(_) | Kind::Str, Kind::Enum(_) | Kind::Str) => Kind::Str,
            (Kind::List(a), Kind::List(b)) => Kind::List(Box::new(a.or(*b))),
            _ => Kind::Any,
        };
        Self { kind, nullable }
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
            Kind::List(_) => "a list",
            Kind::Map(..) => "a map",
            Kind::Record(_) => "a record",
            Kind::Any => "a value of several types",
        };
        write!(f, "{word}{}", if self.nullable { " or null" } else { "" })
    }
}

/// The types of a schema. Records refer to each other by index, so that they may contain themselves.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// The fields of each record, in order.
    pub(super) records: Vec<Vec<(String, Type)>>,
    /// The symbols of each enum, in order.
    pub(super) symbols: Vec<Vec<String>>,
    /// The datum's own type.
    pub(super) datum: Option<Type>,
}

impl Shapes {
    /// The types of a schema, from its JSON text.
    ///
    /// # Errors
    /// No Avro schema.
    pub(super) fn of(schema: &str) -> Result<Self, String> {
        let schema = Avro::parse_str(schema).map_err(|error| error.to_string())?;
        let mut reader = Reader::default();
        let datum = reader.read(&schema, None);
        reader.shapes.datum = Some(datum);
        Ok(reader.shapes)
    }

    /// The datum's fields; none if it is no record.
    pub(super) fn fields(&self) -> &[(String, Type)] {
        match &self.datum {
            Some(Type {
                kind: Kind::Record(index),
                ..
            }) => &self.records[*index],
            _ => &[],
        }
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
struct Reader {
    shapes: Shapes,
    named: HashMap<String, Kind>,
}

impl Reader {
    fn read(&mut self, schema: &Avro, namespace: Option<&str>) -> Type {
        match schema {
            Avro::Null => Kind::Null,
            Avro::Boolean => Kind::Bool,
            Avro::Int
            | Avro::Long
            | Avro::Date
            | Avro::TimeMillis
            | Avro::TimeMicros
            | Avro::TimestampMillis
            | Avro::TimestampMicros
            | Avro::TimestampNanos
            | Avro::LocalTimestampMillis
            | Avro::LocalTimestampMicros
            | Avro::LocalTimestampNanos => Kind::Int,
            Avro::Float | Avro::Double => Kind::Double,
            Avro::Bytes | Avro::BigDecimal => Kind::Bytes,
            Avro::String => Kind::Str,
            Avro::Array(array) => Kind::List(Box::new(self.read(&array.items, namespace))),
            Avro::Map(map) => Kind::Map(
                Box::new(Kind::Str.into()),
                Box::new(self.read(&map.types, namespace)),
            ),
            Avro::Union(union) => return self.union(union, namespace),
            Avro::Record(record) => self.record(record, namespace),
            Avro::Enum(symbols) => {
                let kind = Kind::Enum(self.shapes.symbols.len());
                self.shapes.symbols.push(symbols.symbols.clone());
                self.name(symbols.name.fullname(namespace), kind)
            }
            Avro::Fixed(fixed) | Avro::Duration(fixed) => {
                self.name(fixed.name.fullname(namespace), Kind::Bytes)
            }
            Avro::Decimal(decimal) => match &decimal.inner {
                apache_avro::schema::InnerDecimalSchema::Bytes => Kind::Bytes,
                apache_avro::schema::InnerDecimalSchema::Fixed(fixed) => {
                    self.name(fixed.name.fullname(namespace), Kind::Bytes)
                }
            },
            Avro::Uuid(uuid) => match uuid {
                apache_avro::schema::UuidSchema::String => Kind::Str,
                apache_avro::schema::UuidSchema::Bytes => Kind::Bytes,
                apache_avro::schema::UuidSchema::Fixed(fixed) => {
                    self.name(fixed.name.fullname(namespace), Kind::Bytes)
                }
            },
            Avro::Ref { name } => {
                let known = self.named.get(&name.fullname(namespace));
                known.cloned().unwrap_or(Kind::Any)
            }
        }
        .into()
    }

    fn record(&mut self, record: &RecordSchema, namespace: Option<&str>) -> Kind {
        let index = self.shapes.records.len();
        self.shapes.records.push(Vec::new());
        // Named before its fields are read: one of them may be the record itself.
        let kind = self.name(record.name.fullname(namespace), Kind::Record(index));
        let own = record.name.namespace().or(namespace).map(str::to_owned);
        let fields = record
            .fields
            .iter()
            .map(|field| (field.name.clone(), self.read(&field.schema, own.as_deref())))
            .collect();
        self.shapes.records[index] = fields;
        kind
    }

    fn union(&mut self, union: &UnionSchema, namespace: Option<&str>) -> Type {
        union
            .variants()
            .iter()
            .map(|variant| self.read(variant, namespace))
            .reduce(Type::or)
            .unwrap_or_else(|| Kind::Any.into())
    }

    fn name(&mut self, name: String, kind: Kind) -> Kind {
        self.named.insert(name, kind.clone());
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nullable(kind: Kind) -> Type {
        Type {
            kind,
            nullable: true,
        }
    }

    #[test]
    fn fields_have_the_types_of_what_they_are_stored_as() {
        let shapes = Shapes::of(
            r#"{"type":"record","name":"R","namespace":"n","fields":[
                {"name":"id","type":"int"},
                {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
                {"name":"email","type":["null","string"]},
                {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
                {"name":"colour","type":{"type":"enum","name":"Colour","symbols":["RED","BLUE"]}},
                {"name":"second","type":"Colour"},
                {"name":"mixed","type":["int","string"]},
                {"name":"tags","type":{"type":"map","values":["null","long","int"]}}]}"#,
        )
        .unwrap();
        let kinds: Vec<Type> = shapes
            .fields()
            .iter()
            .map(|(_, kind)| kind.clone())
            .collect();
        assert_eq!(
            kinds,
            [
                Kind::Int.into(),
                Kind::Int.into(),
                nullable(Kind::Str),
                Kind::Bytes.into(),
                Kind::Enum(0).into(),
                Kind::Enum(0).into(),
                Kind::Any.into(),
                Kind::Map(Box::new(Kind::Str.into()), Box::new(nullable(Kind::Int))).into(),
            ]
        );
    }

    #[test]
    fn a_record_may_contain_itself() {
        let shapes = Shapes::of(
            r#"{"type":"record","name":"Node","namespace":"a.b","fields":[
                {"name":"value","type":"int"},{"name":"next","type":["null","Node"]}]}"#,
        )
        .unwrap();
        assert_eq!(
            shapes.fields()[1],
            ("next".to_owned(), nullable(Kind::Record(0)))
        );
    }

    #[test]
    fn a_datum_that_is_no_record_has_no_fields() {
        assert!(Shapes::of(r#""string""#).unwrap().fields().is_empty());
        assert!(Shapes::of("{").is_err());
    }
}
