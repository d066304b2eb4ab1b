//! What it costs to prove a datum, beside the schema crate's generic decode of the same bytes.
//!
//! All contestants take turns in one run, and each one's best turn counts, so that a busy machine slows all of them
//! or none. Allocations are counted over one turn after the others have warmed up. `--json` prints one object a
//! line.

// A benchmark that cannot be set up ends, and says so.
#![allow(clippy::unwrap_used)]

mod counting;

use std::fmt::Display;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use apache_avro::reader::datum::GenericDatumReader;
use avro::{Field, Limits, Schema, container, decode};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting::new();

const USER: &str = include_str!("../../../../schemas/user.avsc");

/// A record as services have them: many fields, nested, nullable, repeated.
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

/// So many that no branch predictor knows them by heart, so few that a turn is not interrupted every time.
const RECORDS: usize = 3_000;
const TURNS: usize = 100;

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
                    "benchmark": "avro", "record": name, "bytes": line.bytes, "contestant": line.name,
                    "nanoseconds": line.nanoseconds, "times_faster": ratio, "allocations": line.allocations,
                });
                say(&line);
            } else {
                say(&format!(
                    "{name} ({:.0} bytes): {:44} {:8.1} ns  {:6.2} allocations  {ratio:5.1} x",
                    line.bytes, line.name, line.nanoseconds, line.allocations,
                ));
            }
        }
    }
}

/// Prints a line; whoever has read enough may go.
fn say(line: &dyn Display) {
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

type Contestant<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// The first is what the others are compared with.
fn compare(text: &str, mut make: impl FnMut() -> Value, wanted: &str) -> Vec<Line> {
    let schema = Schema::parse(text).unwrap();
    let data: Vec<Vec<u8>> = (0..RECORDS)
        .map(|_| schema.from_json(&make()).unwrap())
        .collect();
    let file = container::write(text, [7; 16], &[], &data);
    let projection = schema.projection(&[wanted]).unwrap();
    let apache = apache_avro::Schema::parse_str(text).unwrap();
    let reader = GenericDatumReader::builder(&apache).build().unwrap();
    let contestants: Vec<Contestant<'_>> = vec![
        (
            "apache-avro, generic decode",
            Box::new(|| {
                for datum in &data {
                    black_box(reader.read_value(&mut &datum[..]).unwrap());
                }
            }),
        ),
        (
            "prove the whole datum",
            Box::new(|| {
                for datum in &data {
                    schema.validate(black_box(datum)).unwrap();
                }
            }),
        ),
        (
            "prove it and read one field",
            Box::new(|| {
                let mut fields = [Field::Null];
                for datum in &data {
                    projection.read_into(black_box(datum), &mut fields).unwrap();
                    black_box(&fields);
                }
            }),
        ),
        (
            "take it out of a container file and prove it",
            Box::new(|| {
                let framing = avro::Framing::Container;
                let limits = Limits::default();
                black_box(decode(&schema, &file, framing, &limits).unwrap());
            }),
        ),
    ];
    let bytes = data.iter().map(Vec::len).sum::<usize>() as f64 / data.len() as f64;
    race(contestants, bytes)
}

fn race(mut contestants: Vec<Contestant<'_>>, bytes: f64) -> Vec<Line> {
    let mut best = vec![Duration::MAX; contestants.len()];
    for _ in 0..TURNS {
        for ((_, turn), best) in contestants.iter_mut().zip(&mut best) {
            let start = Instant::now();
            turn();
            *best = start.elapsed().min(*best);
        }
    }
    let per_record = |total: f64| total / RECORDS as f64;
    contestants
        .iter_mut()
        .zip(best)
        .map(|((name, turn), best)| {
            let before = ALLOCATOR.calls();
            turn();
            Line {
                name,
                bytes,
                nanoseconds: per_record(best.as_nanos() as f64),
                allocations: per_record((ALLOCATOR.calls() - before) as f64),
            }
        })
        .collect()
}

/// The same numbers in every run (an xorshift generator), so that runs can be compared.
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

/// One in twenty is not ASCII.
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
        "note": random.pick(&["leave at the door", ""]), "routing_code": random.below(5_000), "weight": 2.5,
    })
}
