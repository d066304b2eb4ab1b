//! Behaviour of a real Fn server and of Oracle's gateway, one test for each observation.

use std::time::Duration;

use testkit::agent::{Agent, Call};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::avro_bytes::{Codec, container, paul, user};
use super::fixture::{Fixture, binary, expect_status, values};

/// The head of a call as the agent sends it: without a length, with a chunked body.
const HEAD: &str = "POST /call HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\naccept-encoding: gzip\r\n\
                    fn-call-id: 01DWCALL000000000000000001\r\nfn-deadline: 2999-01-01T00:00:00Z\r\n\r\n";

async fn reply(mut stream: UnixStream) -> String {
    let mut bytes = vec![0; 4096];
    let length = stream.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[tokio::test]
async fn accepts_a_body_in_chunks_of_any_size() {
    let fixture = Fixture::new();
    let function = fixture.function().await;
    for size in [1, 2, 7, 43, 44] {
        let mut stream = UnixStream::connect(function.socket()).await.unwrap();
        stream.write_all(HEAD.as_bytes()).await.unwrap();
        for piece in paul().chunks(size) {
            let length = format!("{:04X};with=an-extension\r\n", piece.len());
            stream.write_all(length.as_bytes()).await.unwrap();
            stream.write_all(piece).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        let reply = reply(stream).await;
        assert!(reply.contains("fn-http-status: 202"), "{size}: {reply}");
    }
    assert_eq!(values(&fixture.stored()), vec![paul(); 5]);
}

#[tokio::test]
async fn an_incomplete_call_publishes_nothing_and_the_next_is_served() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    // The datum is complete, but the last chunk is missing.
    let datum = paul();
    let whole = [format!("{:x}\r\n", datum.len()).as_bytes(), &datum, b"\r\n"].concat();
    for cut in [0, 1, 10, whole.len()] {
        let mut stream = UnixStream::connect(function.socket()).await.unwrap();
        stream.write_all(HEAD.as_bytes()).await.unwrap();
        stream.write_all(&whole[..cut]).await.unwrap();
        drop(stream);
    }
    let next = function
        .call(Call::direct(user(1, "n", "e")))
        .await
        .unwrap();
    assert_eq!(next.status, 202);
    assert_eq!(values(&fixture.stored()), [user(1, "n", "e")]);
}

#[tokio::test]
async fn serves_a_second_connection_while_the_first_is_open() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let _idle = UnixStream::connect(function.socket()).await.unwrap();
    let mut half = UnixStream::connect(function.socket()).await.unwrap();
    half.write_all(HEAD.as_bytes()).await.unwrap();
    expect_status(&mut function, paul(), 202).await;
}

#[tokio::test]
async fn logs_no_error_when_the_agent_closes_an_idle_connection() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    for _ in 0..2 {
        expect_status(&mut function, paul(), 202).await;
        function.close_connection();
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    let log = function.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert!(function.is_running());
}

#[tokio::test]
async fn accepts_all_headers_that_the_agent_forwards() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    // The agent rejects 1.1 MB. It would kill the container after a 431 of hyper to less than that.
    for size in [100_000, 450_000, 900_000] {
        let call = Call::direct(paul()).header("x-large", &"v".repeat(size));
        assert_eq!(function.call(call).await.unwrap().status, 202, "{size}");
    }
}

#[tokio::test]
async fn rejects_every_method_but_post_from_a_trigger() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    for method in [
        "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "B\u{20}D", "",
    ] {
        let url = "http://127.0.0.1:8080/t/demo/ingest?a=1&b=%00%2f";
        let reply = function
            .call(Call::http(method, url, paul()))
            .await
            .unwrap();
        // A gateway never forwards an invalid method.
        let expected = if method.is_empty() || method.contains(' ') {
            202
        } else {
            405
        };
        assert_eq!(reply.status, expected, "{method}");
    }
    for url in [
        "/ingest",
        "/ingest/",
        "/?",
        "//",
        "http://h/%00",
        "no url",
        "",
    ] {
        let reply = function
            .call(Call::http("POST", url, paul()))
            .await
            .unwrap();
        assert_eq!(reply.status, 202, "{url}");
    }
}

#[tokio::test]
async fn a_gateways_client_cannot_forge_the_platforms_headers() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let forged = Call::http("POST", "/ingest", paul())
        .header("Fn-Intent", "cloudevent")
        .header("Fn-Http-Method", "DELETE")
        .header("Fn-Http-H-Idempotency-Key", "\"nested\"")
        .header("Fn-Invoke-Type", "detached")
        .header("Is-Dry-Run", "true")
        .header("Oci-Subject-Id", "ocid1.user.oc1..somebody")
        .header("Opc-Request-Id", "/forged/forged");
    let reply = function.call(forged).await.unwrap();
    assert_eq!(reply.status, 202, "{reply:?}");
    let stored = fixture.stored();
    assert_eq!(stored[0].header("idempotency-key"), None);
    assert!(stored[0].header("call-id").unwrap().starts_with("01DWCALL"));
}

#[tokio::test]
async fn handles_a_call_by_oracles_sdk_as_a_direct_one() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let call = Call::direct(paul())
        .header("Content-Type", "application/octet-stream")
        .header("Fn-Invoke-Type", "sync")
        .header("Oci-Subject-Id", "ocid1.user.oc1..aaaaaaaaxmpl")
        .header("Oci-Subject-Type", "user")
        .header("Opc-Compartment-Id", "ocid1.compartment.oc1..aaaaaaaaxmpl")
        .header("Idempotency-Key", "\"mine\"");
    let reply = function.call(call).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 202));
    assert_eq!(reply.headers["fn-http-status"], "202");
    assert_eq!(
        fixture.stored()[0].header("idempotency-key").unwrap(),
        "mine"
    );
}

#[tokio::test]
async fn rejects_a_gateways_get_without_a_body() {
    // As recorded: the gateway sends application/octet-stream without a body.
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let call = Call::http("GET", "/ingest/", "")
        .header("Content-Type", "application/octet-stream")
        .header("X-Forwarded-For", "203.0.113.7");
    let reply = function.call(call).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 405));
    assert_eq!(reply.headers["allow"], "POST");
}

#[tokio::test]
async fn does_not_compress_responses() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let many: Vec<_> = (0..1000).map(|id| user(id, "n", "e")).collect();
    let reply = function
        .call(Call::direct(container(Codec::Null, &[&many])))
        .await
        .unwrap();
    assert!(!reply.headers.contains_key("content-encoding"));
    assert_eq!(reply.json().unwrap().as_array().unwrap().len(), 1000);
}

#[tokio::test]
async fn rejects_a_datum_that_was_damaged_by_echo() {
    // bash: echo -n -e "$(cat file)" | fn invoke …; the echo of dash prints the -e.
    let without_nul = user(0, "Paul", "paul@bla.com")
        .into_iter()
        .filter(|byte| *byte != 0);
    let mut without_last_line_break = user(1010, "Paul", "x@y.z\n");
    without_last_line_break.pop();
    let mut without_an_empty_email = user(1010, "Paul", "");
    without_an_empty_email.pop();
    let mut decoded = user(1010, "C:\\temp\\new", "p@b");
    let text = String::from_utf8_lossy(&decoded[3..]).into_owned();
    decoded.truncate(3);
    decoded.extend(text.replace("\\t", "\t").replace("\\n", "\n").bytes());
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    for damaged in [
        without_nul.collect(),
        without_last_line_break,
        without_an_empty_email,
        decoded,
        [b"-e ".to_vec(), paul()].concat(),
    ] {
        let reply = function.call(Call::direct(damaged.clone())).await.unwrap();
        assert_eq!(reply.status, 422, "{damaged:?}");
    }
    assert!(fixture.stored().is_empty());
}

#[tokio::test]
async fn rejects_a_file_that_fn_invoke_truncated_at_ten_mebibytes() {
    let fixture = Fixture::new();
    let limits = [("MAX_BODY", "20MB"), ("MAX_DECODED", "32MiB")];
    let mut function = fixture.function_with(&limits).await;
    let one: Vec<_> = (0..40)
        .map(|id| user(id, &"x".repeat(300_000), "e"))
        .collect();
    let blocks: Vec<&[Vec<u8>]> = one.chunks(1).collect();
    let mut file = container(Codec::Null, &blocks);
    file.truncate(10 << 20);
    let reply = function.call(Call::direct(file)).await.unwrap();
    assert_eq!(reply.status, 422, "{:?}", reply.json());
    assert!(fixture.stored().is_empty());
}

#[tokio::test]
async fn several_containers_serve_concurrently() {
    let fixture = Fixture::new();
    let mut containers = [
        fixture.function().await,
        fixture.function().await,
        fixture.function().await,
    ];
    let [one, two, three] = &mut containers;
    let of = |id| Call::direct(user(id, "n", "e"));
    let (one, two, three) = tokio::join!(one.call(of(1)), two.call(of(2)), three.call(of(3)));
    for reply in [one, two, three] {
        assert_eq!(reply.unwrap().status, 202);
    }
    assert_eq!(fixture.stored().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_containers_start_freeze_and_are_killed() {
    let fixture = Fixture::new();
    let settings = fixture.settings("ingest");
    let mut lives = JoinSet::new();
    let owned: Vec<(&'static str, String)> = settings
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    for worker in 0..4 {
        let owned = owned.clone();
        lives.spawn(async move {
            let settings: Vec<_> = owned
                .iter()
                .map(|(name, value)| (*name, &value[..]))
                .collect();
            for number in 0..25 {
                let mut function = Agent::start(binary(), &settings).await.unwrap();
                let of = |id| Call::direct(user(id, "n", "e"));
                let id = (worker * 25 + number) * 2;
                assert_eq!(function.call(of(id)).await.unwrap().status, 202);
                function.freeze().unwrap();
                function.close_connection();
                function.thaw().unwrap();
                assert_eq!(function.call(of(id + 1)).await.unwrap().status, 202);
                function.kill().await.unwrap();
            }
        });
    }
    while let Some(life) = lives.join_next().await {
        life.unwrap();
    }
    assert_eq!(fixture.stored().len(), 200);
}
