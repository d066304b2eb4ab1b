//! Random schemas, and random datums of a schema.

use avro::{LogicalType, Schema, SchemaNode, SchemaType};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A type that contains no others, with every logical type.
fn leaf() -> impl Strategy<Value = Value> {
    let logical = |kind: &str, name: &str| json!({"type": kind, "logicalType": name});
    let fixed = |size: usize| json!({"type": "fixed", "name": "", "size": size});
    let with = |mut kind: Value, name: &str| {
        kind["logicalType"] = json!(name);
        kind
    };
    let mut kinds: Vec<Value> = [
        "null", "boolean", "int", "long", "float", "double", "bytes", "string",
    ]
    .map(Value::from)
    .to_vec();
    kinds.extend([
        fixed(0),
        fixed(3),
        json!({"type": "enum", "name": "", "symbols": ["A", "B", "NaN"]}),
        logical("int", "date"),
        logical("int", "time-millis"),
        logical("long", "time-micros"),
        logical("long", "timestamp-millis"),
        logical("long", "timestamp-micros"),
        logical("long", "timestamp-nanos"),
        logical("long", "local-timestamp-millis"),
        logical("long", "local-timestamp-micros"),
        logical("long", "local-timestamp-nanos"),
        logical("string", "uuid"),
        logical("bytes", "big-decimal"),
        json!({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}),
        json!({"type": "bytes", "logicalType": "decimal", "precision": 30}),
        with(fixed(16), "uuid"),
        with(fixed(12), "duration"),
        json!({"type": "fixed", "name": "", "size": 4, "logicalType": "decimal", "precision": 5, "scale": 5}),
    ]);
    select(kinds)
}

/// A schema. Named types have the names T0, T1, …
pub(crate) fn schema() -> impl Strategy<Value = Value> {
    let kind = leaf().prop_recursive(4, 24, 5, |inner| {
        let fields = prop::collection::vec(inner.clone(), 0..5);
        let field_names = select(vec!["f", "T", "bytes", "map"]);
        prop_oneof![
            1 => inner.clone().prop_map(|items| json!({"type": "array", "items": items})),
            1 => inner.clone().prop_map(|values| json!({"type": "map", "values": values})),
            3 => prop::collection::vec(inner, 1..6).prop_map(Value::from),
            2 => (fields, field_names).prop_map(|(kinds, name)| {
                let fields = kinds.into_iter().enumerate();
                let fields = fields.map(|(at, kind)| json!({"name": format!("{name}{at}"), "type": kind}));
                json!({"type": "record", "name": "", "fields": fields.collect::<Vec<_>>()})
            }),
        ]
    });
    kind.prop_map(|mut kind| {
        name_types(&mut kind, &mut 0);
        kind
    })
}

/// Names the types, and removes the branches of unions that have the same name or are unions.
fn name_types(kind: &mut Value, count: &mut usize) {
    match kind {
        Value::Array(branches) => {
            branches.retain(|branch| !branch.is_array());
            if branches.is_empty() {
                branches.push(json!("null"));
            }
            let mut known = Vec::new();
            branches.retain(|branch| {
                let name = branch.get("type").unwrap_or(branch).clone();
                let is_new = branch.get("name").is_some() || !known.contains(&name);
                known.push(name);
                is_new
            });
            branches
                .iter_mut()
                .for_each(|branch| name_types(branch, count));
        }
        Value::Object(object) => {
            if let Some(name) = object.get_mut("name") {
                *name = format!("T{count}").into();
                *count += 1;
            }
            for key in ["items", "values"] {
                if let Some(inner) = object.get_mut(key) {
                    name_types(inner, count);
                }
            }
            let fields = object.get_mut("fields").and_then(Value::as_array_mut);
            for field in fields.into_iter().flatten() {
                name_types(&mut field["type"], count);
            }
        }
        _ => {}
    }
}

/// Random numbers that decide the values of a datum; 0 after the last one.
pub(crate) struct Entropy(std::vec::IntoIter<u64>);

impl Entropy {
    pub(crate) fn new(numbers: Vec<u64>) -> Self {
        Self(numbers.into_iter())
    }

    fn next(&mut self) -> u64 {
        self.0.next().unwrap_or(0)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A number of any magnitude.
    fn number(&mut self) -> i64 {
        let shift = self.below(64);
        self.next() as i64 >> shift
    }

    fn bytes(&mut self, size: usize) -> Vec<u8> {
        let style = self.below(4);
        let byte = |number: u64| match style {
            // Digits, which a decimal's text has, too.
            0 => b'0' + (number % 10) as u8,
            1 => [0, 0xff, 0x80, 1][(number % 4) as usize],
            _ => number as u8,
        };
        (0..size).map(|_| byte(self.next())).collect()
    }

    fn text(&mut self) -> String {
        const TEXTS: [&str; 16] = [
            "",
            "a",
            "A",
            "NaN",
            "Infinity",
            "12.34",
            "-7",
            "1E5",
            "2026-11-26",
            "12:30:45.678",
            "2026-11-26T12:30:45.678Z",
            "2026-11-26T12:30:45.678",
            "P1M2DT3.004S",
            "grün\u{0}",
            "ÿ",
            "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff",
        ];
        TEXTS[self.below(TEXTS.len())].to_owned()
    }
}

fn put_long(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// A random datum, encoded as this crate does: one block for each array and map, and one NaN.
pub(crate) fn datum(schema: &Schema, entropy: &mut Entropy) -> Vec<u8> {
    let mut out = Vec::new();
    value(schema.root(), entropy, &mut out);
    out
}

fn value(node: SchemaNode<'_>, entropy: &mut Entropy, out: &mut Vec<u8>) {
    match node.kind() {
        SchemaType::Null => {}
        SchemaType::Boolean => out.push(entropy.next() as u8 & 1),
        SchemaType::Int => put_long(out, i64::from(entropy.number() as i32)),
        SchemaType::Long => put_long(out, entropy.number()),
        SchemaType::Float => {
            let value = [
                f32::NAN,
                f32::INFINITY,
                -0.0,
                0.1,
                f32::from_bits(entropy.next() as u32),
            ][entropy.below(5)];
            let value = if value.is_nan() { f32::NAN } else { value };
            out.extend_from_slice(&value.to_le_bytes());
        }
        SchemaType::Double => {
            let whole = entropy.number() as f64;
            let value = [
                f64::NAN,
                -f64::INFINITY,
                -0.0,
                0.1,
                whole,
                f64::from_bits(entropy.next()),
            ][entropy.below(6)];
            let value = if value.is_nan() { f64::NAN } else { value };
            out.extend_from_slice(&value.to_le_bytes());
        }
        SchemaType::Bytes => {
            let size = entropy.below(5);
            let mut bytes = entropy.bytes(size);
            if node.logical_type() == Some(LogicalType::BigDecimal) && entropy.below(4) > 0 {
                bytes.clear();
                let size = entropy.below(4) + 1;
                put_bytes(&mut bytes, &entropy.bytes(size));
                put_long(&mut bytes, i64::from(entropy.number() as i32));
            }
            put_bytes(out, &bytes);
        }
        SchemaType::String => put_bytes(out, entropy.text().as_bytes()),
        SchemaType::Fixed(size) => out.extend(entropy.bytes(size)),
        SchemaType::Enum(symbols) => put_long(out, entropy.below(symbols.len()) as i64),
        SchemaType::Union(branches) => {
            let index = entropy.below(branches.len());
            put_long(out, index as i64);
            value(branches[index], entropy, out);
        }
        SchemaType::Record(fields) => {
            for (_, field) in fields {
                value(field, entropy, out);
            }
        }
        SchemaType::Array(items) => {
            let count = entropy.below(3);
            if count > 0 {
                put_long(out, count as i64);
                (0..count).for_each(|_| value(items, entropy, out));
            }
            out.push(0);
        }
        SchemaType::Map(values) => {
            const KEYS: [&str; 4] = ["a", "bytes", "map", "T0"];
            let count = entropy.below(3);
            if count > 0 {
                put_long(out, count as i64);
                let first = entropy.below(KEYS.len());
                for at in 0..count {
                    put_bytes(out, KEYS[(first + at) % KEYS.len()].as_bytes());
                    value(values, entropy, out);
                }
            }
            out.push(0);
        }
    }
}
