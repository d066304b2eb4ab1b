//! A stand-in for AWS Lambda's Runtime API (docs.aws.amazon.com/lambda, "runtimes-api").

use std::convert::Infallible;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::program;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

use super::super::fixture::binary;

/// What the function sent to the Runtime API for an event.
#[derive(Debug)]
struct Outcome {
    /// `response`, or `error`.
    kind: String,
    body: Value,
}

/// A function and its Runtime API. The timeout is only announced: a call that exceeds it is not ended.
pub(crate) struct StandIn {
    child: Child,
    events: mpsc::UnboundedSender<Value>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
}

impl StandIn {
    pub(crate) async fn start(settings: &[(&str, &str)], timeout: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, queue) = mpsc::unbounded_channel();
        let (answers, outcomes) = mpsc::unbounded_channel();
        let api = RuntimeApi {
            timeout,
            events: Arc::new(Mutex::new(queue)),
            answers,
            calls: Arc::default(),
        };
        tokio::spawn(api.serve(listener));
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
            child,
            events,
            outcomes,
        }
    }

    /// Sends one event and returns the response to it.
    pub(crate) async fn invoke(&mut self, event: Value) -> Value {
        self.events.send(event).unwrap();
        let outcome = tokio::time::timeout(Duration::from_secs(60), self.outcomes.recv()).await;
        let outcome = outcome.expect("no outcome from the function").unwrap();
        assert_eq!(outcome.kind, "response", "{outcome:?}");
        outcome.body
    }

    /// The process of the function.
    pub(crate) fn function(&self) -> Pid {
        let id = self.child.id().expect("the function has ended");
        Pid::from_raw(id.try_into().unwrap()).unwrap()
    }

    /// Sends SIGTERM to the function and returns its exit code.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        kill_process(self.function(), Signal::TERM).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        ended.expect("the function did not end").unwrap().code()
    }
}

#[derive(Clone)]
struct RuntimeApi {
    timeout: Duration,
    events: Arc<Mutex<mpsc::UnboundedReceiver<Value>>>,
    answers: mpsc::UnboundedSender<Outcome>,
    calls: Arc<AtomicU64>,
}

impl RuntimeApi {
    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let api = self.clone();
            tokio::spawn(async move {
                let service = service_fn(|request: http::Request<Incoming>| {
                    let api = api.clone();
                    async move { Ok::<_, Infallible>(api.answer(request).await) }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    async fn answer(&self, request: http::Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        if path == "/2018-06-01/runtime/invocation/next" {
            return self.next().await;
        }
        let kind = path.rsplit('/').next().unwrap_or_default().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let _ = self.answers.send(Outcome { kind, body });
        Response::builder()
            .status(202)
            .body(Full::default())
            .unwrap()
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let Some(event) = self.events.lock().await.recv().await else {
            return Response::builder()
                .status(410)
                .body(Full::default())
                .unwrap();
        };
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        let deadline = SystemTime::now() + self.timeout;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
        Response::builder()
            .header("lambda-runtime-aws-request-id", format!("8476a536-{id}"))
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:fn-recep-avro",
            )
            .header("content-type", "application/json")
            .body(Full::new(event.to_string().into()))
            .unwrap()
    }
}
