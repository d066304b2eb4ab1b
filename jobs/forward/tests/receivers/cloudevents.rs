//! CloudEvents, read by the SDK of the CloudEvents project.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::broker::Broker;
use testkit::topics::{NewRecord, Topics};

use super::PYTHON;

const TOPIC: &str = "FrontDoorTopic";
const SOURCE: &str = "/orders?of=%C3%A9&%22";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SCHEMA: &str = r#"{"type": "record", "name": "Order", "namespace": "org.example", "fields": [
    {"name": "number", "type": "long"}, {"name": "text", "type": "string"}, {"name": "raw", "type": "bytes"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}"#;

/// A record, and what its event must have.
struct Sample {
    record: NewRecord,
    /// `None`: the record's coordinates.
    id: Option<&'static str>,
    data: Value,
}

fn put_long(datum: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)) as u64;
    while left >= 0x80 {
        datum.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    datum.push(left as u8);
}

fn datum(number: i64, text: &str) -> Vec<u8> {
    let mut datum = Vec::new();
    put_long(&mut datum, number);
    for bytes in [text.as_bytes(), &[0, b'"', 0xff]] {
        put_long(&mut datum, bytes.len() as i64);
        datum.extend_from_slice(bytes);
    }
    put_long(&mut datum, 1_700_000_000_123_456);
    datum
}

/// Keys, times and values that are difficult in a header or in JSON.
fn samples() -> Vec<Sample> {
    let last_millisecond = 253_402_300_799_999; // of the year 9999
    [
        (0, "plain", Some("1010"), Some("order-1"), 1),
        (i64::MAX, "José 😀", Some("Łódź %41 \"x\" ~"), Some(r#"a "b%20\c"#), 1_700_000_000_123),
        (i64::MIN, "\u{0}\n\r\"\\\u{2028}\u{feff}</script>", Some("é\u{10ffff}"), None, 1_700_000_000_000),
        (1 << 53, "%00 %zz \u{202e}", Some(" "), None, last_millisecond),
        (-1, "", None, Some("ends with /"), 86_399_999),
    ]
    .into_iter()
    .map(|(number, text, key, id, timestamp): (i64, &str, Option<&str>, _, _)| Sample {
        record: NewRecord {
            key: key.map(|key| key.as_bytes().to_vec()),
            headers: [("idempotency-key", id), ("traceparent", id.map(|_| TRACE))]
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), Some(value?.as_bytes().to_vec()))))
                .collect(),
            timestamp: Some(timestamp),
            ..NewRecord::to(0, datum(number, text))
        },
        id,
        data: json!({"number": number, "text": text, "raw": "\u{0}\"\u{ff}", "at": "2023-11-14T22:13:20.123456Z"}),
    })
    .collect()
}

/// The lines that the receiver prints of a run over the topic, for a route with this format.
fn received(broker: &Broker, group: &str, members: &Value) -> Vec<Value> {
    let mut receiver = Command::new(PYTHON)
        .arg("events.py")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(receiver.stdout.take().unwrap());
    let mut url = String::new();
    printed.read_line(&mut url).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let mut route = members.clone();
    route["name"] = "A".into();
    route["when"] = "true".into();
    route["url"] = url.trim().into();
    let routes = json!({"version": 1, "routes": [route]});
    let output = Command::new(env!("CARGO_BIN_EXE_forward"))
        .args(["run", "--order", "partition"])
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
        .env("KAFKA_GROUP_ID", group)
        .env("AVRO_SCHEMA", file("schema.avsc", SCHEMA))
        .env("ROUTES", file("routes.json", &routes.to_string()))
        .output()
        .unwrap();

    drop(receiver.stdin.take());
    let mut lines = String::new();
    printed.read_to_string(&mut lines).unwrap();
    assert!(receiver.wait().unwrap().success());
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{lines}{log}");
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Asserts that the event has exactly the attributes and the data of the sample.
fn assert_event(event: &Value, offset: usize, sample: &Sample, is_binary: bool) {
    let id = event["attributes"]["id"].as_str().unwrap();
    match sample.id {
        Some(expected) => assert_eq!(id, expected),
        None => assert!(id.ends_with(&format!("/0/{offset}")), "{id}"),
    }
    let mut expected = json!({
        "specversion": "1.0", "id": id, "source": SOURCE, "type": "org.example.Order",
        "datacontenttype": "application/json", "time": sample.record.timestamp,
        "kafkatopic": TOPIC, "kafkaoffset": offset.to_string(),
        // A header has no types.
        "kafkapartition": if is_binary { json!("0") } else { json!(0) },
    });
    if let Some(key) = &sample.record.key {
        let text = String::from_utf8(key.clone()).unwrap();
        if !text.contains('\u{10ffff}') {
            expected["partitionkey"] = text.into(); // The other key has a noncharacter.
        }
    }
    if !is_binary && sample.id.is_some() {
        expected["traceparent"] = TRACE.into(); // Binary: the header of that name.
    }
    assert_eq!(event["attributes"], expected);
    assert_eq!(event["data"], sample.data);
}

/// The string of a structured field (RFC 9651, section 3.3.3).
fn unquoted(field: &Value) -> String {
    let text = field.as_str().unwrap();
    let inner = text.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
    inner.replace(r#"\""#, "\"").replace(r"\\", r"\")
}

#[test]
#[ignore = "installs packages from PyPI"]
fn the_sdk_reads_each_attribute_and_the_data_of_each_mode() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    let samples = samples();
    let records: Vec<NewRecord> = samples.iter().map(|sample| sample.record.clone()).collect();
    Topics::connect(broker.bootstrap())
        .unwrap()
        .write(TOPIC, &records)
        .unwrap();
    let mut ids = Vec::new();
    for (mode, batch) in [
        ("binary", 1),
        ("structured", 1),
        ("batched", 1),
        ("batched", 100),
    ] {
        let members =
            json!({"format": {"cloudevents": {"mode": mode, "source": SOURCE}}, "batch": batch});
        let requests = received(&broker, &format!("{mode}-{batch}"), &members);
        let mut events = Vec::new();
        for request in &requests {
            let of_request = request["events"].as_array().unwrap();
            match mode {
                "batched" => assert_eq!(request["key"], Value::Null),
                _ => assert_eq!(of_request[0]["attributes"]["id"], unquoted(&request["key"])),
            }
            events.extend(of_request);
        }
        assert_eq!(requests.len(), if batch == 1 { samples.len() } else { 1 });
        assert_eq!(events.len(), samples.len());
        for (offset, (event, sample)) in events.iter().zip(&samples).enumerate() {
            assert_event(event, offset, sample, mode == "binary");
        }
        ids.push(
            events
                .iter()
                .map(|event| event["attributes"]["id"].clone())
                .collect::<Vec<_>>(),
        );
    }
    ids.dedup();
    assert_eq!(
        ids.len(),
        1,
        "a record has the same id in each mode: {ids:?}"
    );
}
