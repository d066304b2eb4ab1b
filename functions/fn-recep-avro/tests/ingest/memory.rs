//! The memory of many large calls at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::avro_bytes::{Codec, container, user};
use super::fixture::{Fixture, Plain, Request};

/// The limit of deploy/kubernetes/components/door/door.yaml.
const LIMIT: u64 = 256 << 20;

#[tokio::test]
async fn stays_below_its_memory_limit_with_256_calls_of_the_largest_body() {
    let fixture = Fixture::new();
    let plain = Arc::new(Plain::start(&fixture.settings("ingest")).await);
    // Calls wait for the broker with their messages.
    fixture
        .broker
        .set_round_trip_time(Duration::from_millis(20))
        .unwrap();
    let records: Vec<_> = (0..6)
        .map(|id| user(id, &"x".repeat(980_000), "e"))
        .collect();
    let stored = Request::post(container(Codec::Null, &[&records]));
    // 6 MB that become 16 MiB.
    let many: Vec<_> = (0..10_000)
        .map(|id| user(id, &"x".repeat(1600), "e"))
        .collect();
    let inflated = Request::post(container(Codec::Deflate, &[&many]));
    let mut calls = JoinSet::new();
    for number in 0..256 {
        let plain = Arc::clone(&plain);
        let request = if number % 2 == 0 { &stored } else { &inflated }.clone();
        calls.spawn(async move {
            let reply = plain.call(&request).await;
            if reply.status == 503 {
                assert_eq!(reply.headers["retry-after"], "1");
            }
            reply.status
        });
    }
    let statuses = calls.join_all().await;
    let count = |status| statuses.iter().filter(|known| **known == status).count();
    let (accepted, busy) = (count(202), count(503));
    let peak = peak(plain.id());
    println!("peak {peak} bytes, {accepted} accepted, {busy} busy");
    assert!(peak < LIMIT, "peak {peak} bytes");
    assert_eq!(accepted + busy, 256, "{statuses:?}");
    assert!(accepted > 0);
}

/// Parsed, each of these objects occupies many times its text.
#[tokio::test]
async fn small_json_objects_stay_below_the_memory_limit() {
    let fixture = Fixture::new();
    let plain = Plain::start(&fixture.settings("ingest")).await;
    for element in [r#"{"":0}"#, "{}", "[]", "0", r#"{"":[{"":0}]}"#, r#""""#] {
        let count = 5_900_000 / (element.len() + 1);
        let elements = vec![element; count].join(",");
        let body = format!(r#"{{"id":[{elements}]}}"#);
        let request = Request::post(body).header("Content-Type", "application/json");
        let reply = plain.call(&request).await;
        let peak = peak(plain.id());
        println!("{element}: {}, peak {peak} bytes", reply.status);
        assert!(matches!(reply.status, 413 | 422), "{reply:?}");
        assert!(peak < LIMIT, "{element}: peak {peak} bytes");
    }
    let body = format!("[{}]", vec!["0"; 2_900_000].join(","));
    let request = Request::post(body).header("Content-Type", "application/json");
    assert_eq!(plain.call(&request).await.status, 413);
    assert!(peak(plain.id()) < LIMIT);
}

/// The most resident memory of a process so far, in bytes.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() << 10
}
