//! The status page of `forward run --every`.

mod browser;
mod job;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use job::Job;

#[test]
fn a_window_in_progress_and_its_report_have_the_same_numbers() {
    let slow = Answer::ok().after(Duration::from_millis(100));
    let stage = Stage::new(
        Endpoint::always(slow).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    stage.write(&vec![user(1010, "Paul"); 100]);
    let job = Job::start(&stage, "1h", &[("MAX_IN_FLIGHT", "4")]);
    assert_eq!(job.get("/health").status, 200);
    let ready = job.get("/ready");
    assert!(
        ready.status == 503 && ready.body.contains("not-ready"),
        "{}",
        ready.body
    );
    assert_eq!(job.get("/report").status, 404);
    let page = job.page_with(|page| page.contains("<progress"));
    assert!(page.contains("of 100 offsets in"), "{page}");
    job.page_with(|page| page.contains("has completed") && !page.contains("has completed 0 of"));
    // Route A: its requests in flight and its buffered records.
    let page =
        job.page_with(|page| page.contains("<td class=\"number\">4</td><td class=\"number\">"));
    assert!(
        page.contains("<span class=\"state good\">closed</span>"),
        "{page}"
    );

    let printed = job.next_report();
    assert_eq!(job.get("/report").body, printed);
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["totals"]["delivered"], 100);
    let run = report["run"].as_str().unwrap();
    let by_run = job.get(&format!("/report?run={run}"));
    assert_eq!((by_run.status, by_run.body), (200, printed));
    assert_eq!(job.get("/ready").status, 200);
    let page = job.page_with(|page| page.contains("Waiting."));
    for part in [
        "<dt>planned</dt><dd>100</dd>",
        "<dt>delivered</dt><dd>100</dd>",
        "<dt>lag</dt><dd>0</dd>",
        "The next window is due in 59 min",
        &format!("href=\"/report?run={run}&amp;output=html\""),
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for partition in report["partitions"].as_array().unwrap() {
        let row = format!(
            "<th scope=\"row\" class=\"number\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td>",
            partition["partition"], partition["lag_after"], partition["committed"]
        );
        assert!(page.contains(&row), "{row}: {page}");
    }
    let html = job.get(&format!("/report?run={run}&output=html"));
    assert!(html.status == 200 && html.body.contains("<dt>delivered</dt><dd>100</dd>"));
}

#[test]
fn deferred_records_and_text_of_an_endpoint_are_shown_without_markup() {
    let hostile = "<script>alert(1)</script>";
    let a = Endpoint::start(move |_| Answer::status(422).body(hostile)).unwrap();
    let stage = Stage::new(
        a,
        Endpoint::always(Answer::status(503).header("retry-after", "600")).unwrap(),
    );
    stage.write(&[user(1010, "Paul"), user(1020, "Mary"), user(1020, "Mary")]);
    let job = Job::start(&stage, "300ms", &[("BACKOFF_MAX", "100ms")]);
    let first = job.next_report();
    assert!(first.contains("<script>"), "{first}");
    job.next_report();
    let page =
        job.page_with(|page| page.contains("Waiting.") && page.contains("Lag after each window"));
    for part in [
        "2 deferred to the next window",
        "<span class=\"state bad\">open</span></td><td><time",
        "<th scope=\"row\">refused</th><td class=\"number\">0</td><td class=\"number\">1</td>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let first: Value = serde_json::from_str(&first).unwrap();
    let target = format!("/report?run={}&output=html", first["run"].as_str().unwrap());
    let report = job.get(&target).body;
    assert!(report.contains("&lt;script&gt;alert(1)"), "{report}");
    assert!(!report.contains("<script") && !page.contains("<script"));
}

#[test]
fn a_request_needs_the_token_and_an_existing_path_and_method() {
    let stage = Stage::accepting();
    let job = Job::start(&stage, "200ms", &[("STATUS_TOKEN", "canary-token")]);
    job.next_report();
    let authorized = "Authorization: Bearer canary-token\r\n";
    for target in ["/", "/report", "/metrics", "/other"] {
        let refused = job.get(target);
        assert_eq!(refused.status, 401, "{target}");
        assert!(
            refused.head.contains("www-authenticate: bearer"),
            "{}",
            refused.head
        );
    }
    assert_eq!(job.request("GET /", authorized).status, 200);
    let metrics = job.request("GET /metrics", authorized);
    assert_eq!(metrics.status, 200);
    assert!(
        metrics.body.contains("\nfrontdoor_job_last_run_exit_code{"),
        "{}",
        metrics.body
    );
    assert!(
        metrics.body.contains("service_name=\"forward\""),
        "{}",
        metrics.body
    );
    assert_eq!(job.request("GET /other", authorized).status, 404);
    assert_eq!(job.request("POST /", authorized).status, 405);
    assert_eq!(job.request("DELETE /ready", "").status, 405);
    assert_eq!(job.get("/health").status, 200);
    assert_eq!(job.get("/ready").status, 200);
    let head = job.request("HEAD /", authorized);
    assert!(head.status == 200 && head.body.is_empty());
    assert!(
        head.head
            .contains("content-security-policy: default-src 'none'"),
        "{}",
        head.head
    );
    assert_eq!(
        job.request("GET /", "Authorization: Bearer \r\n").status,
        401
    );
    let page = job.request("GET /", authorized).body + &job.request("GET /report", authorized).body;
    assert!(!page.contains("canary-token"));
}

#[test]
fn clients_that_do_not_finish_their_requests_delay_neither_windows_nor_others_nor_the_end() {
    let stage = Stage::accepting();
    let job = Job::start(&stage, "100ms", &[]);
    job.next_report();
    // More than the server has connections for.
    let slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut client = TcpStream::connect(&job.address).unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            client
        })
        .collect();
    let start = Instant::now();
    for _ in 0..5 {
        job.next_report();
    }
    let duration = start.elapsed();
    assert!(duration < Duration::from_secs(3), "{duration:?}");
    assert_eq!(job.get("/").status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    let too_long = format!("X: {}\r\n", "x".repeat(100_000));
    assert_eq!(job.request("GET /", &too_long).status, 431);
    let (status, duration) = job.terminate();
    assert!(matches!(status.code(), Some(0 | 12)), "{status}");
    assert!(duration < Duration::from_secs(2), "{duration:?}");
    drop(slow);
}

#[test]
fn the_page_shows_the_circuit_of_an_endpoint_that_is_down() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let a = Endpoint::start(move |_| match down.load(Ordering::Relaxed) {
        true => Answer::status(500),
        false => Answer::ok(),
    });
    let stage = Stage::new(a.unwrap(), Endpoint::always(Answer::ok()).unwrap());
    stage.write(&vec![user(1010, "Paul"); 50]);
    let settings = [
        ("CIRCUIT_COOL_DOWN", "2s"),
        ("CIRCUIT_FAILURE_THRESHOLD", "3"),
        ("MAX_ATTEMPTS", "100"),
    ];
    let job = Job::start(&stage, "1h", &settings);
    let page =
        job.page_with(|page| page.contains("<span class=\"state bad\">open</span></td><td><time"));
    assert!(page.contains("<progress"), "{page}");
    is_down.store(false, Ordering::Relaxed);
    let report: Value = serde_json::from_str(&job.next_report()).unwrap();
    assert_eq!(report["totals"]["delivered"], 50);
    job.page_with(|page| !page.contains("state bad"));
}

#[test]
fn a_wrong_setting_ends_the_job_with_78_and_its_name() {
    let stage = Stage::accepting();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = busy.local_addr().unwrap().to_string();
    let every: &[&str] = &["--every", "1s"];
    for (listen, arguments, message) in [
        (
            "127.0.0.1:0",
            &[][..],
            "STATUS_LISTEN is set, but --every is not",
        ),
        (
            "example",
            every,
            "STATUS_LISTEN is \"example\", expected an IP address and a port",
        ),
        (
            busy.as_str(),
            every,
            "which cannot be bound: Address already in use",
        ),
    ] {
        let mut command = stage.forward(arguments);
        let output = command.env("STATUS_LISTEN", listen).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{log}");
        assert!(log.contains(message), "{log}");
    }
}

#[test]
fn a_page_that_other_machines_can_read_without_a_token_is_warned_of() {
    let stage = Stage::accepting();
    let is_warned = |settings: &[(&str, &str)]| {
        let job = Job::start(&stage, "1h", settings);
        job.startup_log
            .contains("can read the status page: set STATUS_TOKEN")
    };
    let open = ("STATUS_LISTEN", "0.0.0.0:0");
    assert!(is_warned(&[open]));
    assert!(!is_warned(&[open, ("STATUS_TOKEN", "s3cret")]));
    assert!(!is_warned(&[]));
}
