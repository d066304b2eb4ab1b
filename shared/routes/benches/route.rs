//! The time to route a record, compared with a full decode and the CEL interpreter. Reports the fastest of several rounds.

// A benchmark may panic.
#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use avro::Schema;
use cel::{Context, Program, Value as Cel};
use routes::{RouteDefinition, Routes, Scratch};
use serde_json::json;

const USER: &str = include_str!("../../../schemas/user.avsc");
const RECORDS: usize = 10_000;
const ROUNDS: usize = 15;

const BUILT_IN: [&str; 2] = ["id == 1010", "id == 1020"];

fn main() {
    let schema = Schema::parse(USER).expect("the built-in schema");
    let data = data(&schema);
    let bytes: usize = data.iter().map(Vec::len).sum();
    println!(
        "{RECORDS} records of {} bytes on average, 1 % matching; ns a record, best of {ROUNDS}\n",
        bytes / RECORDS
    );
    let validate = best(&data, |datum| schema.validate(datum).is_ok());
    show("whole-datum validation alone", validate, validate);
    let decide = routes(&schema, &data, &BUILT_IN);
    show("decide: id == 1010, id == 1020", decide, decide);
    for (name, conditions) in [
        (
            "decide: 20 routes by id",
            (0..20).map(|id| format!("id == {id}")).collect(),
        ),
        (
            "decide: name and email",
            vec![
                "name.startsWith('Pa') && email.endsWith('@bla.com')".to_owned(),
                "id in [1, 2, 3, 5, 8] || size(name) > 40".to_owned(),
            ],
        ),
        (
            "decide: a pattern",
            vec!["email.matches('^[a-z]+@bank[.]com$')".to_owned()],
        ),
        (
            "decide: by the interpreter",
            vec!["id + 1 == 1011".to_owned(), "id + 1 == 1021".to_owned()],
        ),
    ] {
        let conditions: Vec<&str> = conditions.iter().map(String::as_str).collect();
        show(name, routes(&schema, &data, &conditions), decide);
    }
    show(
        "apache-avro decode + CEL interpreter",
        interpreter(&data),
        decide,
    );
}

/// Records of the tutorial. One of a hundred has a route.
fn data(schema: &Schema) -> Vec<Vec<u8>> {
    let record = |index: usize| {
        let id = match index % 200 {
            0 => 1010,
            100 => 1020,
            _ => 10_029 + index,
        };
        let value = json!({"id": id, "name": format!("John {index}"), "email": format!("john{index}@bla.com")});
        schema.from_json(&value).expect("it fits")
    };
    (0..RECORDS).map(record).collect()
}

fn routes(schema: &Schema, data: &[Vec<u8>], conditions: &[&str]) -> f64 {
    let configs = conditions.iter().map(|when| RouteDefinition {
        name: (*when).to_owned(),
        when: (*when).to_owned(),
    });
    let routes = Routes::compile(configs.collect(), schema).expect("the routes fit");
    let mut scratch = Scratch::default();
    best(data, |datum| {
        matches!(routes.decide(datum, &mut scratch), Ok(Some(_)))
    })
}

/// A simple implementation: decode the record, pass all fields to the interpreter, evaluate each condition.
fn interpreter(data: &[Vec<u8>]) -> f64 {
    let schema = apache_avro::Schema::parse_str(USER).expect("the built-in schema");
    let programs = BUILT_IN.map(|when| Program::compile(when).expect("it is CEL"));
    let env = std::sync::Arc::new(cel::Env::stdlib());
    let reader = GenericDatumReader::builder(&schema)
        .build()
        .expect("a reader");
    best(data, |mut datum| {
        let record = reader.read_value(&mut datum).expect("it decodes");
        let Avro::Record(fields) = record else {
            return false;
        };
        let mut context = Context::with_env(std::sync::Arc::clone(&env));
        for (name, value) in fields {
            match value {
                Avro::Int(number) => context.add_variable_from_value(name, i64::from(number)),
                Avro::String(text) => context.add_variable_from_value(name, text),
                _ => {}
            }
        }
        programs
            .iter()
            .any(|program| program.execute(&context) == Ok(Cel::Bool(true)))
    })
}

/// Nanoseconds for each record in the fastest round.
fn best(data: &[Vec<u8>], mut decide: impl FnMut(&[u8]) -> bool) -> f64 {
    let mut fastest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let matched = data.iter().filter(|datum| decide(black_box(datum))).count();
        fastest = fastest.min(start.elapsed());
        black_box(matched);
    }
    fastest.as_nanos() as f64 / data.len() as f64
}

fn show(name: &str, nanoseconds: f64, unit: f64) {
    println!(
        "{name:<40} {nanoseconds:>9.1} ns  {:>7.2} ×",
        nanoseconds / unit
    );
}
