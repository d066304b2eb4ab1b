//! The connections that routes to one endpoint share.

use std::sync::Arc;

use delivery::transport::{Pem, TlsFiles};
use delivery::{DeliveryConfig, EndpointConfig};
use runtime::secret::Secret;
use testkit::certificates::CertificateAuthority;
use testkit::endpoint::{Answer, Endpoint};

use crate::harness::{Harness, config, message, word};

/// Two routes to one endpoint, of one group.
fn two_routes(endpoint: &Endpoint, change: impl Fn(&mut EndpointConfig)) -> DeliveryConfig {
    let mut config = config(&[endpoint, endpoint]);
    for (route, path) in config.endpoints.iter_mut().zip(["a", "b"]) {
        route.url += path;
        route.group = Some(0);
        change(route);
    }
    config
}

/// Delivers one record after the other, alternately over both routes.
fn deliver_alternately(harness: &Harness, records: i64) {
    for offset in 0..records {
        let offered = harness
            .delivery
            .offer((offset % 2) as usize, message(0, offset));
        offered.expect("there is room");
        assert_eq!(word(&harness.outcome()), "delivered");
    }
}

fn stale(harness: &Harness) -> u64 {
    (0..2)
        .map(|route| harness.delivery.statistics(route).stale_connections)
        .sum()
}

#[test]
fn two_routes_to_one_endpoint_used_alternately_open_one_connection() {
    let endpoint = Endpoint::always(Answer::ok().body("thanks")).expect("endpoint");
    let harness = Harness::start(two_routes(&endpoint, |_| ()));
    deliver_alternately(&harness, 20);
    assert_eq!((endpoint.connections(), endpoint.count()), (1, 20));
    assert_eq!(stale(&harness), 0);
}

#[test]
fn routes_of_no_group_share_no_connection() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::start(two_routes(&endpoint, |route| route.group = None));
    deliver_alternately(&harness, 20);
    assert_eq!(endpoint.connections(), 2);
}

#[test]
fn a_connection_that_the_endpoint_closes_is_not_shared() {
    for answer in [Answer::ok().closing(), Answer::ok().closing_unannounced()] {
        let endpoint = Endpoint::always(answer).expect("endpoint");
        let harness = Harness::start(two_routes(&endpoint, |_| ()));
        deliver_alternately(&harness, 6);
        assert_eq!((endpoint.connections(), endpoint.count()), (6, 6));
    }
}

#[test]
fn routes_in_turn_open_no_more_connections_than_one_has_requests_in_flight() {
    let slow = Answer::ok().after(std::time::Duration::from_millis(20));
    let endpoint = Endpoint::always(slow).expect("endpoint");
    let harness = Harness::start(two_routes(&endpoint, |_| ()));
    for burst in 0..4_i64 {
        for offset in 0..16 {
            let message = message(0, burst * 16 + offset);
            let offered = harness.delivery.offer((burst % 2) as usize, message);
            offered.expect("there is room");
        }
        harness.assert_outcomes(16, "delivered");
    }
    assert_eq!(endpoint.connections(), 4);
}

#[test]
fn a_tls_connection_is_shared() {
    let authority = CertificateAuthority::new("authority").expect("authority");
    let server = authority.server("server").expect("server");
    let identity = server.pem().expect("pem");
    let key = server.key_pem().expect("pem");
    let (port, accepted) = crate::tls::serve(identity.as_bytes(), key.as_bytes());
    let ca = Pem::Text(Secret::new(authority.pem().expect("pem")));
    let tls = Arc::new(TlsFiles::new(Some(ca), None));
    let unused = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::start(two_routes(&unused, |route| {
        route.url = format!("https://localhost:{port}/in");
        route.tls = Arc::<TlsFiles>::clone(&tls);
    }));
    deliver_alternately(&harness, 20);
    assert_eq!(accepted.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(stale(&harness), 0);
}
