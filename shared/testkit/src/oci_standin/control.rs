//! `/control/…`: what a script tells the stand-in, unsigned.
//!
//! - `PUT /control/secrets/NAME`, the content as body: a new version; answers the secret's OCID
//! - `POST /control/expire/NAME`
//! - `POST /control/trouble?path=PART&kind=throttle|error|hang|cut|delay&status=503&times=1`
//! - `GET /control/requests`: one line a request so far

use std::fmt::Write;
use std::time::Duration;

use http::{Method, Response};

use super::answer::{self, Content, Trouble, error};
use super::services::parameter;
use super::verify::Arrived;
use super::world::World;

/// Does what it is told.
pub(super) fn answer(world: &World, request: &Arrived<'_>) -> Response<Content> {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((request.target, ""));
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    let mut inner = world.lock();
    match (request.method, segments.as_slice()) {
        (&Method::PUT, ["secrets", name]) => {
            let id = inner.put_secret(name, request.body);
            answer::bytes(format!("{id}\n").into_bytes())
        }
        (&Method::POST, ["expire", name]) => {
            inner.expire_secret(name);
            answer::bytes(Vec::new())
        }
        (&Method::POST, ["trouble"]) => {
            let number = |name| parameter(query, name).and_then(|text| text.parse::<u16>().ok());
            let trouble = match parameter(query, "kind").as_deref() {
                Some("throttle") => Trouble::Throttle(1),
                Some("error") => Trouble::Error(number("status").unwrap_or(503), "Told".to_owned()),
                Some("hang") => Trouble::Hang,
                Some("cut") => Trouble::Cut,
                Some("delay") => Trouble::Delay(Duration::from_secs(1)),
                _ => return error(400, "InvalidParameter", "kind"),
            };
            let path = parameter(query, "path").unwrap_or_default();
            inner.trouble(&path, trouble, usize::from(number("times").unwrap_or(1)));
            answer::bytes(Vec::new())
        }
        (&Method::GET, ["requests"]) => {
            let mut text = String::new();
            for seen in &inner.seen {
                let _ = writeln!(text, "{} {} {}", seen.status, seen.method, seen.target);
            }
            answer::bytes(text.into_bytes())
        }
        _ => error(404, "NotFound", "no such control"),
    }
}
