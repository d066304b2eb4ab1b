//! The responses of endpoints with injected faults.

use std::time::Duration;

use testkit::endpoint::{Answer, Request};
use testkit::user::User;

use crate::body::{Body, Item};
use crate::canary::Encoding;
use crate::faults::Fault;
use crate::rng::Rng;

/// The status of responses that are cut short; no other response has it.
pub(crate) const CUT_SHORT: u16 = 299;

/// The response to a request. A repaired endpoint accepts each record.
pub(crate) fn answer(request: &Request, fault: Fault, is_repaired: bool, rng: &mut Rng) -> Answer {
    let items = Body::read(request).map_or_else(Vec::new, |body| body.items);
    let has = |name: &str| {
        let named =
            |item: &Item| User::decode(&item.datum).filter(|user| user.name.starts_with(name));
        items.iter().find_map(named).filter(|_| !is_repaired)
    };
    if let Some(never) = has("never") {
        return match never.name.starts_with("never-answered") {
            true => Answer::hang(),
            false => Answer::status(500),
        };
    }
    let is_rejected = has("rejected").is_some();
    let regular = if is_rejected {
        Answer::status(422).body("rejected")
    } else {
        Answer::ok()
    };
    if rng.percent(30) {
        return regular;
    }
    match fault {
        Fault::None | Fault::Refuse => regular,
        Fault::Slow => regular.after(Duration::from_millis(rng.below(60))),
        Fault::VerySlow => regular.after(Duration::from_millis(100 + rng.below(400))),
        Fault::EchoToken => echo(request, rng),
        Fault::Hang => Answer::hang(),
        Fault::Reset if rng.percent(50) => Answer::ok().reset_in_head(),
        Fault::Reset => Answer::reset(),
        // Only accepted records: a rejection that is cut short is still a rejection.
        Fault::CutShort if !is_rejected => Answer::status(CUT_SHORT)
            .body(vec![b'x'; 4096])
            .reset_in_body(),
        Fault::CutShort => regular,
        Fault::Redirect if rng.percent(5) => Answer::status(302).header("location", "/login"),
        Fault::Redirect => regular,
        Fault::ClientError if rng.percent(10) => {
            const STATUSES: [u16; 10] = [400, 401, 403, 404, 408, 409, 410, 413, 415, 425];
            Answer::status(STATUSES[rng.below(STATUSES.len() as u64) as usize])
        }
        Fault::ClientError => regular,
        Fault::Throttle => Answer::status(429).header("retry-after", "1"),
        Fault::ServerError => {
            let status = [500, 502, 503, 504][rng.below(4) as usize];
            let date = "Sun, 06 Nov 1994 08:49:37 GMT";
            Answer::status(status).header("retry-after", date)
        }
    }
}

/// A failure that repeats the request's token, encoded at random, in its headers and its body.
fn echo(request: &Request, rng: &mut Rng) -> Answer {
    // Most are rejections of the record, so that many dead letters quote the response.
    const STATUSES: [u16; 10] = [400, 422, 422, 422, 302, 401, 403, 429, 500, 503];
    let status = STATUSES[rng.below(STATUSES.len() as u64) as usize];
    let header = request.header("authorization").unwrap_or_default();
    let encoding = Encoding::ALL[rng.below(Encoding::ALL.len() as u64) as usize];
    let body = match rng.percent(50) {
        true => format!("request failed, authorization: {}", encoding.encode(header)),
        false => format!(
            r#"{{"detail":"failed","received":"{}"}}"#,
            encoding.encode(header)
        ),
    };
    let token = header.strip_prefix("Bearer ").unwrap_or(header);
    let location = format!("/login?token={}", Encoding::Percent.encode(token));
    Answer::status(status)
        .header("location", &location)
        .header("retry-after", "0")
        .header("x-received", &encoding.encode(header))
        .body(body)
}
