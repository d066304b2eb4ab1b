//! AWS Lambda behind API Gateway (REST and HTTP APIs), a function URL, or an application load balancer.
//!
//! The sandbox is frozen as soon as the reply is out; by then every message is acknowledged.

mod event;
mod text;

use std::convert::Infallible;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use lambda_http::lambda_runtime::{LambdaEvent, Runtime};
use lambda_http::{Adapter, Service, service_fn};

use super::deadline;
use super::entrance::Entrance;
use crate::ingest::{Call, Refusal};
use event::Event;
use http_server::program::Failure;

/// What the runtime cannot do without, all of it set by Lambda itself.
const NEEDED: [&str; 3] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Tells whether the environment is Lambda's.
///
/// # Errors
/// It is in part.
pub(super) fn is_here(environment: &impl Fn(&str) -> Option<String>) -> Result<bool, Failure> {
    let given = |name: &str| environment(name).filter(|value| !value.is_empty());
    if given("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Ok(false);
    }
    if let Some(missing) = NEEDED.iter().find(|name| given(name).is_none()) {
        return Err(Failure::configuration(format!(
            "AWS_LAMBDA_RUNTIME_API is set, but {missing} is not, which Lambda sets too"
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

/// Asks the Runtime API for one event after the other until Lambda ends us.
pub(super) async fn serve(entrance: Entrance) -> Result<(), Failure> {
    let handler = service_fn(move |event: LambdaEvent<Event>| one_call(entrance.clone(), event));
    Runtime::new(handler)
        .run()
        .await
        .map_err(|error| Failure::software(format!("asking Lambda's Runtime API: {error}")))
}

async fn one_call(
    entrance: Entrance,
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
        // The body is here in full.
        patience: None,
        discard: 0,
        refusal: None,
    };
    let Event {
        request,
        body,
        is_text,
    } = payload;
    // One adapter for each event, since the body travels past it.
    let mut adapter = Adapter::from(service_fn(move |request: lambda_http::Request| {
        let (entrance, mut call, body) = (entrance.clone(), call.clone(), body.clone());
        if is_text {
            call.refusal =
                text::alteration(request.headers(), &body).map(Refusal::BodyDecodedAsText);
        }
        async move {
            let request = request.map(|_| Full::new(body));
            let response: Response<Bytes> = entrance.answer(request, &call).await;
            Ok::<_, Infallible>(response.map(Full::new))
        }
    }));
    adapter.call(LambdaEvent::new(request, context)).await
}
