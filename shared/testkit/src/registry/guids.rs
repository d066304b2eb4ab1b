//! GUIDs for a registry that has none.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::endpoint::{Answer, Endpoint, Request};

/// The first 12 bytes of every GUID; the other four are the schema's id.
const PREFIX: &str = "66726f6e-7464-6f6f-7200-0000";

/// Forwards requests to the registry at `url` and adds GUIDs, as Confluent Schema Registry 8.0 has them: in every object
/// with an id, and at `/schemas/guids/`. Apicurio Registry has none.
///
/// # Errors
/// `url` is not `http://HOST:PORT` with a path, or the endpoint cannot be started.
pub fn with_guids(url: &str) -> Result<Endpoint> {
    let rest = url
        .strip_prefix("http://")
        .context("expected an http:// URL")?;
    let (address, path) = rest.split_once('/').context("expected a path")?;
    let (address, path) = (address.to_owned(), format!("/{path}"));
    Endpoint::start(move |request| {
        forward(&address, &path, request)
            .unwrap_or_else(|error| Answer::status(502).body(format!("{error:#}")))
    })
}

fn forward(address: &str, path: &str, request: &Request) -> Result<Answer> {
    let mut target = request.target.clone();
    if let Some(rest) = target.strip_prefix("/schemas/guids/") {
        let guid = rest.split('?').next().unwrap_or_default();
        let id = guid
            .strip_prefix(PREFIX)
            .and_then(|id| u32::from_str_radix(id, 16).ok());
        target = format!("/schemas/ids/{}", id.unwrap_or(u32::MAX));
    }
    // HTTP/1.0: the response is neither chunked nor followed by another one.
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{} {path}{target} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        request.method,
        request.body.len()
    )?;
    stream.write_all(&request.body)?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (head, body) = response
        .split_once("\r\n\r\n")
        .context("the response has no end of its head")?;
    let status = head
        .split(' ')
        .nth(1)
        .context("the response has no status")?;
    let mut body = body.to_owned();
    if let Ok(mut object) = serde_json::from_str::<Value>(&body)
        && let Some(id) = object.get("id").and_then(Value::as_u64)
    {
        object["guid"] = format!("{PREFIX}{id:08x}").into();
        body = object.to_string();
    }
    Ok(Answer::status(status.parse()?)
        .header("content-type", "application/json")
        .body(body))
}
