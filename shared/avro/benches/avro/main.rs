//! The time to validate a datum, compared with the `apache-avro` crate's generic decode of the same bytes.
//!
//! All candidates run alternately, and the fastest round of each is reported, so that other load on the machine affects
//! all of them. Allocations are counted in one round after the warm-up. `--json` prints one JSON object per line.

// A benchmark may panic.
#![allow(clippy::unwrap_used)]

mod counting;

use std::fmt::Display;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use apache_avro::reader::datum::GenericDatumReader;
use avro::{Field, Limits, Resolution, Schema, container, decode};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting::new();

const USER: &str = include_str!("../../../../schemas/user.avsc");

/// A typical record of a service: many fields, nested, nullable, repeated.
const WIDE: &str = r#"{"type":"record","name":"Order","fields":[
  {"name":"order_id","type":"string"},{"name":"created","type":"long"},{"name":"version","type":"int"},
  {"name":"tenant","type":"string"},{"name":"state","type":{"type":"enum","name":"State",
    "symbols":["NEW","PAID","SENT","DONE"]}},
  {"name":"total","type":"bytes"},{"name":"hash","type":{"type":"fixed","name":"Hash","size":16}},
  {"name":"customer","type":{"type":"record","name":"Customer","fields":[{"name":"id","type":"long"},
    {"name":"name","type":"string"},{"name":"email","type":["null","string"]},{"name":"vip","type":"boolean"}]}},
  {"name":"shipping","type":["null",{"type":"record","name":"Address","fields":[{"name":"street","type":"string"},
    {"name":"city","type":"string"},{"name":"zip","type":["null","string"]}]}]},
  {"name":"billing","type":["null","Address"]},
  {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
    {"name":"sku","type":"string"},{"name":"count","type":"int"},{"name":"price","type":"double"},
    {"name":"tags","type":{"type":"array","items":"string"}}]}}},
  {"name":"labels","type":{"type":"map","values":"string"}},{"name":"note","type":["null","string","long","double"]},
  {"name":"routing_code","type":"int"},{"name":"weight","type":"float"}]}"#;

/// More than a branch predictor can memorize, but few enough that most rounds are not interrupted.
const RECORDS: usize = 3_000;
const ROUNDS: usize = 100;

fn main() {
    let as_json = std::env::args().any(|arg| arg == "--json");
    let mut random = Random(7);
    let kinds: [(_, _, Maker, _); 2] = [
        ("user", USER, user, "id"),
        ("order", WIDE, order, "routing_code"),
    ];
    for (name, schema, make, field) in kinds {
        let measured = compare(schema, || make(&mut random), field);
        let slowest = measured[0].nanoseconds;
        for line in measured {
            let ratio = slowest / line.nanoseconds;
            if as_json {
                let line = json!({
                    "benchmark": "avro", "record": name, "bytes": line.bytes, "candidate": line.name,
                    "nanoseconds": line.nanoseconds, "times_faster": ratio, "allocations": line.allocations,
                });
                print(&line);
            } else {
                print(&format!(
                    "{name} ({:.0} bytes): {:44} {:8.1} ns  {:6.2} allocations  {ratio:5.1} x",
                    line.bytes, line.name, line.nanoseconds, line.allocations,
                ));
            }
        }
    }
}

/// Prints a line. A closed output is not an error.
fn print(line: &dyn Display) {
    writeln!(std::io::stdout(), "{line}").unwrap_or_default();
}

/// Makes a record.
type Maker = fn(&mut Random) -> Value;

struct Line {
    name: &'static str,
    bytes: f64,
    nanoseconds: f64,
    allocations: f64,
}

type Candidate<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// Measures all candidates. The first is the baseline.
fn compare(text: &str, mut make: impl FnMut() -> Value, field: &str) -> Vec<Line> {
    let schema = Schema::parse(text).unwrap();
    let data: Vec<Vec<u8>> = (0..RECORDS)
        .map(|_| schema.from_json(&make()).unwrap())
        .collect();
    let file = container::write(text, [7; 16], &[], &data);
    let projection = schema.projection(&[field]).unwrap();
    let resolution = Resolution::new(&schema, &with_one_more_field(text)).unwrap();
    let apache = apache_avro::Schema::parse_str(text).unwrap();
    let reader = GenericDatumReader::builder(&apache).build().unwrap();
    let candidates: Vec<Candidate<'_>> = vec![
        (
            "apache-avro, generic decode",
            Box::new(|| {
                for datum in &data {
                    black_box(reader.read_value(&mut &datum[..]).unwrap());
                }
            }),
        ),
        (
            "validate the datum",
            Box::new(|| {
                for datum in &data {
                    schema.validate(black_box(datum)).unwrap();
                }
            }),
        ),
        (
            "validate it and read one field",
            Box::new(|| {
                let mut fields = [Field::Null];
                for datum in &data {
                    projection.read_into(black_box(datum), &mut fields).unwrap();
                    black_box(&fields);
                }
            }),
        ),
        (
            "resolve it to a schema with one more field",
            Box::new(|| {
                let mut resolved = Vec::new();
                for datum in &data {
                    resolution
                        .apply(black_box(datum), &mut resolved, usize::MAX)
                        .unwrap();
                    black_box(&resolved);
                }
            }),
        ),
        (
            "decode a container file of it",
            Box::new(|| {
                let framing = avro::Framing::Container;
                let limits = Limits::default();
                black_box(decode(&schema, &file, framing, &limits).unwrap());
            }),
        ),
    ];
    let bytes = data.iter().map(Vec::len).sum::<usize>() as f64 / data.len() as f64;
    measure(candidates, bytes)
}

fn with_one_more_field(text: &str) -> Schema {
    let mut schema: Value = serde_json::from_str(text).unwrap();
    let fields = schema["fields"].as_array_mut().unwrap();
    fields.push(json!({"name": "added", "type": "int", "default": 0}));
    Schema::parse(&schema.to_string()).unwrap()
}

fn measure(mut candidates: Vec<Candidate<'_>>, bytes: f64) -> Vec<Line> {
    let mut best = vec![Duration::MAX; candidates.len()];
    for _ in 0..ROUNDS {
        for ((_, round), best) in candidates.iter_mut().zip(&mut best) {
            let start = Instant::now();
            round();
            *best = start.elapsed().min(*best);
        }
    }
    let per_record = |total: f64| total / RECORDS as f64;
    candidates
        .iter_mut()
        .zip(best)
        .map(|((name, round), best)| {
            let before = ALLOCATOR.calls();
            round();
            Line {
                name,
                bytes,
                nanoseconds: per_record(best.as_nanos() as f64),
                allocations: per_record((ALLOCATOR.calls() - before) as f64),
            }
        })
        .collect()
}

/// An xorshift generator with a fixed seed, so that all runs have the same data.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

/// One of twenty is not ASCII.
const NAMES: [&str; 20] = [
    "John Smith",
    "Mary Shelley",
    "Paulo Coelho",
    "Ana Lima",
    "Wei Zhang",
    "Guadalupe Alvarado",
    "Ed Poe",
    "Maximilian Schneider",
    "Li Na",
    "Olga",
    "Peter Parker",
    "Sam",
    "Ifeoma Okafor",
    "Kim Min",
    "Jo March",
    "Rosa Luz",
    "Tom Sawyer",
    "Emma Bovary",
    "Jürgen Groß",
    "Ishmael",
];

fn user(random: &mut Random) -> Value {
    let name = random.pick(&NAMES);
    let email = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
    json!({"id": random.below(100_000), "name": name, "email": email})
}

fn address(random: &mut Random) -> Value {
    match random.below(4) {
        0 => Value::Null,
        number => json!({
            "street": format!("Rua Augusta {number}"), "city": "São Paulo", "zip": "01305-000",
        }),
    }
}

fn order(random: &mut Random) -> Value {
    let lines: Vec<Value> = (0..1 + random.below(5))
        .map(|at| {
            json!({
                "sku": format!("SKU-{}", random.below(100_000)), "count": at + 1, "price": 9.99,
                "tags": ["new", "sale"],
            })
        })
        .collect();
    json!({
        "order_id": format!("{:032x}", random.below(u64::MAX)),
        "created": 1_700_000_000_000_u64 + random.below(1 << 30),
        "version": 3, "tenant": "north-east", "state": random.pick(&["NEW", "PAID", "SENT", "DONE"]),
        "total": "\u{1}\u{80}\u{3}", "hash": "0123456789abcdef",
        "customer": {"id": random.below(1 << 40), "name": random.pick(&NAMES), "email": "a@b.c", "vip": true},
        "shipping": address(random), "billing": address(random), "lines": lines,
        "labels": {"source": "web", "campaign": "spring", "language": "pt-BR"},
        "note": random.pick(&["leave with the neighbour", ""]), "routing_code": random.below(5_000), "weight": 2.5,
    })
}
