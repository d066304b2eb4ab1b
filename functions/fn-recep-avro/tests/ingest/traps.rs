//! What a real Fn server and Oracle's gateway were seen to do to a function, one test a trap. Those of the socket, of
//! freezes, kills, limits and headers are in `contract`, those of the broker in `broker`, those of bodies in `bodies`.

use std::time::Duration;

use testkit::agent::{Agent, Call};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::sample::{Codec, container, paul, user};
use super::world::{World, binary, values};

/// A call's head as the agent writes it: no length, only chunks.
const HEAD: &str = "POST /call HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\naccept-encoding: gzip\r\n\
                    fn-call-id: 01DWCALL000000000000000001\r\nfn-deadline: 2999-01-01T00:00:00Z\r\n\r\n";

async fn reply(mut stream: UnixStream) -> String {
    let mut bytes = vec![0; 4096];
    let length = stream.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[tokio::test]
async fn a_body_comes_in_chunks_of_any_size() {
    let world = World::new();
    let function = world.function().await;
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
    assert_eq!(values(&world.stored()), vec![paul(); 5]);
}

#[tokio::test]
async fn a_call_that_breaks_off_leaves_nothing_and_the_next_is_served() {
    let world = World::new();
    let mut function = world.function().await;
    // The datum is whole; that it is all of it only the last chunk would say.
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
    assert_eq!(values(&world.stored()), [user(1, "n", "e")]);
}

#[tokio::test]
async fn a_second_connection_is_served_while_the_first_is_open() {
    let world = World::new();
    let mut function = world.function().await;
    let _idle = UnixStream::connect(function.socket()).await.unwrap();
    let mut half = UnixStream::connect(function.socket()).await.unwrap();
    half.write_all(HEAD.as_bytes()).await.unwrap();
    assert_eq!(
        function.call(Call::direct(paul())).await.unwrap().status,
        202
    );
}

#[tokio::test]
async fn a_connection_that_the_agent_closed_after_an_idle_second_is_no_error() {
    let world = World::new();
    let mut function = world.function().await;
    for _ in 0..2 {
        assert_eq!(
            function.call(Call::direct(paul())).await.unwrap().status,
            202
        );
        function.hang_up();
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    let log = function.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert!(function.lives());
}

#[tokio::test]
async fn all_headers_that_the_agent_passes_on_are_taken() {
    let world = World::new();
    let mut function = world.function().await;
    // The agent itself refuses 1.1 MB; hyper's 431 to anything less would cost the container.
    for size in [100_000, 450_000, 900_000] {
        let call = Call::direct(paul()).header("x-large", &"v".repeat(size));
        assert_eq!(function.call(call).await.unwrap().status, 202, "{size}");
    }
}

#[tokio::test]
async fn a_trigger_passes_every_method_and_all_but_post_are_told_so() {
    let world = World::new();
    let mut function = world.function().await;
    for method in [
        "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "B\u{20}D", "",
    ] {
        let url = "http://127.0.0.1:8080/t/demo/door?a=1&b=%00%2f";
        let reply = function
            .call(Call::http(method, url, paul()))
            .await
            .unwrap();
        // What is no method at all, no server passes on.
        let expected = if method.is_empty() || method.contains(' ') {
            202
        } else {
            405
        };
        assert_eq!(reply.status, expected, "{method}");
    }
    for url in ["/door", "/door/", "/?", "//", "http://h/%00", "no url", ""] {
        let reply = function
            .call(Call::http("POST", url, paul()))
            .await
            .unwrap();
        assert_eq!(reply.status, 202, "{url}");
    }
}

#[tokio::test]
async fn a_gateways_caller_cannot_pass_for_the_platform() {
    let world = World::new();
    let mut function = world.function().await;
    let forged = Call::http("POST", "/door", paul())
        .header("Fn-Intent", "cloudevent")
        .header("Fn-Http-Method", "DELETE")
        .header("Fn-Http-H-Idempotency-Key", "\"nested\"")
        .header("Fn-Invoke-Type", "detached")
        .header("Is-Dry-Run", "true")
        .header("Oci-Subject-Id", "ocid1.user.oc1..somebody")
        .header("Opc-Request-Id", "/forged/forged");
    let reply = function.call(forged).await.unwrap();
    assert_eq!(reply.status, 202, "{reply:?}");
    let stored = world.stored();
    assert_eq!(stored[0].header("idempotency-key"), None);
    assert!(stored[0].header("call-id").unwrap().starts_with("01DWCALL"));
}

#[tokio::test]
async fn a_call_by_oracles_sdk_is_a_direct_one() {
    let world = World::new();
    let mut function = world.function().await;
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
    assert_eq!(world.stored()[0].header("idempotency-key").unwrap(), "mine");
}

#[tokio::test]
async fn a_gateways_get_without_a_body_is_told_to_post() {
    // As recorded: the gateway calls nothing at all application/octet-stream.
    let world = World::new();
    let mut function = world.function().await;
    let call = Call::http("GET", "/door/", "")
        .header("Content-Type", "application/octet-stream")
        .header("X-Forwarded-For", "203.0.113.7");
    let reply = function.call(call).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 405));
    assert_eq!(reply.headers["allow"], "POST");
}

#[tokio::test]
async fn no_reply_is_compressed_though_the_agent_says_it_takes_gzip() {
    let world = World::new();
    let mut function = world.function().await;
    let many: Vec<_> = (0..1000).map(|id| user(id, "n", "e")).collect();
    let reply = function
        .call(Call::direct(container(Codec::Null, &[&many])))
        .await
        .unwrap();
    assert!(!reply.headers.contains_key("content-encoding"));
    assert_eq!(reply.json().unwrap().as_array().unwrap().len(), 1000);
}

#[tokio::test]
async fn what_the_tutorials_echo_makes_of_a_datum_is_refused() {
    // bash: echo -n -e "$(cat file)" | fn invoke …; dash does not know -e and sends it.
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
    let world = World::new();
    let mut function = world.function().await;
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
    assert!(world.stored().is_empty());
}

#[tokio::test]
async fn a_file_that_fn_invoke_cut_at_ten_mebibytes_is_refused() {
    let world = World::new();
    let limits = [("MAX_BODY", "20MB"), ("MAX_DECODED", "32MiB")];
    let mut function = world.function_with(&limits).await;
    let one: Vec<_> = (0..40)
        .map(|id| user(id, &"x".repeat(300_000), "e"))
        .collect();
    let blocks: Vec<&[Vec<u8>]> = one.chunks(1).collect();
    let mut file = container(Codec::Null, &blocks);
    file.truncate(10 << 20);
    let reply = function.call(Call::direct(file)).await.unwrap();
    assert_eq!(reply.status, 422, "{:?}", reply.json());
    assert!(world.stored().is_empty());
}

#[tokio::test]
async fn several_containers_of_one_function_serve_at_once() {
    let world = World::new();
    let mut containers = [
        world.function().await,
        world.function().await,
        world.function().await,
    ];
    let [one, two, three] = &mut containers;
    let of = |id| Call::direct(user(id, "n", "e"));
    let (one, two, three) = tokio::join!(one.call(of(1)), two.call(of(2)), three.call(of(3)));
    for reply in [one, two, three] {
        assert_eq!(reply.unwrap().status, 202);
    }
    assert_eq!(world.stored().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_containers_start_serve_freeze_serve_and_are_killed() {
    let world = World::new();
    let settings = world.settings("door");
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
                function.hang_up();
                function.thaw().unwrap();
                assert_eq!(function.call(of(id + 1)).await.unwrap().status, 202);
                function.kill().await.unwrap();
            }
        });
    }
    while let Some(life) = lives.join_next().await {
        life.unwrap();
    }
    assert_eq!(world.stored().len(), 200);
}
