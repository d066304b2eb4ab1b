//! The observation of requests.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use delivery::{ObservedRequest, RequestEnd, RequestObservation, RequestObserver};
use http::HeaderValue;
use testkit::endpoint::{Answer, Endpoint};

use crate::harness::{Harness, message};

type Ends = Arc<Mutex<Vec<Option<RequestEnd>>>>;

/// Numbers the requests of messages with an even offset.
#[derive(Debug, Default)]
struct Numbered {
    ends: Ends,
}

struct Observation {
    number: u32,
    end: Option<RequestEnd>,
    ends: Ends,
}

impl RequestObserver for Numbered {
    fn on_request(&self, request: &ObservedRequest<'_>) -> Option<Box<dyn RequestObservation>> {
        assert_eq!((request.route, request.method.as_str()), ("A", "POST"));
        let is_observed = request.messages[0].at.offset % 2 == 0;
        is_observed.then(|| {
            Box::new(Observation {
                number: request.resends,
                end: None,
                ends: Arc::clone(&self.ends),
            }) as Box<dyn RequestObservation>
        })
    }
}

impl RequestObservation for Observation {
    fn traceparent(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from(self.number))
    }

    fn on_end(mut self: Box<Self>, end: RequestEnd) {
        self.end = Some(end);
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.ends.lock().expect("no panic").push(self.end);
    }
}

fn observed(endpoint: &Endpoint, attempts: u32) -> (Harness, Ends) {
    let observer = Numbered::default();
    let ends = Arc::clone(&observer.ends);
    let harness = Harness::to(endpoint, |config| {
        config.observer = Some(Arc::new(observer));
        config.endpoints[0].limits.max_attempts = attempts;
        config.endpoints[0].limits.request_timeout = Duration::from_millis(300);
    });
    (harness, ends)
}

#[test]
fn each_attempt_is_observed_and_has_its_own_trace_context() {
    const OWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answers = vec![
        Answer::status(503),
        Answer::hang(),
        Answer::reset(),
        Answer::ok(),
    ];
    let endpoint = Endpoint::sequence(answers).expect("endpoint");
    let (harness, ends) = observed(&endpoint, 5);
    let mut even = message(0, 0);
    even.headers = vec![("traceparent".to_owned(), Some(OWN.into()))];
    harness.offer([even.clone()]);
    harness.assert_outcomes(1, "delivered");
    even.at.offset = 1;
    harness.offer([even]);
    harness.assert_outcomes(1, "delivered");
    let requests = endpoint.requests();
    let sent: Vec<_> = requests
        .iter()
        .map(|request| request.header("traceparent").unwrap_or_default())
        .collect();
    assert_eq!(sent, ["0", "1", "2", "3", OWN]);
    let expected = [
        RequestEnd::Response(503),
        RequestEnd::Timeout,
        RequestEnd::ConnectionError,
        RequestEnd::Response(200),
    ];
    assert_eq!(*ends.lock().expect("no panic"), expected.map(Some));
}

#[test]
fn the_observation_of_a_cancelled_request_is_dropped() {
    let endpoint = Endpoint::always(Answer::hang()).expect("endpoint");
    let (harness, ends) = observed(&endpoint, 1);
    harness.offer([message(0, 0)]);
    assert!(endpoint.wait_for(1, Duration::from_secs(10)));
    harness.delivery.set_deadline(Instant::now());
    harness.assert_outcomes(1, "deferred");
    assert_eq!(*ends.lock().expect("no panic"), [None]);
}
