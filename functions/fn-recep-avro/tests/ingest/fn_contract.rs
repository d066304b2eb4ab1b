//! Fn's container contract: the socket, the calls, the form of responses, freezes and kills.

use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use testkit::agent::{Agent, Call};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::avro_bytes::{Codec, container, paul, user};
use super::fixture::{Fixture, Request, binary, expect_status, values};

// Agent::start checks the socket: it accepts connections at once, has mode 0666 and a relative link in the same folder.
#[tokio::test]
async fn the_socket_exists_before_the_broker_is_reachable() {
    // No broker listens at this address.
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("PUBLISH_TIMEOUT", "300ms"),
    ];
    let mut function = Agent::start(binary(), &settings).await.unwrap();
    assert!(
        std::fs::metadata(function.socket())
            .unwrap()
            .file_type()
            .is_socket()
    );
    let reply = function.call(Call::direct(paul())).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 503));
    assert_eq!(reply.headers["retry-after"], "1");
    assert_eq!(reply.json().unwrap()["stored"], "no");
    // An invalid body is rejected without a broker.
    let reply = function.call(Call::direct("junk")).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 422));
}

#[tokio::test]
async fn a_gateway_receives_status_and_headers_and_a_direct_client_the_text() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let get = Request::post("").method("GET");
    let reply = function.call(get.through_gateway()).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 405));
    assert_eq!(reply.headers["allow"], "POST");
    assert!(!reply.headers.contains_key("fn-http-status"));
    let reply = function.call(Call::direct("junk")).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 422));
    assert_eq!(reply.headers["fn-http-status"], "422");
    assert!(
        reply.json().unwrap()["detail"]
            .as_str()
            .unwrap()
            .contains("byte")
    );
    assert!(
        reply.headers["fn-fdk-version"]
            .to_str()
            .unwrap()
            .starts_with("frontdoor/")
    );
}

#[tokio::test]
async fn a_detached_call_that_stores_nothing_is_a_failed_function() {
    let fixture = Fixture::new();
    let mut function = fixture.function_with(&[("PUBLISH_TIMEOUT", "700ms")]).await;
    let detached = |body: Vec<u8>| Call::direct(body).header("Fn-Invoke-Type", "detached");
    let reply = function.call(detached(paul())).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 202));
    let reply = function.call(detached(b"junk".to_vec())).await.unwrap();
    assert_eq!((reply.outer, reply.status), (502, 422));
    fixture.broker.set_down().unwrap();
    let reply = function.call(detached(paul())).await.unwrap();
    assert_eq!((reply.outer, reply.status), (502, 503));
    let sync = Call::direct(paul()).header("Fn-Invoke-Type", "sync");
    let reply = function.call(sync).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 503));
}

#[tokio::test]
async fn a_direct_client_that_claims_to_be_a_gateway_gains_nothing() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    // With this Fn-Intent, prefixed headers are the client's and the others are not.
    let forged = Call::direct(paul())
        .header("Fn-Intent", "httprequest")
        .header("Fn-Http-Method", "POST")
        .header("Fn-Http-Request-Url", "http://elsewhere/")
        .header("Fn-Http-H-Fn-Call-Id", "forged")
        .header("Fn-Http-H-Fn-Deadline", "1970-01-01T00:00:00Z")
        .header("Fn-Http-H-Idempotency-Key", "inner")
        .header("Idempotency-Key", "outer");
    assert_eq!(function.call(forged).await.unwrap().status, 202);
    // Without it, prefixed headers are ignored.
    let direct =
        Call::direct(user(1020, "Mary", "m@b")).header("Fn-Http-H-Idempotency-Key", "inner");
    assert_eq!(function.call(direct).await.unwrap().status, 202);
    let stored = fixture.stored();
    for message in &stored {
        assert!(message.header("call-id").unwrap().starts_with("01DWCALL"));
        let key = message.header("idempotency-key");
        match message.key.as_deref() {
            Some(b"1010") => assert_eq!(key.as_deref(), Some("inner")),
            _ => assert_eq!(key, None),
        }
    }
    assert_eq!(stored.len(), 2);
}

/// A gateway's request that was recorded on Oracle Cloud, with the content type and length of this test's body.
const RECORDED: [(&str, &str); 27] = [
    ("user-agent", "lua-resty-http/0.14 (Lua) ngx_lua/10019"),
    ("content-type", "application/octet-stream"),
    ("date", "Fri, 30 Jul 2021 20:26:32 GMT"),
    ("fn-http-h-accept", "*/*"),
    ("fn-http-h-cdn-loop", "b1EwGdAdwbnV6_5t0Ow9dQ"),
    ("fn-http-h-content-length", "44"),
    ("fn-http-h-content-type", "application/octet-stream"),
    ("fn-http-h-forwarded", "for=203.0.113.7"),
    (
        "fn-http-h-host",
        "xmpl.apigateway.us-ashburn-1.oci.customer-oci.com",
    ),
    ("fn-http-h-idempotency-key", "\"from the client\""),
    ("fn-http-h-user-agent", "curl/7.64.1"),
    ("fn-http-h-x-forwarded-for", "203.0.113.7"),
    ("fn-http-h-x-real-ip", "203.0.113.7"),
    ("fn-http-method", "POST"),
    ("fn-http-request-url", "/ingest/"),
    ("fn-intent", "httprequest"),
    ("fn-invoke-type", "sync"),
    ("idempotency-key", "\"from somewhere else\""),
    ("oci-subject-id", "ocid1.apigateway.oc1.iad.amaaaaaaxmpl"),
    ("oci-subject-type", "resource"),
    (
        "oci-subject-compartment-id",
        "ocid1.compartment.oc1..aaaaaaaaxmpl",
    ),
    ("oci-subject-tenancy-id", "ocid1.tenancy.oc1..aaaaaaaaxmpl"),
    (
        "opc-request-id",
        "/D9A5C6BD9F0C4B0C/01FBWHHP481BT0J1GZJ000PM8T",
    ),
    ("traceparent", "not one"),
    ("x-b3-traceid", "8fb0dcb6d4b6c5aa"),
    ("x-b3-spanid", "e457b5a2e4d86bd1"),
    (
        "x-content-sha256",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ),
];

#[tokio::test]
async fn accepts_a_recorded_request_of_a_gateway() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let mut call = Call::direct(paul());
    for (name, value) in RECORDED {
        call = call.header(name, value);
    }
    let reply = function.call(call).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 202), "{reply:?}");
    assert_eq!(reply.headers["content-type"], "application/json");
    let stored = fixture.stored();
    assert_eq!(stored[0].value.as_deref(), Some(&paul()[..]));
    assert_eq!(
        stored[0].header("idempotency-key").unwrap(),
        "from the client"
    );
    assert_eq!(
        stored[0].header("traceparent").unwrap(),
        "00-00000000000000008fb0dcb6d4b6c5aa-e457b5a2e4d86bd1-00"
    );
}

#[tokio::test]
async fn handles_the_largest_bodies_in_a_container_of_128_megabytes() {
    if !Agent::can_confine() {
        eprintln!("SKIPPED: only root can confine a process");
        return;
    }
    let fixture = Fixture::new();
    let settings = fixture.settings("ingest");
    let mut function = Agent::start_confined(binary(), &settings).await.unwrap();
    let proc_file = |file: &str| {
        let id = function.id().unwrap();
        std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap()
    };
    let mounts = proc_file("mounts");
    let root = mounts.lines().rfind(|line| line.contains(" / "));
    assert!(root.unwrap().contains(" ro,"), "{mounts}");
    let status = proc_file("status");
    assert!(status.contains("\nUid:\t61234\t61234"), "{status}");
    assert!(status.contains("\nCapEff:\t0000000000000000"), "{status}");
    let limits = proc_file("limits");
    for (limit, value) in [
        ("Max open files", "350"),
        ("Max locked memory", "65536"),
        ("Max pending signals", "5000"),
        ("Max msgqueue size", "819200"),
    ] {
        let line = limits.lines().find(|line| line.starts_with(limit));
        let line = line.unwrap().strip_prefix(limit).unwrap();
        assert!(line.trim().starts_with(value), "{limit}{line}");
    }
    // Just under every limit: 10,000 records, 16 MiB decoded.
    let many: Vec<_> = (0..10_000)
        .map(|id| user(id, &"x".repeat(1600), "e"))
        .collect();
    let file = container(Codec::Deflate, &[&many[..5_000], &many[5_000..]]);
    for _ in 0..3 {
        let reply = function.call(Call::direct(file.clone())).await.unwrap();
        assert_eq!(reply.status, 202, "{:?}", reply.json());
    }
    let largest = vec![0; 6_000_000];
    expect_status(&mut function, largest, 422).await;
    let (peak, threads) = (function.peak_memory().unwrap(), function.threads().unwrap());
    println!("peak {peak} bytes, {threads} threads");
    assert!(peak < 128 << 20, "peak {peak} bytes");
    assert!(threads < 30, "{threads} threads");
}

#[tokio::test]
async fn handles_calls_after_the_agent_closed_the_connection() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    for id in 0..5 {
        expect_status(&mut function, user(id, "n", "e"), 202).await;
        function.close_connection();
    }
    assert_eq!(fixture.stored().len(), 5);
    assert!(function.is_running());
}

#[tokio::test]
async fn answers_or_closes_every_connection_of_many_that_stay_open() {
    const CALL: &[u8] = b"POST /call HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\njunk";
    let fixture = Fixture::new();
    let function = fixture.function().await;
    for count in [32, 200] {
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut client = UnixStream::connect(function.socket()).await.unwrap();
            let _ = client.write_all(CALL).await;
            clients.push(client);
        }
        let mut served = 0;
        for client in &mut clients {
            let mut head = [0; 12];
            let read = tokio::time::timeout(Duration::from_secs(10), client.read_exact(&mut head));
            if read.await.expect("neither answered nor closed").is_ok() {
                assert_eq!(&head, b"HTTP/1.1 200");
                served += 1;
            }
        }
        assert!(served >= 32, "{served} of {count} are answered");
    }
}

#[tokio::test]
async fn reads_a_rejected_body_to_its_end() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let large = vec![0x55; 30_000_000];
    for request in [
        Request::post(large.clone()),
        Request::post(large.clone()).header("Content-Type", "text/html"),
        Request::post(large).header("Content-Length", "30000000"),
    ] {
        let reply = function.call(request.through_gateway()).await.unwrap();
        assert!([413, 415].contains(&reply.status), "{}", reply.status);
    }
    assert!(
        function.resident_memory().unwrap() < 60_000_000,
        "it kept rejected bodies in memory"
    );
    expect_status(&mut function, paul(), 202).await;
}

#[tokio::test]
async fn accepts_hundreds_of_headers() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let mut call = Call::http("POST", "/", paul());
    for number in 0..500 {
        call = call.header(&format!("x-{number}"), "v");
    }
    assert_eq!(function.call(call).await.unwrap().status, 202);
}

#[tokio::test]
async fn prints_the_log_frame_of_each_call_on_both_streams() {
    let fixture = Fixture::new();
    let frame = [
        ("FN_LOGFRAME_NAME", "call"),
        ("FN_LOGFRAME_HDR", "Fn-Call-Id"),
    ];
    let mut function = fixture.function_with(&frame).await;
    function.call(Call::direct(paul())).await.unwrap();
    let log = function.log();
    assert_eq!(
        log.matches("\ncall=01DWCALL000000000000000001\n").count(),
        2,
        "{log}"
    );
}

#[tokio::test]
async fn handles_calls_after_a_freeze() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    for id in 0..4 {
        expect_status(&mut function, user(id, "n", "e"), 202).await;
        function.freeze().unwrap();
        function.close_connection();
        tokio::time::sleep(Duration::from_millis(300)).await;
        function.thaw().unwrap();
    }
    assert_eq!(fixture.stored().len(), 4);
}

#[tokio::test]
async fn a_kill_during_a_call_leaves_no_partial_message() {
    let fixture = Fixture::new();
    // The broker is slow, so that some kills happen before the message is stored and some after.
    let mut sent = Vec::new();
    for delay in [0, 5, 20, 60] {
        let mut function = fixture.function().await;
        fixture
            .broker
            .set_round_trip_time(Duration::from_millis(20))
            .unwrap();
        let datum = user(delay, &"x".repeat(50_000), "e");
        sent.push(datum.clone());
        let call = function.call(Call::direct(datum));
        let _ = tokio::time::timeout(Duration::from_millis(delay as u64), call).await;
        function.kill().await.unwrap();
        fixture.broker.set_round_trip_time(Duration::ZERO).unwrap();
    }
    for value in values(&fixture.stored()) {
        assert!(
            sent.contains(&value),
            "partial message of {} bytes",
            value.len()
        );
    }
}

#[tokio::test]
async fn sigterm_ends_the_process_and_removes_the_socket() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    function.call(Call::direct(paul())).await.unwrap();
    let status = function.terminate().await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(std::fs::symlink_metadata(function.socket()).is_err());
}
