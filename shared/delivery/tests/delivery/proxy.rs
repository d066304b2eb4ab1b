//! Deliveries through a proxy that speaks CONNECT and the absolute form.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use delivery::request::FixedHeader;
use delivery::transport::TlsConfig;
use http_proxy::Proxies;
use runtime::secret::Secret;
use testkit::endpoint::{Answer, Endpoint};

use crate::harness::{Harness, message, reason, word};
use crate::tls::certificate;

/// A proxy, and the heads of the requests that it has received.
struct TestProxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    /// A proxy that answers each request with this status line: after 200 to CONNECT, it copies bytes to the
    /// target's port on this machine.
    fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let port = listener.local_addr().expect("address").port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let received = Arc::clone(&heads);
        spawn(move || {
            for client in listener.incoming() {
                let (client, heads) = (client.expect("a connection"), Arc::clone(&received));
                spawn(move || serve(client, status, &heads));
            }
        });
        Self { port, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }

    fn proxies(&self) -> Proxies {
        let value = format!("http://user:hunter2@127.0.0.1:{}", self.port);
        let lookup = |name: &str| (name == "ALL_PROXY").then(|| value.clone());
        Proxies::from_environment(lookup).expect("valid")
    }
}

fn serve(mut client: TcpStream, status: &str, heads: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|part| part == b"\r\n\r\n") {
        let mut byte = [0];
        if client.read_exact(&mut byte).is_err() {
            return;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("text");
    heads.lock().expect("no panic").push(head.clone());
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let is_tunnel = head.starts_with("CONNECT ") && status.contains(" 200 ");
    let end = if is_tunnel {
        "\r\n\r\n"
    } else {
        "\r\ncontent-length: 0\r\n\r\n"
    };
    let _ = client.write_all(format!("{status}{end}").as_bytes());
    if !is_tunnel {
        // Reads the body, and closes.
        let _ = client.read(&mut [0; 4096]);
        return;
    }
    let (_, port) = target.rsplit_once(':').expect("a port");
    let port: u16 = port.parse().expect("a port");
    let server = TcpStream::connect(("127.0.0.1", port)).expect("the target");
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    };
    let (from_client, to_client) = (client.try_clone().expect("socket"), client);
    let (from_server, to_server) = (server.try_clone().expect("socket"), server);
    spawn(move || copy(from_client, to_server));
    copy(from_server, to_client);
}

/// Trusts every certificate.
#[derive(Debug)]
struct Trusting;

impl TlsConfig for Trusting {
    fn connector(&self) -> std::io::Result<tokio_native_tls::TlsConnector> {
        let connector = native_tls::TlsConnector::builder()
            .danger_accept_invalid_certs(true)
            .build();
        connector.map(Into::into).map_err(std::io::Error::other)
    }
}

/// One route to this URL through the proxy.
fn harness(proxy: &TestProxy, url: &str, attempts: u32) -> Harness {
    let unused = Endpoint::always(Answer::ok()).expect("endpoint");
    Harness::to(&unused, |config| {
        let endpoint = &mut config.endpoints[0];
        endpoint.proxies = proxy.proxies();
        endpoint.url = url.to_owned();
        endpoint.tls = Arc::new(Trusting);
        let token = FixedHeader::bearer(&Secret::new("route-token")).expect("a token");
        endpoint.authorization = Arc::new(token);
        endpoint.limits.max_in_flight = 1;
        endpoint.limits.max_attempts = attempts;
    })
}

#[test]
fn an_https_endpoint_is_reached_through_a_tunnel() {
    let (certificate, key) = certificate();
    let (port, _) = crate::tls::serve(&certificate, &key);
    let proxy = TestProxy::start("HTTP/1.1 200 Connection established");
    // The proxy resolves the name. It sees nothing of the requests.
    let harness = harness(&proxy, &format!("https://api.example:{port}/in"), 1);
    harness.offer((0..3).map(|offset| message(0, offset)));
    harness.assert_outcomes(3, "delivered");
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1, "one connection");
    let expected = format!(
        "CONNECT api.example:{port} HTTP/1.1\r\nhost: api.example:{port}\r\n\
         proxy-authorization: Basic dXNlcjpodW50ZXIy\r\n\r\n"
    );
    assert_eq!(heads[0], expected);
}

#[test]
fn a_rejected_tunnel_is_retried_if_its_status_is_about_the_time() {
    for (status, attempts) in [
        ("HTTP/1.1 407 Proxy Authentication Required", 1),
        ("HTTP/1.1 403 hunter2", 1),
        ("HTTP/1.1 503 Service Unavailable", 3),
    ] {
        let proxy = TestProxy::start(status);
        let harness = harness(&proxy, "https://a.example/in", 3);
        harness.offer([message(0, 0)]);
        let outcome = harness.outcome();
        assert_eq!(word(&outcome), "deferred");
        let expected = format!("the proxy 127.0.0.1:{} rejected CONNECT: ", proxy.port);
        assert!(reason(&outcome).contains(&expected), "{outcome:?}");
        assert!(!reason(&outcome).contains("hunter2"), "{outcome:?}");
        assert_eq!(proxy.heads().len(), attempts, "{status}");
    }
}

#[test]
fn a_proxy_without_a_connection_is_named() {
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").expect("port");
        free.local_addr().expect("address").port()
    };
    let proxy = TestProxy {
        port,
        heads: Arc::default(),
    };
    let harness = harness(&proxy, "http://a.example/in", 1);
    harness.offer([message(0, 0)]);
    let outcome = harness.outcome();
    let expected = format!("connecting: the proxy 127.0.0.1:{port}: Connection refused");
    assert!(reason(&outcome).starts_with(&expected), "{outcome:?}");
}

#[test]
fn a_proxy_receives_the_whole_url_of_an_http_endpoint() {
    let proxy = TestProxy::start("HTTP/1.1 200 OK");
    let harness = harness(&proxy, "http://a.example:8080/in?x=1", 1);
    harness.offer([message(0, 0)]);
    assert_eq!(word(&harness.outcome()), "delivered");
    let heads = proxy.heads();
    let line = "POST http://a.example:8080/in?x=1 HTTP/1.1\r\n";
    assert!(heads[0].starts_with(line), "{heads:?}");
    for header in [
        "host: a.example:8080\r\n",
        "proxy-authorization: Basic dXNlcjpodW50ZXIy\r\n",
    ] {
        assert!(heads[0].contains(header), "{heads:?}");
    }
}

#[test]
fn a_proxy_that_requires_credentials_defers_the_records() {
    let proxy = TestProxy::start("HTTP/1.1 407 Proxy Authentication Required");
    let harness = harness(&proxy, "http://a.example/in", 3);
    harness.offer([message(0, 0)]);
    let outcome = harness.outcome();
    assert_eq!(word(&outcome), "deferred");
    let expected = format!(
        "407: check the user and the password of the proxy (HTTP_PROXY or ALL_PROXY): through the proxy 127.0.0.1:{}",
        proxy.port
    );
    assert!(reason(&outcome).starts_with(&expected), "{outcome:?}");
    assert_eq!(proxy.heads().len(), 1);
}
