//! A stub of AWS Lambda's Runtime API. Its events have the formats of API Gateway (REST and HTTP APIs), function URLs and
//! load balancers (docs.aws.amazon.com/lambda, "runtimes-api" and the integrations' event formats).

use std::convert::Infallible;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use testkit::program;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

use super::fixture::{Reply, Request, binary};

/// The sender of an event, which determines its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    RestApi,
    HttpApi,
    FunctionUrl,
    LoadBalancer,
}

pub(crate) const SHAPES: [Shape; 4] = [
    Shape::RestApi,
    Shape::HttpApi,
    Shape::FunctionUrl,
    Shape::LoadBalancer,
];

/// What the function sent to the Runtime API for an event.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `response`, or `error`.
    pub(crate) kind: String,
    pub(crate) body: Value,
}

/// A function in the stub of Lambda.
pub(crate) struct Lambda {
    _child: Child,
    events: mpsc::UnboundedSender<(Value, Duration)>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
}

impl Lambda {
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, queue) = mpsc::unbounded_channel();
        let (answers, outcomes) = mpsc::unbounded_channel();
        tokio::spawn(runtime_api(listener, Arc::new(Mutex::new(queue)), answers));
        let mut command = Command::new(binary());
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "fn-recep-avro")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let child = program::spawn(|| command.spawn()).unwrap();
        Self {
            _child: child,
            events,
            outcomes,
        }
    }

    /// Sends one event with this timeout and returns the outcome.
    pub(crate) async fn invoke(&mut self, event: Value, timeout: Duration) -> Outcome {
        self.events.send((event, timeout)).unwrap();
        let outcome = tokio::time::timeout(Duration::from_secs(60), self.outcomes.recv()).await;
        outcome.expect("no outcome from the function").unwrap()
    }

    pub(crate) async fn call(&mut self, shape: Shape, request: &Request) -> Reply {
        let outcome = self
            .invoke(event(shape, request), Duration::from_secs(30))
            .await;
        assert_eq!(outcome.kind, "response", "{outcome:?}");
        reply(&outcome.body)
    }
}

type Events = Arc<Mutex<mpsc::UnboundedReceiver<(Value, Duration)>>>;

async fn runtime_api(
    listener: TcpListener,
    events: Events,
    answers: mpsc::UnboundedSender<Outcome>,
) {
    let mut number = 0_u64;
    while let Ok((stream, _)) = listener.accept().await {
        let (events, answers) = (Arc::clone(&events), answers.clone());
        number += 1000;
        let first = number;
        tokio::spawn(async move {
            let count = std::sync::atomic::AtomicU64::new(first);
            let service = service_fn(|request: http::Request<Incoming>| {
                let (events, answers) = (Arc::clone(&events), answers.clone());
                let id = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                async move { Ok::<_, Infallible>(endpoint(request, id, &events, &answers).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn endpoint(
    request: http::Request<Incoming>,
    id: u64,
    events: &Events,
    answers: &mpsc::UnboundedSender<Outcome>,
) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if path == "/2018-06-01/runtime/invocation/next" {
        let Some((event, timeout)) = events.lock().await.recv().await else {
            return Response::builder()
                .status(410)
                .body(Full::default())
                .unwrap();
        };
        let deadline = SystemTime::now() + timeout;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
        return Response::builder()
            .header("lambda-runtime-aws-request-id", format!("8476a536-{id}"))
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:fn-recep-avro",
            )
            .header("content-type", "application/json")
            .body(Full::new(event.to_string().into()))
            .unwrap();
    }
    let kind = path.rsplit('/').next().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let _ = answers.send(Outcome { kind, body });
    Response::builder()
        .status(202)
        .body(Full::default())
        .unwrap()
}

/// The request as an event of this format, with the body as base64.
pub(crate) fn event(shape: Shape, request: &Request) -> Value {
    let mut event: Value = serde_json::from_str(match shape {
        Shape::RestApi => include_str!("events/rest-api.json"),
        Shape::HttpApi => include_str!("events/http-api.json"),
        Shape::FunctionUrl => include_str!("events/function-url.json"),
        Shape::LoadBalancer => include_str!("events/load-balancer.json"),
    })
    .unwrap();
    event["body"] = json!(STANDARD.encode(&request.body));
    event["isBase64Encoded"] = json!(true);
    match shape {
        Shape::RestApi | Shape::LoadBalancer => event["httpMethod"] = json!(request.method),
        Shape::HttpApi | Shape::FunctionUrl => {
            event["requestContext"]["http"]["method"] = json!(request.method);
        }
    }
    for (name, value) in &request.headers {
        event["headers"][name] = json!(value);
        if shape == Shape::RestApi {
            event["multiValueHeaders"][name] = json!([value]);
        }
    }
    event
}

/// The response that the client receives.
pub(crate) fn reply(outcome: &Value) -> Reply {
    let mut headers = HeaderMap::new();
    let mut put = |name: &str, value: &Value| {
        headers.insert(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
        );
    };
    for (name, value) in outcome["headers"].as_object().into_iter().flatten() {
        put(name, value);
    }
    for (name, values) in outcome["multiValueHeaders"]
        .as_object()
        .into_iter()
        .flatten()
    {
        put(name, &values[0]);
    }
    assert_eq!(
        outcome["isBase64Encoded"], false,
        "JSON needs no base64: {outcome}"
    );
    let body = outcome["body"].as_str().unwrap_or_default().to_owned();
    Reply {
        status: u16::try_from(outcome["statusCode"].as_u64().unwrap()).unwrap(),
        headers,
        body: body.into(),
    }
}
