//! An endpoint behind nginx that limits the rate of requests: 429 with `Retry-After`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::endpoint::Endpoint;

use crate::endpoints::{accepting, assert_accepted_all};
use crate::nginx::Nginx;
use crate::stage::Stage;

/// nginx before an endpoint that accepts each request.
struct Limited {
    nginx: Nginx,
    endpoint: Endpoint,
    retry_after: f64,
}

impl Limited {
    /// Accepts this number of requests at once and `rate` in a second; then requests a pause of `retry_after` seconds.
    async fn start(rate: u32, burst: u32, retry_after: u32) -> Self {
        let endpoint = accepting();
        let http = format!(
            "log_format times '$msec $status';
             access_log FOLDER/access.log times;
             limit_req_zone $server_addr zone=requests:1m rate={rate}r/s;
             limit_req_status 429;
             server {{
               listen 127.0.0.1:PORT;
               location / {{
                 limit_req zone=requests burst={burst} nodelay;
                 error_page 429 @limited;
                 proxy_pass {};
               }}
               location @limited {{
                 add_header Retry-After {retry_after} always;
                 return 429;
               }}
             }}",
            endpoint.url()
        );
        Self {
            nginx: Nginx::start(tempfile::tempdir().unwrap(), &http).await,
            endpoint,
            retry_after: f64::from(retry_after),
        }
    }

    fn routes(&self) -> Value {
        let url = format!("http://127.0.0.1:{}/", self.nginx.port);
        let limits = json!({"max_in_flight": 4, "backoff_max": "30s"});
        json!([{"name": "A", "when": "true", "url": url, "limits": limits}])
    }

    /// The time of each request in seconds, and its status.
    fn requests(&self) -> Vec<(f64, u16)> {
        let parse = |line: &String| {
            let (time, status) = line.split_once(' ').unwrap();
            (time.parse().unwrap(), status.parse().unwrap())
        };
        self.nginx.log().iter().map(parse).collect()
    }

    /// Asserts that no request followed a 429 before the end of the pause, except those in flight. Returns the number of
    /// pauses.
    #[track_caller]
    fn assert_pauses(&self) -> usize {
        let (mut pauses, mut pause_end) = (0, 0.0);
        for (time, status) in self.requests() {
            let begin = pause_end - self.retry_after;
            let is_in_flight = time < begin + 0.2;
            // The job measures the pause from the response, a little later than nginx.
            assert!(
                is_in_flight || time > pause_end - 0.01,
                "{:?}",
                self.requests()
            );
            if status == 429 && !is_in_flight {
                pauses += 1;
                pause_end = time + self.retry_after;
            }
        }
        pauses
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka and nginx: run by `make e2e`"]
async fn a_run_pauses_for_as_long_as_a_limited_endpoint_requests() {
    let limited = Limited::start(20, 10, 1).await;
    let stage = Stage::new("limited", 4).await.routes(&limited.routes());
    stage.write_users(1010, "u", 60, 4);
    let run = stage.run().expect(0);
    assert_eq!(assert_accepted_all(&limited.endpoint, "u", 60), 0);
    assert!(
        (1..=6).contains(&limited.assert_pauses()),
        "{:?}",
        limited.requests()
    );
    let statuses = &run.route("A")["statuses"];
    assert_eq!(statuses["200"], 60);
    // A pause costs the requests in flight, not one for each record.
    assert!(statuses["429"].as_i64().unwrap() <= 24, "{statuses}");
}

#[tokio::test]
#[ignore = "needs Apache Kafka and nginx: run by `make e2e`"]
async fn the_next_run_sends_no_request_before_the_end_of_the_pause() {
    let limited = Limited::start(2, 10, 6).await;
    let stage = Stage::new("limited-next", 2)
        .await
        .routes(&limited.routes());
    let stage = stage.with("DEADLINE", "3s");
    stage.write_users(1010, "u", 20, 2);
    let run = stage.run().expect(11);
    let accepted = run.total("delivered");
    assert!((11..=17).contains(&accepted), "{accepted}");
    assert!(run.elapsed < Duration::from_secs(4), "{:?}", run.elapsed);
    assert!(run.route("A")["retry_at"].is_string(), "{:#}", run.report);

    let requests = limited.requests().len();
    let run = stage.run().expect(75);
    assert_eq!(run.total("deferred"), 20 - accepted);
    assert_eq!(limited.requests().len(), requests);

    let (stage, start) = (stage.with("DEADLINE", "40s"), Instant::now());
    stage.run().expect(0);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(assert_accepted_all(&limited.endpoint, "u", 20), 0);
    assert!(limited.assert_pauses() >= 1);
}
