//! Conditions on fields of logical types.

#![cfg(test)]

use avro::Schema;
use routes::{EvalError, RouteDefinition, Routes, Scratch};
use serde_json::{Value, json};

const ORDER: &str = r#"{"type":"record","name":"Order","fields":[
    {"name":"id","type":"int"},
    {"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"seen","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
    {"name":"exact","type":{"type":"long","logicalType":"timestamp-nanos"}},
    {"name":"local","type":{"type":"long","logicalType":"local-timestamp-millis"}},
    {"name":"day","type":{"type":"int","logicalType":"date"}},
    {"name":"opens","type":{"type":"int","logicalType":"time-millis"}},
    {"name":"closes","type":{"type":"long","logicalType":"time-micros"}},
    {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}},
    {"name":"tax","type":{"type":"fixed","name":"Tax","size":8,"logicalType":"decimal","precision":18,"scale":4}},
    {"name":"key","type":{"type":"fixed","name":"Key","size":16,"logicalType":"uuid"}},
    {"name":"text","type":{"type":"string","logicalType":"uuid"}},
    {"name":"span","type":{"type":"fixed","name":"Span","size":12,"logicalType":"duration"}},
    {"name":"timestamp","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"price","type":"double"},
    {"name":"prices","type":{"type":"array","items":{"type":"bytes","logicalType":"decimal","precision":9,"scale":1}}},
    {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
        {"name":"sku","type":"string"},
        {"name":"sold","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"unit","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}]}]}}},
    {"name":"package","type":{"type":"record","name":"Package","fields":[
        {"name":"sent","type":{"type":"int","logicalType":"date"}}]}}]}"#;

/// 2026-01-01T00:00:00Z in milliseconds.
const NEW_YEAR: i64 = 1_767_225_600_000;

fn order() -> Value {
    json!({
        "id": 1, "created_at": NEW_YEAR, "seen": null, "exact": NEW_YEAR * 1_000_000 + 1,
        "local": NEW_YEAR + 1, "day": 20_454, "opens": 32_400_000, "closes": 64_800_000_001_i64,
        "amount": "\u{1}", "tax": "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{a}",
        "key": "\u{0}\u{11}\u{22}\u{33}\u{44}\u{55}\u{66}\u{77}\u{88}\u{99}\u{aa}\u{bb}\u{cc}\u{dd}\u{ee}\u{ff}",
        "text": "00112233-4455-6677-8899-AABBCCDDEEFF", "span": "\u{1}".repeat(12),
        "timestamp": NEW_YEAR, "price": 0.1, "prices": ["\u{1}", "\u{ff}"],
        "lines": [{"sku": "a", "sold": NEW_YEAR, "unit": null}, {"sku": "b", "sold": NEW_YEAR + 1, "unit": "\u{3}\u{e8}"}],
        "package": {"sent": 20_454}
    })
}

fn compile(condition: &str) -> Result<Routes, String> {
    let schema = Schema::parse(ORDER).unwrap();
    let definition = RouteDefinition {
        name: "A".to_owned(),
        when: condition.to_owned(),
    };
    Routes::compile(vec![definition], &schema).map_err(|error| error.to_string())
}

fn decide(condition: &str, order: &Value) -> Result<Option<usize>, EvalError> {
    let routes = compile(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    let datum = Schema::parse(ORDER).unwrap().from_json(order).unwrap();
    routes.decide(&datum, &mut Scratch::default())
}

#[test]
fn timestamps_and_dates_are_cel_timestamps() {
    for condition in [
        "created_at == timestamp('2026-01-01T00:00:00Z')",
        "created_at == timestamp('2025-12-31T21:00:00-03:00') && created_at < exact && exact < local",
        "exact > timestamp('2026-01-01T00:00:00Z') && exact < timestamp('2026-01-01T00:00:00.000000002Z')",
        "local == timestamp('2026-01-01T00:00:00.001Z')",
        "day == timestamp('2026-01-01T00:00:00Z') && record.package.sent == day",
        "seen == null && !(seen == created_at)",
        "created_at - timestamp('2025-12-31T00:00:00Z') == duration('24h')",
        "created_at + duration('1h') > exact && duration('1h') + day == day + duration('60m')",
        "created_at.getFullYear() == 2026 && day.getMonth() == 0 && day.getDate() == 1 && day.getDayOfWeek() == 4",
        "created_at.getHours('America/Sao_Paulo') == 21 && created_at.getDayOfYear('-03:00') == 364",
        "local.getMilliseconds() == 1 && created_at.getDayOfMonth() == 0 && created_at.getSeconds() == 0",
        "int(created_at) == 1767225600 && string(created_at) == '2026-01-01T00:00:00Z'",
        "created_at in [timestamp('2026-01-01T00:00:00Z'), timestamp(0)]",
        "timestamp(text.size() - 36) < created_at && timestamp == created_at",
        "lines.exists(l, l.sold > created_at) && lines.map(l, l.sold) == [created_at, local]",
        "has(record.package.sent) && [day, created_at][1] == day",
    ] {
        assert_eq!(decide(condition, &order()), Ok(Some(0)), "{condition}");
    }
}

#[test]
fn times_of_day_are_durations_since_midnight() {
    for condition in [
        "opens == duration('9h') && closes > duration('18h') && opens < closes",
        "closes - opens == duration('9h0.000001s') && opens.getHours() == 9 && opens.getMinutes() == 540",
        "opens in [duration('540m')] && string(opens) == '32400s'",
        "day + opens == timestamp('2026-01-01T09:00:00Z')",
    ] {
        assert_eq!(decide(condition, &order()), Ok(Some(0)), "{condition}");
    }
}

#[test]
fn decimals_compare_exactly_with_the_digits_that_are_written() {
    for condition in [
        "amount == 0.01 && amount == 0.010 && amount == 1e-2 && amount != 0.0100000000000000000000001",
        "amount < 0.0100000000000000000000001 && 0.0099999999999999999999 < amount && amount > -1 && amount <= 1u",
        "tax == 0.0010 && amount in [tax, 0.01] && tax < amount && amount in [7, -0.5, 0.01]",
        "amount == decimal('0.01') && decimal(0.01) == amount && amount < decimal(id)",
        "prices == [decimal('0.1'), decimal('-0.1')] && 0.1 in prices.map(p, string(p == 0.1) == 'true' ? 0.1 : 0.2)",
        "prices.exists(p, p == - 0.1) && prices[0] == 0.1 && decimal(string(price)) == 0.10",
        "lines.exists(l, l.unit == 1) && lines.exists(l, l.unit == null)",
        "decimal('0.1') in prices && !(decimal('0.2') in prices)",
        "'é' != text && amount == 0.01",
    ] {
        assert_eq!(decide(condition, &order()), Ok(Some(0)), "{condition}");
    }
}

#[test]
fn uuids_are_text_and_durations_of_avro_are_bytes() {
    for condition in [
        "key == '00112233-4455-6677-8899-aabbccddeeff' && key.startsWith('0011') && size(key) == 36",
        "key != text && text.endsWith('EEFF') && key in ['00112233-4455-6677-8899-aabbccddeeff']",
        "key < 'a' && key + '!' != text && key.matches('^[0-9a-f-]{36}$')",
        "span.size() == 12 && span != b'x'",
    ] {
        assert_eq!(decide(condition, &order()), Ok(Some(0)), "{condition}");
    }
}

#[test]
fn values_without_a_counterpart_in_cel_are_errors() {
    let year_10000 = 253_402_300_800_000_i64;
    for (field, value, condition, reason) in [
        (
            "created_at",
            json!(year_10000),
            "created_at > timestamp('2026-01-01T00:00:00Z')",
            "created_at: the timestamp 253402300800000 (milliseconds) is outside the years 1 to 9999",
        ),
        (
            "created_at",
            json!(i64::MIN),
            "created_at != null || id == 1",
            "outside the years",
        ),
        (
            "created_at",
            json!(i64::MIN),
            "created_at.getFullYear() == 1 || id == 1",
            "outside the years",
        ),
        (
            "timestamp",
            json!(i64::MAX),
            "timestamp == created_at",
            "timestamp: the timestamp",
        ),
        ("day", json!(i32::MAX), "day in [created_at]", "(days)"),
        (
            "closes",
            json!(i64::MAX),
            "closes == duration('1h')",
            "exceeds 292 years",
        ),
        (
            "amount",
            json!("\u{7f}".repeat(17)),
            "amount == 1",
            "amount: the decimal has more than 38 digits",
        ),
        (
            "prices",
            json!(["\u{7f}".repeat(17)]),
            "size(prices) == 1",
            "more than 38 digits",
        ),
        (
            "lines",
            json!([{"sku": "a", "sold": year_10000, "unit": null}]),
            "lines[0].sold == created_at",
            "sold: the timestamp",
        ),
        (
            "id",
            json!(1),
            "timestamp('9999-12-31T23:59:59Z') + opens == created_at",
            "verflow",
        ),
        (
            "id",
            json!(1),
            "decimal(text) == amount",
            "not a number of at most 38 digits",
        ),
        ("id", json!(1), "timestamp(text) == created_at", "timestamp"),
    ] {
        let mut order = order();
        order[field] = value;
        match decide(condition, &order) {
            Err(EvalError::Condition { reason: found, .. }) => {
                assert!(found.contains(reason), "{condition}: {found}");
            }
            other => panic!("{condition}: {other:?}"),
        }
    }
    let mut order = order();
    order["created_at"] = json!(i64::MIN);
    order["lines"] = json!([{"sku": "a", "sold": i64::MAX, "unit": null}]);
    for condition in [
        "id == 1 || created_at == null",
        "lines.exists(l, l.sku == 'a')",
    ] {
        assert_eq!(decide(condition, &order), Ok(Some(0)), "{condition}");
    }
}

#[test]
fn mistakes_are_reported_with_the_form_to_write() {
    for (condition, expected) in [
        (
            "created_at > 1700000000000",
            "> cannot compare created_at (a timestamp) with an int; write timestamp('2023-11-14T22:13:20Z')",
        ),
        ("20454 == day", "write timestamp('2026-01-01T00:00:00Z')"),
        (
            "created_at == '2026-02-01T00:00:00Z'",
            "write timestamp('2026-02-01T00:00:00Z')",
        ),
        (
            "seen in [1, 2]",
            "write timestamp('1970-01-01T00:00:00.000001Z')",
        ),
        (
            "opens < 32400000",
            "opens (a duration) with an int; write duration('1h30m')",
        ),
        (
            "amount > '1'",
            "amount (a decimal) with a string; write 12.50 or decimal('12.50')",
        ),
        ("amount == price", "write 12.50 or decimal('12.50')"),
        (
            "amount in [1, price]",
            "a decimal and a double are not values of one type",
        ),
        (
            "(id == 1 ? amount : 0) == 1",
            "a decimal and an int are not values of one type",
        ),
        (
            "amount + 1 > 2",
            "+ does not accept amount (a decimal) and an int",
        ),
        (
            "created_at / 1000 > 5",
            "/ does not accept created_at (a timestamp) and an int",
        ),
        ("created_at + created_at == day", "+ does not accept"),
        ("created_at.getYear() == 1", "unknown function getYear()"),
        (
            "opens.getFullYear() == 1",
            "getFullYear() does not accept opens (a duration)",
        ),
        (
            "created_at == timestamp('2026-13-01')",
            "invalid timestamp \"2026-13-01\"",
        ),
        (
            "opens == duration('1h and more')",
            "invalid duration \"1h and more\"",
        ),
        ("opens == duration('300000000h')", "invalid duration"),
        ("amount == decimal('1,5')", "invalid decimal \"1,5\""),
        (
            "amount == 100000000000000000000000000000000000000000.5",
            "more than the 38 digits",
        ),
        (
            "key == '00112233-4455-6677-8899-AABBCCDDEEFF'",
            "is not a UUID in lower case",
        ),
        ("prices == [1, 2]", "never equal"),
        (
            "created_at",
            "a condition requires a boolean, not a timestamp",
        ),
    ] {
        let error = compile(condition).map(|_| ()).expect_err(condition);
        assert!(error.contains(expected), "{condition}: {error}");
    }
}

#[test]
fn the_fingerprint_depends_on_logical_types() {
    let fingerprint = |logical: &str| {
        let schema = json!({"type": "record", "name": "R", "fields": [{"name": "at", "type":
            {"type": "long", "logicalType": logical}}]});
        let definition = RouteDefinition {
            name: "A".to_owned(),
            when: "at != null".to_owned(),
        };
        Routes::compile(
            vec![definition],
            &Schema::parse(&schema.to_string()).unwrap(),
        )
        .unwrap()
        .fingerprint()
    };
    assert_ne!(
        fingerprint("timestamp-millis"),
        fingerprint("timestamp-micros")
    );
    assert_ne!(fingerprint("timestamp-millis"), fingerprint("unknown"));
    assert_eq!(
        fingerprint("timestamp-millis"),
        fingerprint("local-timestamp-millis")
    );
}

/// A value does not tell its branch.
#[test]
fn in_a_union_of_several_types_a_logical_type_is_its_underlying_type() {
    let schema = Schema::parse(
        r#"{"type":"record","name":"R","fields":[{"name":"at","type":["null","string",{"type":"long","logicalType":"timestamp-millis"}]}]}"#,
    )
    .unwrap();
    let definition = RouteDefinition {
        name: "A".to_owned(),
        when: "at == 5".to_owned(),
    };
    let routes = Routes::compile(vec![definition], &schema).unwrap();
    assert_eq!(
        routes.decide(&[4, 10], &mut Scratch::default()),
        Ok(Some(0))
    );
}
