//! Tokens that an endpoint repeats in its response.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::json;
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::records;

use crate::{TOPIC, forward, printed, write_datum};

/// The encodings in which a text may contain the token.
fn encodings_of(token: &str) -> Vec<String> {
    let hex = |byte: u8| format!("%{byte:02X}");
    let mut all = vec![token.to_owned(), token.bytes().map(hex).collect()];
    all.push(all[1].to_lowercase());
    // The base64 characters that encode only the token, at each alignment.
    for before in 0..3 {
        for engine in [&STANDARD, &URL_SAFE] {
            let encoded = engine.encode(format!("{}{token}", &"xx"[..before]));
            let (start, end) = ((before * 8).div_ceil(6), (before + token.len()) * 8 / 6);
            all.push(encoded[start..end].to_owned());
        }
    }
    all
}

/// A response that contains parts of the request.
type Echo = fn(&Request) -> Answer;

fn authorization(request: &Request) -> &str {
    request.header("authorization").unwrap_or_default()
}

fn rejection(body: impl Into<Vec<u8>>) -> Answer {
    Answer::status(422).body(body)
}

/// A rejection with this text. The excerpt limit cuts the text `missing` bytes before its end.
fn cut(text: &str, missing: usize) -> Answer {
    rejection(".".repeat(1024 + missing - text.len()) + text)
}

const ECHOES: [(&str, Echo); 11] = [
    ("plain", |request| {
        rejection(format!("no such token: {}", authorization(request)))
    }),
    ("JSON", |request| {
        let header = authorization(request).replace('/', "\\/");
        rejection(format!("{{\"authorization\":\"{header}\"}}"))
    }),
    ("base64", |request| {
        rejection(STANDARD.encode(authorization(request)))
    }),
    ("Basic", |request| {
        let token = authorization(request).trim_start_matches("Bearer ");
        rejection(STANDARD.encode(format!("user:{token}")))
    }),
    ("URL-encoded", |request| {
        let bytes = authorization(request).bytes();
        rejection(bytes.map(|byte| format!("%{byte:02x}")).collect::<String>())
    }),
    ("the query", |request| {
        rejection(format!("no such page: {}", request.target))
    }),
    ("two writes", |request| {
        rejection(authorization(request)).in_two_writes()
    }),
    ("cut by a stall", |request| {
        rejection(authorization(request).repeat(2)).stalling_in_body()
    }),
    ("cut in plain text", |request| {
        cut(authorization(request), 5)
    }),
    ("cut in base64", |request| {
        cut(&STANDARD.encode(authorization(request)), 7)
    }),
    ("server error", |request| {
        Answer::status(500).body(authorization(request))
    }),
];

#[tokio::test]
async fn a_token_echoed_by_an_endpoint_is_redacted() {
    const TOKEN: &str = "canary/of+the~token";
    const KEY: &str = "canary-in-the-query";
    for (name, script) in ECHOES {
        let a = Endpoint::start(script).unwrap();
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 1).unwrap();
        broker
            .create_topic("FrontDoorTopic-dead-letter", 1)
            .unwrap();
        write_datum(&broker);
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.json");
        let mut command = forward(&["run", "--report"]);
        command
            .arg(&report)
            .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
            .env("API_TYPE_A_URL", format!("{}?key={KEY}", a.url()))
            .env("API_TYPE_A_TOKEN", TOKEN)
            .env("API_TYPE_B_URL", "http://127.0.0.1:1/")
            .env("LOG_LEVEL", "trace")
            .env("MAX_ATTEMPTS", "2");
        let mut all = printed(&command.output().await.unwrap());
        all += &std::fs::read_to_string(&report).unwrap();
        let status = if name == "server error" { "500" } else { "422" };
        assert!(a.count() > 0 && all.contains(status), "{name}: {all}");
        if status == "422" {
            let dead_letters =
                records::all(broker.bootstrap(), "FrontDoorTopic-dead-letter").unwrap();
            let reason = dead_letters[0]
                .header("__connect.errors.exception.message")
                .unwrap();
            assert!(reason.contains("[redacted]"), "{name}: {reason}");
            for (_, value) in &dead_letters[0].headers {
                all += &String::from_utf8_lossy(value.as_deref().unwrap_or_default());
                all.push('\n');
            }
        }
        for secret in [TOKEN, KEY].into_iter().flat_map(encodings_of) {
            // The start of the secret must be absent too, where the text of the endpoint was cut.
            let part = &secret[..secret.len().min(8)];
            assert!(!all.contains(part), "{name} wrote {part}:\n{all}");
        }
    }
}

#[tokio::test]
async fn credentials_of_each_kind_echoed_by_an_endpoint_are_redacted() {
    const SECRET: &str = "canary-of-the-secret";
    const TOKEN: &str = "canary-of-the-server";
    let webhook = testkit::webhook::secret(b"canary-of-a-webhook-secret-");
    let server = Endpoint::always(Answer::ok().body(format!(
        "{{\"access_token\":\"{TOKEN}\",\"expires_in\":3600}}"
    )))
    .unwrap();
    for members in [
        json!({"auth": {"basic": {"username": "job", "password": SECRET}}}),
        json!({"auth": {"header": {"name": "x-api-key", "value": SECRET}}}),
        json!({"auth": {"oauth2": {"token_url": server.url(), "client_id": "job", "client_secret": SECRET}}}),
        json!({"sign": {"standard_webhooks": [&webhook]}}),
    ] {
        let hook = webhook.clone();
        // The endpoint has the secrets, and repeats them with the whole request.
        let a = Endpoint::start(move |request| {
            rejection(format!("{:?} {SECRET} {hook}", request.headers))
        })
        .unwrap();
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 1).unwrap();
        let dead_letter_topic = "FrontDoorTopic-dead-letter";
        broker.create_topic(dead_letter_topic, 1).unwrap();
        write_datum(&broker);
        let mut route = json!({"name": "A", "when": "true", "url": a.url()});
        let members = members.as_object().unwrap().clone();
        route.as_object_mut().unwrap().extend(members.clone());
        let folder = tempfile::tempdir().unwrap();
        let routes = folder.path().join("routes.json");
        let file = json!({"version": 1, "routes": [route]}).to_string();
        std::fs::write(&routes, file).unwrap();
        let mut all = String::new();
        for subcommand in ["run", "check"] {
            let mut command = forward(&[subcommand]);
            command
                .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
                .env("ROUTES", &routes)
                .env("LOG_LEVEL", "trace");
            all += &printed(&command.output().await.unwrap());
        }
        for letter in records::all(broker.bootstrap(), dead_letter_topic).unwrap() {
            for (_, value) in &letter.headers {
                all += &String::from_utf8_lossy(value.as_deref().unwrap_or_default());
            }
        }
        assert!(all.contains("422") && all.contains("[redacted]"), "{all}");
        // Each secret is in another kind of route; one that the process does not have cannot be masked.
        let own = match &members {
            members if members.contains_key("sign") => vec![webhook.trim_start_matches("whsec_")],
            members if members["auth"].get("oauth2").is_some() => vec![SECRET, TOKEN],
            _ => vec![SECRET],
        };
        for secret in own.into_iter().flat_map(encodings_of) {
            assert!(!all.contains(&secret), "wrote {secret}:\n{all}");
        }
    }
}
