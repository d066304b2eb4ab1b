//! Statuses that nginx sends as 400. Pure.

use http::StatusCode;

/// The status of a response with this body. nginx has statuses of its own for faults of the client or the connection, and
/// sends them as 400 with a page that names the reason. 400 would reject the record, which is not the cause. Only a body
/// that begins as nginx's page does counts: an endpoint's own body may repeat the record.
pub(super) fn actual_status(status: StatusCode, body: &str) -> StatusCode {
    const PAGES: [(u16, &str); 4] = [
        (494, "400 Request Header Or Cookie Too Large</title>"),
        (495, "400 The SSL certificate error</title>"),
        (496, "400 No required SSL certificate was sent</title>"),
        (
            497,
            "400 The plain HTTP request was sent to HTTPS port</title>",
        ),
    ];
    if status != StatusCode::BAD_REQUEST {
        return status;
    }
    let title = ["<html>", "<head>", "<title>"]
        .into_iter()
        .try_fold(body, |rest, tag| rest.trim_start().strip_prefix(tag));
    let title = title.unwrap_or_default();
    let page = PAGES.iter().find(|(_, page)| title.starts_with(page));
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
            (
                400,
                format!("invalid name: {}", page("The SSL certificate error")),
                400,
            ),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(actual_status(status, &body), expected, "{body}");
        }
    }
}
