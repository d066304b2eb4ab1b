//! Endpoints, and assertions on the requests that they received.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::user::User;

/// Starts an endpoint that accepts each request.
pub(crate) fn accepting() -> Endpoint {
    Endpoint::always(Answer::ok()).unwrap()
}

/// Starts an endpoint that accepts each request after a delay.
pub(crate) fn accepting_after(delay: Duration) -> Endpoint {
    Endpoint::always(Answer::ok().after(delay)).unwrap()
}

/// Starts an endpoint that gives this answer to the user with this name and accepts the others.
pub(crate) fn answering(name: &'static str, answer: Answer) -> Endpoint {
    Endpoint::start(move |request| match user_of(request).name == name {
        true => answer.clone(),
        false => Answer::ok(),
    })
    .unwrap()
}

/// Returns a URL that refuses connections.
pub(crate) fn unused_url() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

/// Decodes the user in a request. The body must be one complete datum.
#[track_caller]
pub(crate) fn user_of(request: &Request) -> User {
    User::decode(&request.body).unwrap_or_else(|| {
        panic!(
            "an endpoint received bytes that are not a datum: {:?}",
            request.body
        )
    })
}

fn is_accepted(request: &Request) -> bool {
    request
        .answered
        .is_some_and(|status| (200..300).contains(&status))
}

/// Returns the names of the accepted users in order, including repeats.
#[track_caller]
pub(crate) fn accepted_names(endpoint: &Endpoint) -> Vec<String> {
    let requests = endpoint.requests();
    requests
        .iter()
        .filter(|request| is_accepted(request))
        .map(|request| user_of(request).name)
        .collect()
}

/// Asserts that the endpoint accepted exactly `name-0` to `name-(count-1)`, and returns the number of repeats.
#[track_caller]
pub(crate) fn assert_accepted_all(endpoint: &Endpoint, name: &str, count: usize) -> usize {
    let names = accepted_names(endpoint);
    let distinct: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let expected: Vec<String> = (0..count)
        .map(|number| format!("{name}-{number}"))
        .collect();
    let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    let missing: Vec<_> = expected.difference(&distinct).take(5).collect();
    let unexpected: Vec<_> = distinct.difference(&expected).take(5).collect();
    assert!(
        missing.is_empty() && unexpected.is_empty(),
        "missing {missing:?}, unexpected {unexpected:?}"
    );
    names.len() - distinct.len()
}

/// Asserts that each record has one idempotency key and each key has one record.
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
