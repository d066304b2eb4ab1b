//! Statuses that nginx sends as 400. Pure.

use http::StatusCode;

/// The status of a response with this body. nginx has statuses of its own for faults of the client or the connection, and
/// sends them as 400 with a page that names the reason. 400 would reject the record, which is not the cause.
pub(super) fn actual_status(status: StatusCode, body: &str) -> StatusCode {
    const PAGES: [(u16, &str); 4] = [
        (494, "<title>400 Request Header Or Cookie Too Large</title>"),
        (495, "<title>400 The SSL certificate error</title>"),
        (
            496,
            "<title>400 No required SSL certificate was sent</title>",
        ),
        (
            497,
            "<title>400 The plain HTTP request was sent to HTTPS port</title>",
        ),
    ];
    if status != StatusCode::BAD_REQUEST {
        return status;
    }
    let page = PAGES.iter().find(|(_, title)| body.contains(title));
    page.and_then(|(actual, _)| StatusCode::from_u16(*actual).ok())
        .unwrap_or(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pages_of_nginx_change_the_status() {
        let page = |reason: &str| {
            format!(
                "<html>  <head><title>400 {reason}</title></head>  <body>  <center><h1>400 Bad Request</h1></center>"
            )
        };
        for (status, body, expected) in [
            (400, page("The SSL certificate error"), 495),
            (400, page("No required SSL certificate was sent"), 496),
            (
                400,
                page("The plain HTTP request was sent to HTTPS port"),
                497,
            ),
            (400, page("Bad Request"), 400),
            (400, String::new(), 400),
            (422, page("The SSL certificate error"), 422),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(actual_status(status, &body), expected, "{body}");
        }
    }
}
