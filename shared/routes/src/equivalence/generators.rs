//! Random conditions and records.

use avro::Field;
use proptest::prelude::*;

pub(super) const SCHEMA: &str = r#"{"type":"record","name":"Order","fields":[
    {"name":"id","type":"long"},
    {"name":"age","type":["null","long"]},
    {"name":"name","type":"string"},
    {"name":"email","type":["null","string"]},
    {"name":"paid","type":"boolean"},
    {"name":"late","type":["null","boolean"]},
    {"name":"price","type":"double"},
    {"name":"raw","type":"bytes"},
    {"name":"any","type":["null","long","string","double","boolean"]},
    {"name":"address","type":["null",{"type":"record","name":"A","fields":[
        {"name":"city","type":"string"}]}]},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"seen","type":["null",{"type":"long","logicalType":"local-timestamp-micros"}]},
    {"name":"day","type":{"type":"int","logicalType":"date"}},
    {"name":"open","type":{"type":"long","logicalType":"time-micros"}},
    {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
    {"name":"total","type":["null",{"type":"fixed","name":"T","size":17,"logicalType":"decimal","precision":38,"scale":10}]},
    {"name":"key","type":{"type":"fixed","name":"K","size":16,"logicalType":"uuid"}}]}"#;

pub(super) const NAMES: [&str; 17] = [
    "id",
    "age",
    "name",
    "email",
    "paid",
    "late",
    "price",
    "raw",
    "any",
    "address.city",
    "at",
    "seen",
    "day",
    "open",
    "amount",
    "total",
    "key",
];

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![
        -3..4_i64,
        Just(i64::MIN),
        Just(i64::MAX),
        Just(1 << 53),
        Just((1 << 53) + 1)
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-3..4_i32).prop_map(f64::from),
        Just(0.5),
        Just(-0.0),
        Just(9_007_199_254_740_992.0),
        Just(1e300)
    ]
}

fn stored_double() -> impl Strategy<Value = f64> {
    prop_oneof![
        double(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY)
    ]
}

fn text() -> impl Strategy<Value = String> {
    "[abé]{0,3}"
}

fn number_text() -> impl Strategy<Value = String> {
    // CEL has no other notation for the smallest int than its literal.
    prop_oneof![
        int().prop_map(|n| n.to_string()),
        double().prop_map(|n| format!("{n:?}"))
    ]
}

fn comparison() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="])
}

/// Timestamps around the stored ones, also at the limits of CEL.
fn timestamp_text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "timestamp('1970-01-01T00:00:00Z')",
        "timestamp('1970-01-01T00:00:00.001Z')",
        "timestamp('1969-12-31T23:59:59.9999995Z')",
        "timestamp('1970-01-02T00:00:00+01:00')",
        "timestamp('0001-01-01T00:00:00Z')",
        "timestamp('9999-12-31T23:59:59.999999999Z')",
    ])
    .prop_map(str::to_owned)
}

fn duration_text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "0",
        "1us",
        "-1.5us",
        "1h",
        "0.1s",
        "9223372036854775807ns",
    ])
    .prop_map(|text| format!("duration('{text}')"))
}

fn decimal_text() -> impl Strategy<Value = String> {
    prop_oneof![
        number_text(),
        prop::sample::select(vec![
            "0.1",
            "0.10",
            "-0.01",
            "1.0000000001",
            "1.00000000001",
            "1e3",
            "decimal('1.0')",
            "0.1000000000000000000001",
        ])
        .prop_map(str::to_owned),
    ]
}

fn uuid_text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "00000000-0000-0000-0000-000000000000",
        "01010101-0101-0101-0101-010101010101",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ])
    .prop_map(str::to_owned)
}

/// A comparison of a field of a logical type with literals.
fn logical_leaf() -> impl Strategy<Value = String> {
    fn compared(
        fields: Vec<&'static str>,
        literal: impl Strategy<Value = String> + Clone + 'static,
    ) -> BoxedStrategy<String> {
        let field = prop::sample::select(fields);
        prop_oneof![
            (field.clone(), comparison(), literal.clone())
                .prop_map(|(f, c, l)| format!("{f} {c} {l}")),
            (literal.clone(), comparison(), field.clone())
                .prop_map(|(l, c, f)| format!("{l} {c} {f}")),
            (field, prop::collection::vec(literal, 0..4))
                .prop_map(|(f, l)| format!("{f} in [{}]", l.join(", "))),
        ]
        .boxed()
    }
    let quoted = uuid_text().prop_map(|text| format!("'{text}'")).boxed();
    prop_oneof![
        compared(vec!["at", "seen", "day"], timestamp_text().boxed()),
        compared(vec!["open"], duration_text().boxed()),
        compared(vec!["amount", "total"], decimal_text().boxed()),
        compared(vec!["key"], quoted),
        "[01-]{1,3}".prop_map(|text| format!("key.startsWith('{text}')")),
        (comparison(), 35..38).prop_map(|(c, n)| format!("size(key) {c} {n}")),
    ]
}

pub(super) fn leaf() -> impl Strategy<Value = String> {
    let numbers = prop::sample::select(vec!["id", "age", "price", "any"]);
    let texts = prop::sample::select(vec!["name", "email", "address.city", "any"]);
    let sized = prop::sample::select(vec!["name", "email", "raw", "any"]);
    let all = prop::sample::select(NAMES.to_vec());
    let flags = prop::sample::select(vec!["paid", "late", "any"]);
    let function = prop::sample::select(vec!["startsWith", "endsWith", "contains", "matches"]);
    let plain = prop_oneof![
        (numbers.clone(), comparison(), number_text()).prop_map(|(f, c, n)| format!("{f} {c} {n}")),
        (number_text(), comparison(), numbers.clone()).prop_map(|(n, c, f)| format!("{n} {c} {f}")),
        (texts.clone(), comparison(), text()).prop_map(|(f, c, t)| format!("{f} {c} '{t}'")),
        (texts.clone(), function, text()).prop_map(|(f, g, t)| format!("{f}.{g}('{t}')")),
        (sized.clone(), comparison(), -1..4_i64).prop_map(|(f, c, n)| format!("size({f}) {c} {n}")),
        (sized, comparison(), 0..4_i64).prop_map(|(f, c, n)| format!("{n} {c} {f}.size()")),
        (numbers, prop::collection::vec(int(), 0..4)).prop_map(|(f, n)| format!("{f} in {n:?}")),
        (texts, prop::collection::vec(text(), 0..4)).prop_map(|(f, t)| format!("{f} in {t:?}")),
        (all, prop::bool::ANY)
            .prop_map(|(f, n)| format!("{f} {} null", if n { "==" } else { "!=" })),
        (flags.clone(), comparison(), prop::bool::ANY).prop_map(|(f, c, b)| format!("{f} {c} {b}")),
        flags.prop_map(str::to_owned),
        prop::bool::ANY.prop_map(|b| b.to_string()),
        Just("has(address.city)".to_owned()),
    ];
    prop_oneof![2 => plain, 1 => logical_leaf()]
}

/// A condition on one of two fields with few literals, so that conditions often follow from each other.
pub(super) fn small_leaf() -> impl Strategy<Value = String> {
    let field = || prop::sample::select(vec!["id", "age"]);
    let number = || -2..3_i64;
    prop_oneof![
        (field(), comparison(), number()).prop_map(|(f, c, n)| format!("{f} {c} {n}")),
        (field(), prop::collection::vec(number(), 0..4)).prop_map(|(f, n)| format!("{f} in {n:?}")),
        (field(), number()).prop_map(|(f, n)| format!("!({f} == {n})")),
        prop::sample::select(vec!["age == null", "age != null"]).prop_map(str::to_owned),
    ]
}

pub(super) fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

/// An owned value of a field.
#[derive(Clone, Debug)]
pub(super) enum Owned {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(String),
    Bytes(Vec<u8>),
}

impl Owned {
    pub(super) fn field(&self) -> Field<'_> {
        match self {
            Self::Null => Field::Null,
            Self::Bool(value) => Field::Bool(*value),
            Self::Int(value) => Field::Int(*value),
            Self::Double(value) => Field::Double(*value),
            Self::Str(value) => Field::Str(value),
            Self::Bytes(value) => Field::Bytes(value),
        }
    }
}

/// The values of a record, in the order of [`NAMES`].
pub(super) fn record() -> impl Strategy<Value = Vec<Owned>> {
    fn or_null(strategy: impl Strategy<Value = Owned> + 'static) -> BoxedStrategy<Owned> {
        prop_oneof![1 => Just(Owned::Null), 3 => strategy].boxed()
    }
    let bytes = || prop::collection::vec(any::<u8>(), 0..4).prop_map(Owned::Bytes);
    let any_of = prop_oneof![
        int().prop_map(Owned::Int),
        text().prop_map(Owned::Str),
        stored_double().prop_map(Owned::Double),
        any::<bool>().prop_map(Owned::Bool),
    ];
    let day = prop_oneof![-2..3_i64, Just(i32::MAX.into()), Just(i32::MIN.into())];
    let wide = || {
        let number = prop_oneof![
            Just(1_000_000_000_i128),
            Just(10_000_000_000),
            Just(10_000_000_001),
            Just(i128::MAX),
            any::<i128>()
        ];
        (
            number,
            prop_oneof![5 => Just(None), 1 => any::<u8>().prop_map(Some)],
        )
            .prop_map(|(number, first)| {
                let sign = if number < 0 { 0xff } else { 0 };
                let mut bytes = vec![first.unwrap_or(sign)];
                bytes.extend(number.to_be_bytes());
                Owned::Bytes(bytes)
            })
    };
    let uuid = prop::sample::select(vec![0_u8, 1, 0xff]).prop_map(|b| Owned::Bytes(vec![b; 16]));
    vec![
        int().prop_map(Owned::Int).boxed(),
        or_null(int().prop_map(Owned::Int)),
        text().prop_map(Owned::Str).boxed(),
        or_null(text().prop_map(Owned::Str)),
        any::<bool>().prop_map(Owned::Bool).boxed(),
        or_null(any::<bool>().prop_map(Owned::Bool)),
        stored_double().prop_map(Owned::Double).boxed(),
        bytes().boxed(),
        or_null(any_of),
        or_null(text().prop_map(Owned::Str)),
        int().prop_map(Owned::Int).boxed(),
        or_null(int().prop_map(Owned::Int)),
        day.prop_map(Owned::Int).boxed(),
        int().prop_map(Owned::Int).boxed(),
        prop_oneof![bytes(), Just(Owned::Bytes(vec![10]))].boxed(),
        or_null(wide()),
        uuid.boxed(),
    ]
}
