//! AWS Lambda behind API Gateway (REST and HTTP APIs), a function URL, or an application load balancer.
//!
//! Lambda freezes the sandbox after the response. By then every message is acknowledged.

mod event;
mod text;

use std::convert::Infallible;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use lambda_http::lambda_runtime::{LambdaEvent, Runtime};
use lambda_http::{Adapter, Service, service_fn};

use super::current_function::CurrentFunction;
use super::deadline;
use super::probe::Probe;
use crate::ingest::{Call, Rejection};
use event::Event;
use http_server::program::Failure;
use http_server::signal;

/// The other variables that the library requires. Lambda sets all of them.
const REQUIRED: [&str; 3] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Whether the environment is Lambda's.
///
/// # Errors
/// `AWS_LAMBDA_RUNTIME_API` is set, but another variable of Lambda is missing or malformed.
pub(super) fn is_present(environment: &impl Fn(&str) -> Option<String>) -> Result<bool, Failure> {
    let given = |name: &str| environment(name).filter(|value| !value.is_empty());
    if given("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Ok(false);
    }
    if let Some(missing) = REQUIRED.iter().find(|name| given(name).is_none()) {
        return Err(Failure::configuration(format!(
            "AWS_LAMBDA_RUNTIME_API is set, but {missing} is not: Lambda sets both"
        )));
    }
    let memory = given("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").unwrap_or_default();
    if memory.parse::<i32>().is_err() {
        return Err(Failure::configuration(format!(
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE is {memory:?}, expected a number of megabytes"
        )));
    }
    Ok(true)
}

/// Handles the events of the Runtime API until Lambda ends the process: with SIGTERM if the execution environment has an
/// extension, otherwise with SIGKILL.
pub(super) async fn serve(function: CurrentFunction) -> Result<(), Failure> {
    let shutdown = signal::shutdown()?;
    let handler = service_fn(move |event: LambdaEvent<Event>| handle(function.clone(), event));
    tokio::select! {
        result = Runtime::new(handler).run() => result
            .map_err(|error| Failure::software(format!("calling Lambda's Runtime API: {error}"))),
        () = shutdown => Ok(()),
    }
}

async fn handle(
    function: CurrentFunction,
    event: LambdaEvent<Event>,
) -> Result<impl serde::Serialize, Infallible> {
    let LambdaEvent { payload, context } = event;
    let call = Call {
        deadline: Some(deadline::reply_by(
            context.deadline(),
            SystemTime::now(),
            Instant::now(),
        )),
        id: Some(context.request_id.clone()),
        // The event contains the whole body.
        body_timeout: None,
        max_discard: 0,
        rejection: None,
    };
    let Event {
        request,
        body,
        path,
        is_text,
    } = payload;
    // Each event has its own adapter, because the body is passed outside the library's request.
    let mut adapter = Adapter::from(service_fn(move |request: lambda_http::Request| {
        let (function, mut call, body) = (function.clone(), call.clone(), body.clone());
        let probe = Probe::of(request.method(), &path, request.headers());
        if is_text {
            call.rejection =
                text::alteration(request.headers(), &body).map(Rejection::BodyDecodedAsText);
        }
        async move {
            let request = request.map(|_| Full::new(body));
            let response: Response<Bytes> = match probe {
                Some(probe) => probe.respond(&function, &call).await,
                None => function.handle_measured(request, &call).await,
            };
            // Lambda freezes the sandbox after the response.
            function.flush_telemetry(&call).await;
            Ok::<_, Infallible>(response.map(Full::new))
        }
    }));
    adapter.call(LambdaEvent::new(request, context)).await
}
