//! Plain HTTP: limits against slow and greedy callers, and an end in good order.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::sample::{paul, user};
use super::world::{Plain, Request, World, values};

#[tokio::test]
async fn it_says_that_it_lives() {
    let world = World::new();
    let plain = Plain::start(&world.settings("door")).await;
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
async fn it_says_so_however_many_callers_wait_for_a_broker_that_is_away() {
    const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    let world = World::new();
    let mut settings = world.settings("door");
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
    // None of them has been answered before.
    for caller in &callers {
        assert!(caller.try_read(&mut [0]).is_err());
    }
    // Those whose turn does not come are told so.
    let mut last = [0; 12];
    callers[399].read_exact(&mut last).await.unwrap();
    assert_eq!(&last, b"HTTP/1.1 503");
}

#[tokio::test]
async fn a_caller_who_never_finishes_its_head_is_cut_off() {
    let world = World::new();
    let plain = Plain::start(&world.settings("door")).await;
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
async fn a_bad_header_section_is_refused_and_the_next_caller_is_served() {
    let world = World::new();
    let plain = Plain::start(&world.settings("door")).await;
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
    assert_eq!(values(&world.stored()), [paul()]);
}

#[tokio::test]
async fn a_caller_who_asks_before_sending_too_much_is_told_before() {
    let world = World::new();
    let plain = Plain::start(&world.settings("door")).await;
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
async fn sigterm_lets_the_call_under_way_finish() {
    let world = World::new();
    let mut plain = Plain::start(&world.settings("door")).await;
    assert_eq!(plain.call(&Request::post(paul())).await.status, 202);
    world.broker.round_trip(Duration::from_millis(500)).unwrap();
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
    assert_eq!(world.stored().len(), 2);
}

#[tokio::test]
async fn callers_who_go_away_leave_nothing_behind() {
    let world = World::new();
    let plain = Plain::start(&world.settings("door")).await;
    world.broker.round_trip(Duration::from_millis(200)).unwrap();
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
    world.broker.round_trip(Duration::ZERO).unwrap();
    let reply = plain.call(&Request::post(user(1, "n", "e"))).await;
    assert_eq!(reply.status, 202);
}
