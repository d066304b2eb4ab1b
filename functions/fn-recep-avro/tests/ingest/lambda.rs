//! AWS Lambda as the function's host. The events have the formats of API Gateway (REST and HTTP APIs), function URLs and load
//! balancers (docs.aws.amazon.com/lambda, the integrations' event formats).

mod emulator;
mod stand_in;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::fixture::{Reply, Request};

pub(crate) use emulator::Emulator;
pub(crate) use stand_in::StandIn;

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

/// The timeout of a call, unless a test sets another.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A function in the host of this run of the tests: AWS's Runtime Interface Emulator if FRONTDOOR_LAMBDA_EMULATOR names it,
/// otherwise the stand-in.
pub(crate) enum Lambda {
    StandIn(StandIn),
    Emulator(Emulator),
}

impl Lambda {
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_with_timeout(settings, TIMEOUT).await
    }

    /// Starts it with a timeout of whole seconds.
    pub(crate) async fn start_with_timeout(settings: &[(&str, &str)], timeout: Duration) -> Self {
        match Emulator::program() {
            None => Self::StandIn(StandIn::start(settings, timeout).await),
            Some(_) => Self::Emulator(Emulator::start(settings, timeout).await),
        }
    }

    /// Sends one event and returns the function's response to it.
    pub(crate) async fn invoke(&mut self, event: Value) -> Value {
        match self {
            Self::StandIn(stand_in) => stand_in.invoke(event).await,
            Self::Emulator(emulator) => emulator.invoke(&event).await,
        }
    }

    pub(crate) async fn call(&mut self, shape: Shape, request: &Request) -> Reply {
        reply(&self.invoke(event(shape, request)).await)
    }

    /// Suspends the function, as Lambda does after a response. The emulator does not.
    pub(crate) fn freeze(&self) {
        kill_process(self.function(), Signal::STOP).unwrap();
    }

    pub(crate) fn thaw(&self) {
        kill_process(self.function(), Signal::CONT).unwrap();
    }

    fn function(&self) -> Pid {
        match self {
            Self::StandIn(stand_in) => stand_in.function(),
            Self::Emulator(emulator) => emulator.function().expect("the function has ended"),
        }
    }
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
pub(crate) fn reply(response: &Value) -> Reply {
    let mut headers = HeaderMap::new();
    let mut put = |name: &str, value: &Value| {
        headers.insert(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
        );
    };
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        put(name, value);
    }
    for (name, values) in response["multiValueHeaders"]
        .as_object()
        .into_iter()
        .flatten()
    {
        put(name, &values[0]);
    }
    assert_eq!(
        response["isBase64Encoded"], false,
        "JSON needs no base64: {response}"
    );
    let body = response["body"].as_str().unwrap_or_default().to_owned();
    Reply {
        status: u16::try_from(response["statusCode"].as_u64().unwrap()).unwrap(),
        headers,
        body: body.into(),
    }
}
