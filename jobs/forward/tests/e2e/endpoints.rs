//! Endpoints that behave in the usual ways, and what they took.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::user::User;

/// An endpoint that takes everything.
pub(crate) fn takes_all() -> Endpoint {
    Endpoint::always(Answer::ok()).unwrap()
}

/// An endpoint that takes everything, after a while.
pub(crate) fn takes_after(delay: Duration) -> Endpoint {
    Endpoint::always(Answer::ok().after(delay)).unwrap()
}

/// A URL where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

/// The user in a request; every body at an endpoint is a whole datum, or the test fails.
#[track_caller]
pub(crate) fn user_of(request: &Request) -> User {
    User::decode(&request.body).unwrap_or_else(|| {
        panic!(
            "an endpoint received bytes that are no datum: {:?}",
            request.body
        )
    })
}

fn is_taken(request: &Request) -> bool {
    request
        .answered
        .is_some_and(|status| (200..300).contains(&status))
}

/// The names of all users that the endpoint took, repeats included, in order.
#[track_caller]
pub(crate) fn taken(endpoint: &Endpoint) -> Vec<String> {
    let requests = endpoint.requests();
    requests
        .iter()
        .filter(|request| is_taken(request))
        .map(|request| user_of(request).name)
        .collect()
}

/// The endpoint took `name-0` to `name-(count-1)` and nobody else; answers how many it took more than once.
#[track_caller]
pub(crate) fn assert_took_all(endpoint: &Endpoint, name: &str, count: usize) -> usize {
    let names = taken(endpoint);
    let distinct: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let wanted: Vec<String> = (0..count)
        .map(|number| format!("{name}-{number}"))
        .collect();
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    let missing: Vec<_> = wanted.difference(&distinct).take(5).collect();
    let foreign: Vec<_> = distinct.difference(&wanted).take(5).collect();
    assert!(
        missing.is_empty() && foreign.is_empty(),
        "missing {missing:?}, foreign {foreign:?}"
    );
    names.len() - distinct.len()
}

/// Every record came with one key, whenever it came, and every key with one record.
#[track_caller]
pub(crate) fn assert_keys_agree<'e>(endpoints: impl IntoIterator<Item = &'e Endpoint>) {
    let mut key_of: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    let mut body_of: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for request in endpoints.into_iter().flat_map(Endpoint::requests) {
        let key = request.header("idempotency-key").unwrap().to_owned();
        let body = request.body.to_vec();
        assert_eq!(*key_of.entry(body.clone()).or_insert(key.clone()), key);
        assert_eq!(*body_of.entry(key).or_insert(body.clone()), body);
    }
}
