//! Addresses that a broker advertises: those that cannot be reached, several listeners, a port-forward, and IPv6.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use testkit::black_hole::BlackHole;
use testkit::kafka::{Kafka, Options};

use crate::connections::assert_fails;
use crate::endpoints::accepting;
use crate::nginx::free_port;
use crate::stage::{Stage, users};

/// A broker with these listeners, besides that of the test's own clients.
fn start(listeners: impl IntoIterator<Item = String>) -> Kafka {
    Kafka::start(&Options {
        fast_join: true,
        listeners: listeners.into_iter().collect(),
        ..Options::default()
    })
    .unwrap()
}

/// Accepts connections on `listener` and forwards each to a port of this machine.
fn forward(listener: TcpListener, port: u16) {
    thread::spawn(move || {
        for from in listener.incoming().flatten() {
            let to = TcpStream::connect(("127.0.0.1", port)).unwrap();
            copy(from.try_clone().unwrap(), to.try_clone().unwrap());
            copy(to, from);
        }
    });
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[track_caller]
fn assert_works(stage: &Stage) {
    let (code, checks) = stage.check();
    assert_eq!(
        (code, checks["broker"]["result"].as_str()),
        (0, Some("ok")),
        "{checks:#?}"
    );
    assert_eq!(stage.run().expect(0).total("delivered"), 3);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn an_advertised_address_that_cannot_be_reached_is_named() {
    // It accepts connections and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let hole = BlackHole::start().await.unwrap();
    let hole = hole.address.to_string();
    // The fault at the addresses of RFC 5737 and RFC 1112, which have no host, depends on the network.
    let cases = [
        ("CLOSED", "127.0.0.1:1", "connection refused"),
        (
            "UNRESOLVED",
            "kafka-0.internal.invalid:9092",
            "the host name does not resolve",
        ),
        ("SILENT", silent.as_str(), "answers no Kafka request"),
        ("BLACK_HOLE", hole.as_str(), "the host does not answer"),
        ("DOCUMENTATION", "192.0.2.1:9092", ""),
        ("RESERVED", "240.0.0.1:9092", ""),
    ];
    let ports = cases.map(|_| free_port());
    let listeners = cases.iter().zip(ports);
    let kafka =
        start(listeners.map(|((name, advertised, _), port)| {
            format!("{name}://127.0.0.1:{port}={advertised}")
        }));
    let (a, b) = (accepting(), accepting());
    let mut stage = Stage::on(&kafka, "advertised", 1, &[]).await.to(&a, &b);
    stage.set("START_TIMEOUT", "4s");
    stage.write(&users(1010, "name", 3, 1));
    for ((_, advertised, fault), port) in cases.iter().zip(ports) {
        let bootstrap = format!("127.0.0.1:{port}");
        stage.set("KAFKA_BOOTSTRAP_SERVERS", &bootstrap);
        let broker = format!("broker 1 has the advertised address {advertised}: ");
        assert_fails(
            &stage,
            "advertised_address",
            &[
                &bootstrap,
                "a bootstrap server answers",
                &broker,
                fault,
                "port-forward",
            ],
        );
    }
    // The listener of the test's own clients has an address that can be reached.
    stage.set("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap());
    assert_works(&stage);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_port_forward_works_with_a_listener_that_advertises_the_forwarded_address() {
    let (internal, external) = (free_port(), free_port());
    let [to_internal, to_external] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let address = |forwarder: &TcpListener| forwarder.local_addr().unwrap().to_string();
    let (wrong, right) = (address(&to_internal), address(&to_external));
    let kafka = start([
        format!("INTERNAL://127.0.0.1:{internal}=kafka-0.internal.invalid:9092"),
        format!("EXTERNAL://127.0.0.1:{external}={right}"),
    ]);
    forward(to_internal, internal);
    forward(to_external, external);
    let (a, b) = (accepting(), accepting());
    let mut stage = Stage::on(&kafka, "bastion", 1, &[]).await.to(&a, &b);
    stage.set("START_TIMEOUT", "4s");
    stage.write(&users(1010, "name", 3, 1));
    // A second server does not help: the first that answers decides which addresses the client uses.
    for bootstrap in [wrong.clone(), format!("127.0.0.1:1,{wrong}")] {
        stage.set("KAFKA_BOOTSTRAP_SERVERS", &bootstrap);
        let broker = "broker 1 has the advertised address kafka-0.internal.invalid:9092: ";
        let parts = [&*bootstrap, broker, "advertises the forwarded address"];
        assert_fails(&stage, "advertised_address", &parts);
    }
    stage.set("KAFKA_BOOTSTRAP_SERVERS", &right);
    assert_works(&stage);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn an_address_family_and_the_lookup_of_names_are_properties_of_the_client() {
    let (six, named) = (free_port(), free_port());
    // The broker listens only on IPv4 under a name that may have addresses of both families.
    let mut listeners = vec![format!("NAMED://127.0.0.1:{named}=localhost:{named}")];
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    if has_ipv6 {
        listeners.push(format!("SIX://[::1]:{six}"));
    }
    let kafka = start(listeners);
    let (a, b) = (accepting(), accepting());
    for (number, (bootstrap, properties)) in [
        (format!("[::1]:{six}"), &[][..]),
        (format!("[::1]:{six}"), &[("BROKER_ADDRESS_FAMILY", "v6")]),
        (format!("localhost:{named}"), &[]),
        (
            format!("localhost:{named}"),
            &[("BROKER_ADDRESS_FAMILY", "v4")],
        ),
        (
            format!("localhost:{named}"),
            &[(
                "CLIENT_DNS_LOOKUP",
                "resolve_canonical_bootstrap_servers_only",
            )],
        ),
    ]
    .into_iter()
    .enumerate()
    .filter(|(_, (bootstrap, _))| has_ipv6 || !bootstrap.starts_with('['))
    {
        let stage = Stage::on(&kafka, &format!("family-{number}"), 1, &[]).await;
        let mut stage = stage.to(&a, &b);
        stage.write(&users(1010, "name", 3, 1));
        stage.set("KAFKA_BOOTSTRAP_SERVERS", bootstrap);
        for (name, value) in properties {
            stage.set(&format!("KAFKA_CLIENT_{name}"), *value);
        }
        assert_works(&stage);
    }
    let mut stage = Stage::on(&kafka, "family", 1, &[]).await.to(&a, &b);
    stage.set("START_TIMEOUT", "4s");
    // An address needs no IPv6 on this machine.
    stage.set("KAFKA_BOOTSTRAP_SERVERS", format!("[::1]:{six}"));
    stage.set("KAFKA_CLIENT_BROKER_ADDRESS_FAMILY", "v4");
    assert_fails(&stage, "name_resolution", &["no IPv4 address"]);
}
