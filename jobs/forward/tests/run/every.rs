//! A process that stays between windows.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

/// Passes connections on to a broker, and counts them. A client reaches a broker by its advertised address after the first
/// answer, so that each client has one connection here.
fn counting_relay(broker: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::Relaxed);
            let broker = TcpStream::connect(&broker).unwrap();
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), broker.try_clone().unwrap()),
                (broker, client),
            ] {
                thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
    });
    (address, count)
}

#[test]
fn empty_windows_share_their_connections_and_later_records_are_delivered() {
    let stage = Stage::accepting();
    let (address, connections) = counting_relay(stage.broker.bootstrap().to_owned());
    let mut command = stage.forward(&["--every", "20ms"]);
    command.env("KAFKA_BOOTSTRAP_SERVERS", address);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut reports = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&reports.next().unwrap().unwrap()).unwrap() };
    for _ in 0..20 {
        let report = next();
        assert_eq!(report["exit_code"], 0, "{report:#}");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);

    for number in 1..=2 {
        stage.write(&[user(1010, &format!("user-{number}"))]);
        while stage.a.count() < number {
            assert_eq!(next()["exit_code"], 0);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stage.a.count(), 2);
}
