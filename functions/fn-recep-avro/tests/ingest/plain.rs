//! Plain HTTP: health checks, limits for slow and large requests, graceful shutdown.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::avro_bytes::{paul, user};
use super::fixture::{Fixture, Plain, Request, values};

#[tokio::test]
async fn answers_health_checks() {
    let fixture = Fixture::new();
    let plain = Plain::start(&fixture.settings("ingest")).await;
    let mut stream = TcpStream::connect(&plain.address).await.unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
}

#[tokio::test]
async fn warns_of_a_misspelt_variable() {
    let fixture = Fixture::new();
    let mut settings = fixture.settings("ingest");
    settings.push(("PUBLISH_TIMOUT", "1s"));
    let log = Plain::start(&settings).await.log();
    assert!(log.contains("\"meant\":\"PUBLISH_TIMEOUT\""), "{log}");
}

#[tokio::test]
async fn answers_health_checks_while_calls_wait_for_an_unreachable_broker() {
    const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    let fixture = Fixture::new();
    let mut settings = fixture.settings("ingest");
    settings.retain(|(name, _)| *name != "KAFKA_BOOTSTRAP_SERVERS");
    settings.push(("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"));
    settings.push(("PUBLISH_TIMEOUT", "20s"));
    let plain = Plain::start(&settings).await;
    let datum = paul();
    let length = datum.len();
    let mut callers = Vec::new();
    for _ in 0..400 {
        let mut caller = TcpStream::connect(&plain.address).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n");
        caller.write_all(head.as_bytes()).await.unwrap();
        caller.write_all(&datum).await.unwrap();
        callers.push(caller);
    }
    let mut probe = TcpStream::connect(&plain.address).await.unwrap();
    probe.write_all(HEALTH).await.unwrap();
    let mut reply = String::new();
    probe.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    // No call was answered before the health check.
    for caller in &callers {
        assert!(caller.try_read(&mut [0]).is_err());
    }
    // A call that waits too long is answered.
    let mut last = [0; 12];
    callers[399].read_exact(&mut last).await.unwrap();
    assert_eq!(&last, b"HTTP/1.1 503");
}

#[tokio::test]
async fn closes_the_connection_of_a_client_that_never_finishes_its_headers() {
    let fixture = Fixture::new();
    let plain = Plain::start(&fixture.settings("ingest")).await;
    let mut stream = TcpStream::connect(&plain.address).await.unwrap();
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: h\r\n")
        .await
        .unwrap();
    let mut reply = Vec::new();
    let cut = tokio::time::timeout(Duration::from_secs(40), stream.read_to_end(&mut reply)).await;
    assert!(cut.is_ok(), "still connected");
}

#[tokio::test]
async fn rejects_a_bad_header_section_and_serves_the_next_client() {
    let fixture = Fixture::new();
    let plain = Plain::start(&fixture.settings("ingest")).await;
    let field = |name: &str, value: &str| format!("{name}: {value}\r\n");
    let fields = |count: usize| -> String {
        (0..count)
            .map(|number| field(&format!("x-{number}"), "v"))
            .collect()
    };
    let long_line = format!("POST /{} HTTP/1.1", "x".repeat(70_000));
    let line = "POST / HTTP/1.1";
    for (name, line, fields, status) in [
        ("5,000 fields", line, fields(5_000), 431),
        (
            "a value of 70 kB",
            line,
            field("x", &"v".repeat(70_000)),
            431,
        ),
        (
            "a value of 1 MB",
            line,
            field("x", &"v".repeat(1_000_000)),
            431,
        ),
        (
            "a name of 70 kB",
            line,
            field(&"x".repeat(70_000), "v"),
            431,
        ),
        ("a request line of 70 kB", &long_line, String::new(), 431),
        ("a NUL in a value", line, field("x", "\0"), 400),
        ("a field without a colon", line, "x\r\n".to_owned(), 400),
        ("a NUL for a method", "\0 / HTTP/1.1", String::new(), 400),
    ] {
        let mut stream = TcpStream::connect(&plain.address).await.unwrap();
        let head = format!("{line}\r\nhost: h\r\n{fields}\r\n");
        // The server may close the connection before it has read everything.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut reply = [0; 12];
        stream.read_exact(&mut reply).await.expect(name);
        let expected = format!("HTTP/1.1 {status}");
        assert_eq!(String::from_utf8_lossy(&reply), expected, "{name}");
    }
    assert_eq!(plain.call(&Request::post(paul())).await.status, 202);
    assert_eq!(values(&fixture.stored()), [paul()]);
}

#[tokio::test]
async fn rejects_a_large_body_before_a_client_that_expects_100_continue_sends_it() {
    let fixture = Fixture::new();
    let plain = Plain::start(&fixture.settings("ingest")).await;
    let mut stream = TcpStream::connect(&plain.address).await.unwrap();
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 99000000\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 413");
}

#[tokio::test]
async fn finishes_the_call_in_flight_after_sigterm() {
    let fixture = Fixture::new();
    let mut plain = Plain::start(&fixture.settings("ingest")).await;
    assert_eq!(plain.call(&Request::post(paul())).await.status, 202);
    fixture
        .broker
        .set_round_trip_time(Duration::from_millis(500))
        .unwrap();
    let address = plain.address.clone();
    let id = Pid::from_raw(plain.id() as i32).unwrap();
    let request = Request::post(user(1, "n", "e"));
    let call = plain.call(&request);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        kill_process(id, Signal::TERM).unwrap();
    };
    let (reply, ()) = tokio::join!(call, stop);
    assert_eq!(reply.status, 202);
    assert_eq!(plain.ended().await, Some(0));
    assert!(TcpStream::connect(&address).await.is_err());
    assert_eq!(fixture.stored().len(), 2);
}

#[tokio::test]
async fn ends_after_sigterm_when_its_calls_end_although_the_broker_is_silent() {
    let broker = testkit::silent_broker::start("ingest").unwrap();
    let mut plain = Plain::start(&[
        ("KAFKA_BOOTSTRAP_SERVERS", &broker.address),
        ("KAFKA_TOPIC", "ingest"),
        ("PUBLISH_TIMEOUT", "3s"),
    ])
    .await;
    let id = Pid::from_raw(plain.id() as i32).unwrap();
    let request = Request::post(paul());
    let call = plain.call(&request);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        kill_process(id, Signal::TERM).unwrap();
    };
    let (reply, ()) = tokio::join!(call, stop);
    assert_eq!(reply.status, 503);
    let answered = std::time::Instant::now();
    assert_eq!(plain.ended().await, Some(0));
    let took = answered.elapsed();
    println!("ended {took:?} after the last response");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn serves_the_next_client_after_clients_have_disconnected() {
    let fixture = Fixture::new();
    let plain = Plain::start(&fixture.settings("ingest")).await;
    fixture
        .broker
        .set_round_trip_time(Duration::from_millis(200))
        .unwrap();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&plain.address).await.unwrap();
        let datum = paul();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n",
            datum.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&datum).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fixture.broker.set_round_trip_time(Duration::ZERO).unwrap();
    let reply = plain.call(&Request::post(user(1, "n", "e"))).await;
    assert_eq!(reply.status, 202);
}
