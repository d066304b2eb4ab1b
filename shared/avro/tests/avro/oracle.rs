//! Compares validation with another implementation on damaged data. Differences must have a known reason.

use std::cell::Cell;
use std::io::BufRead;

use avro::Schema;
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_avro_fast::de::read::SliceRead;
use serde_avro_fast::de::{DeserializerConfig, DeserializerState};
use serde_json::Value;

use crate::schemas::{LIST, USER, WIDE, schema, user, wide};

/// Visits every value, because the other implementation does not check values that are skipped.
struct Check;

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Check)
    }
}

macro_rules! checked {
    ($($method:ident: $kind:ty),*) => {
        $(fn $method<E>(self, _: $kind) -> Result<Check, E> {
            Ok(Check)
        })*
    };
}

impl<'de> Visitor<'de> for Check {
    type Value = Check;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
    }

    checked!(visit_bool: bool, visit_i8: i8, visit_i16: i16, visit_i32: i32, visit_i64: i64,
        visit_u8: u8, visit_u16: u16, visit_u32: u32, visit_u64: u64, visit_f32: f32, visit_f64: f64,
        visit_str: &str, visit_bytes: &[u8]);

    fn visit_unit<E>(self) -> Result<Check, E> {
        Ok(Check)
    }

    fn visit_none<E>(self) -> Result<Check, E> {
        Ok(Check)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Check, D::Error> {
        Check::deserialize(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Check, D::Error> {
        Check::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Check, A::Error> {
        while items.next_element::<Check>()?.is_some() {}
        Ok(Check)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Check, A::Error> {
        while entries.next_key::<Check>()?.is_some() {
            entries.next_value::<Check>()?;
        }
        Ok(Check)
    }
}

struct Oracle(serde_avro_fast::Schema);

impl Oracle {
    fn new(text: &str) -> Self {
        // It limits decimals to 16 bytes and checks dates. Use the underlying types, as this crate does.
        let plain = text
            .replace(r#""logicalType":"decimal","#, "")
            .replace(r#","logicalType":"timestamp-millis""#, "");
        Self(plain.parse().unwrap())
    }

    fn read<'de, T: Deserialize<'de>>(&self, datum: &'de [u8]) -> Option<T> {
        let mut config = DeserializerConfig::new(&self.0);
        config.allowed_depth = 400;
        let mut state = DeserializerState::with_config(SliceRead::new(datum), config);
        let value = T::deserialize(state.deserializer()).ok()?;
        let left = state.into_reader().fill_buf().map(<[u8]>::len);
        (left.ok() == Some(0)).then_some(value)
    }
}

/// Faults that the other implementation does not check.
const STRICTER: [&str; 4] = [
    "a block's stated size is not the size of its items",
    "encoded in too many bytes",
    "does not fit into the",
    "nested deeper than",
];

fn agree(schema: &Schema, oracle: &Oracle, datum: &[u8]) {
    let is_accepted = oracle.read::<Check>(datum).is_some();
    match schema.validate(datum) {
        Ok(()) => assert!(is_accepted, "only this crate accepts {datum:02x?}"),
        Err(fault) => assert!(
            !is_accepted || STRICTER.iter().any(|known| fault.reason.contains(known)),
            "only this crate rejects {datum:02x?}: {fault}"
        ),
    }
}

/// One change to a datum.
#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
    Repeat(usize, usize),
}

impl Damage {
    fn to(&self, datum: &mut Vec<u8>) {
        let size = datum.len();
        if size == 0 {
            return;
        }
        match *self {
            Damage::Set(at, byte) => datum[at % size] = byte,
            Damage::Insert(at, byte) => datum.insert(at % (size + 1), byte),
            Damage::Remove(at) => {
                datum.remove(at % size);
            }
            Damage::Cut(at) => datum.truncate(at % size),
            Damage::Repeat(from, many) => {
                let from = from % size;
                let to = (from + 1 + many % 20).min(size);
                datum.extend_from_within(from..to);
            }
        }
    }
}

fn byte() -> impl Strategy<Value = u8> {
    // Bytes with special meanings are more frequent.
    prop_oneof![
        any::<u8>(),
        prop::sample::select(vec![0, 1, 2, 3, 4, 0x7f, 0x80, 0x81, 0xc3, 0xfe, 0xff]),
    ]
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = 0..2_000_usize;
    let one = prop_oneof![
        6 => (at.clone(), byte()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => (at.clone(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => at.clone().prop_map(Damage::Remove),
        1 => at.clone().prop_map(Damage::Cut),
        1 => (at.clone(), at).prop_map(|(from, many)| Damage::Repeat(from, many)),
    ];
    prop::collection::vec(one, 0..4)
}

/// The compared schemas, with a datum of each.
fn pairs() -> Vec<(Schema, Oracle, Vec<u8>)> {
    let list =
        serde_json::json!({"value": 3, "next": {"value": 1_i64 << 40, "next": {"value": -1}}});
    [(USER, user()), (WIDE, wide()), (LIST, list)]
        .into_iter()
        .map(|(text, value)| {
            let schema = schema(text);
            let datum = schema.from_json(&value).unwrap();
            (schema, Oracle::new(text), datum)
        })
        .collect()
}

#[test]
fn validates_damaged_data_as_another_implementation() {
    let pairs = pairs();
    let (accepted, rejected) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig {
        cases: 15_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(which in 0..3_usize, damage in damage())| {
        let (schema, oracle, datum) = &pairs[which];
        let mut datum = datum.clone();
        damage.iter().for_each(|damage| damage.to(&mut datum));
        agree(schema, oracle, &datum);
        match schema.validate(&datum) {
            Ok(()) => accepted.set(accepted.get() + 1),
            Err(_) => rejected.set(rejected.get() + 1),
        }
    });
    // Both results occurred.
    assert!(accepted.get() > 1_000 && rejected.get() > 1_000);
}

#[test]
fn validates_random_bytes_as_another_implementation() {
    const NUMBERS: &str = r#"{"type":"record","name":"Numbers","fields":[
        {"name":"a","type":"int"},{"name":"b","type":"long"}]}"#;
    let pairs = pairs();
    // Random bytes are rarely a datum of these schemas. About one in twelve is a datum of `NUMBERS`.
    let (numbers, numbers_oracle) = (schema(NUMBERS), Oracle::new(NUMBERS));
    let (accepted, rejected) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig {
        cases: 5_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let some = |most| prop::collection::vec(byte(), 0..most);
    proptest!(config, |(datum in some(40), short in some(8))| {
        for (schema, oracle, _) in &pairs {
            agree(schema, oracle, &datum);
        }
        agree(&numbers, &numbers_oracle, &short);
        match numbers.validate(&short) {
            Ok(()) => accepted.set(accepted.get() + 1),
            Err(_) => rejected.set(rejected.get() + 1),
        }
    });
    // Both results occurred.
    assert!(
        accepted.get() > 100 && rejected.get() > 1_000,
        "{accepted:?} accepted, {rejected:?} rejected"
    );
}

#[test]
fn reads_the_same_values_as_another_implementation() {
    let text = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":"long"},{"name":"b","type":"double"},{"name":"c","type":["null","string"]},
        {"name":"d","type":{"type":"array","items":{"type":"enum","name":"E","symbols":["X","Y"]}}},
        {"name":"e","type":{"type":"map","values":"boolean"}},{"name":"f","type":"int"}]}"#;
    let (schema, oracle) = (schema(text), Oracle::new(text));
    let value = serde_json::json!({
        "a": -5, "b": 1.25, "c": "text", "d": ["X", "Y", "X"], "e": {"k": true, "l": false}, "f": 9,
    });
    let whole = schema.from_json(&value).unwrap();
    let config = ProptestConfig {
        cases: 8_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let compared = Cell::new(0);
    proptest!(config, |(damage in damage())| {
        let mut datum = whole.clone();
        damage.iter().for_each(|damage| damage.to(&mut datum));
        if let Ok(ours) = schema.to_json(&datum) {
            let theirs: Option<Value> = oracle.read(&datum);
            // The other implementation represents NaN as null, this crate as "NaN".
            let number = ours["b"].is_number();
            let theirs = theirs.filter(|_| number);
            prop_assert_eq!(theirs.as_ref(), Some(&ours).filter(|_| number));
            compared.set(compared.get() + 1);
        }
    });
    assert!(compared.get() > 500);
}

#[test]
fn the_oracle_checks_visited_values() {
    let oracle = Oracle::new(USER);
    let broken = [2, 2, 0xff, 0];
    assert!(oracle.read::<Check>(&broken).is_none());
    assert!(oracle.read::<IgnoredAny>(&broken).is_some());
}
