//! Requests for people. Pure.

use std::fmt::Write;

use super::{BodyEncoding, RequestReport};

/// The request on indented lines.
pub(crate) fn request(text: &mut String, request: &RequestReport) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {} {}", request.method, printable(&request.url));
    let width = request.headers.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or_default();
    for (name, value) in &request.headers {
        let _ = writeln!(text, "  {name:width$}  {}", printable(value));
    }
    let encoding = match request.body_encoding {
        BodyEncoding::Text => "",
        BodyEncoding::Base64 => "base64: ",
    };
    for line in request.body.lines() {
        let _ = writeln!(text, "    {encoding}{}", printable(line));
    }
    if request.batch > 1 {
        let batch = request.batch;
        let _ = writeln!(
            text,
            "  one record; requests of the route have up to {batch}"
        );
    }
    for reference in &request.unknown {
        let _ = writeln!(text, "  unknown here: {}", printable(reference));
    }
}

/// The text without control characters, which a terminal could interpret.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => printable.extend(c.escape_default()),
            false => printable.push(c),
        }
    }
    printable
}
