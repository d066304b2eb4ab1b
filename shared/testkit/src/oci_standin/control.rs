//! The control interface for scripts, without signatures.
//!
//! - `PUT /control/secrets/NAME`: adds a version with the body as content, and returns the secret's OCID
//! - `POST /control/expire/NAME`: marks the secret as expired
//! - `POST /control/fault?path=PART&kind=throttle|error|hang|cut|delay&status=503&times=1`: injects a fault
//! - `GET /control/requests`: returns one line per recorded request

use std::fmt::Write;
use std::time::Duration;

use http::{Method, Response};

use super::response::{self, Fault, FaultyBody, error};
use super::state::State;
use super::url::parameter;
use super::verify::ReceivedRequest;

/// Executes one control request.
pub(super) fn answer(state: &State, request: &ReceivedRequest<'_>) -> Response<FaultyBody> {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((request.target, ""));
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    let mut inner = state.lock();
    match (request.method, segments.as_slice()) {
        (&Method::PUT, ["secrets", name]) => {
            let id = inner.put_secret(name, request.body);
            response::bytes(format!("{id}\n").into_bytes())
        }
        (&Method::POST, ["expire", name]) => {
            inner.expire_secret(name);
            response::bytes(Vec::new())
        }
        (&Method::POST, ["fault"]) => {
            let number = |name| parameter(query, name).and_then(|text| text.parse::<u16>().ok());
            let fault = match parameter(query, "kind").as_deref() {
                Some("throttle") => Fault::Throttle(1),
                Some("error") => {
                    Fault::Error(number("status").unwrap_or(503), "Injected".to_owned())
                }
                Some("hang") => Fault::Hang,
                Some("cut") => Fault::Cut,
                Some("delay") => Fault::Delay(Duration::from_secs(1)),
                _ => return error(400, "InvalidParameter", "unknown kind"),
            };
            let path = parameter(query, "path").unwrap_or_default();
            inner.inject(&path, fault, usize::from(number("times").unwrap_or(1)));
            response::bytes(Vec::new())
        }
        (&Method::GET, ["requests"]) => {
            let mut text = String::new();
            for recorded in &inner.requests {
                let _ = writeln!(
                    text,
                    "{} {} {}",
                    recorded.status, recorded.method, recorded.target
                );
            }
            response::bytes(text.into_bytes())
        }
        _ => error(404, "NotFound", "no such control request"),
    }
}
