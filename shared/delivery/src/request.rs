//! Messages become a request: the raw datum of one, or a container file of many, with the headers that go along.

use avro::container;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use openssl::sha::Sha256;
use record::idempotency;
use runtime::secret::Secret;
use runtime::text::hex;

use super::target::Target;
use record::{Message, StreamId};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(idempotency::HEADER);
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const DATUM: HeaderValue = HeaderValue::from_static("application/octet-stream");
const CONTAINER: HeaderValue = HeaderValue::from_static("application/vnd.apache.avro");
/// What no key ever is.
const NO_KEY: HeaderValue = HeaderValue::from_static("\"\"");
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("frontdoor/", env!("CARGO_PKG_VERSION")));

/// Makes the requests of one route.
#[derive(Debug)]
pub struct RequestMaker {
    target: Target,
    authorization: Option<HeaderValue>,
    stream: StreamId,
    /// `cluster/topic/`, with which most keys begin, if it can be sent as it is.
    prefix: Option<String>,
    /// The JSON text of the schema, when the route takes container files.
    schema: Option<String>,
}

/// One request, ready to be sent as often as need be: each time it is the same, byte for byte.
#[derive(Clone, Debug)]
pub struct Ask {
    key: HeaderValue,
    traceparent: Option<HeaderValue>,
    content_type: HeaderValue,
    body: Bytes,
}

impl Ask {
    /// The length of the body, in bytes.
    pub fn length(&self) -> usize {
        self.body.len()
    }

    /// Whether it is a container file.
    pub fn is_batch(&self) -> bool {
        self.content_type == CONTAINER
    }
}

impl RequestMaker {
    /// `schema` is given for a route that takes many messages in a request. `None`: the token has characters that no
    /// header can carry.
    pub fn new(
        target: Target,
        token: Option<&Secret>,
        stream: StreamId,
        schema: Option<&str>,
    ) -> Option<Self> {
        let authorization = match token {
            None => None,
            Some(token) => {
                let mut value =
                    HeaderValue::from_str(&format!("Bearer {}", token.reveal())).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let prefix = format!("{}/{}/", stream.cluster, stream.topic);
        let is_simple = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let simple = prefix.len() + 40 < idempotency::MAX_LENGTH && prefix.bytes().all(is_simple);
        Some(Self {
            target,
            authorization,
            stream,
            prefix: simple.then_some(prefix),
            schema: schema.map(str::to_owned),
        })
    }

    /// Where the requests go.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The request for these messages, which have values and lie in one partition.
    pub fn ask(&self, messages: &[Message]) -> Ask {
        match (&self.schema, messages) {
            (None, [message]) => Ask {
                key: self.quoted_key(message),
                traceparent: traceparent(message),
                content_type: DATUM,
                body: message.value.clone().unwrap_or_default(),
            },
            // Without a schema the queue hands out single messages; a datum after another would be no datum.
            (schema, _) => self.batch(schema.as_deref().unwrap_or("\"bytes\""), messages),
        }
    }

    /// The request as it goes over the wire.
    pub fn request(&self, ask: &Ask) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.path.clone();
        let headers = request.headers_mut();
        headers.reserve(8);
        headers.insert(header::HOST, self.target.authority.clone());
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.insert(header::CONTENT_TYPE, ask.content_type.clone());
        headers.insert(IDEMPOTENCY_KEY, ask.key.clone());
        if let Some(traceparent) = &ask.traceparent {
            headers.insert(TRACEPARENT, traceparent.clone());
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        request
    }

    /// The key under which the endpoint knows this record.
    pub fn key(&self, message: &Message) -> String {
        plain(self.stream.idempotency_key(message))
    }

    fn quoted_key(&self, message: &Message) -> HeaderValue {
        let (Some(prefix), None) = (&self.prefix, &message.client_key) else {
            return quoted(self.key(message).as_bytes());
        };
        let mut value = BytesMut::with_capacity(prefix.len() + 40);
        value.put_u8(b'"');
        put_coordinates(&mut value, prefix, message);
        value.put_u8(b'"');
        HeaderValue::from_maybe_shared(value.freeze()).unwrap_or(NO_KEY)
    }

    /// The key of a batch is the digest of its records' keys: the same records, the same key. Where a key is made of
    /// coordinates, the offset stands for it, since stream and partition go in first.
    fn batch(&self, schema: &str, messages: &[Message]) -> Ask {
        let partition = messages.first().map_or(0, |message| message.at.partition);
        let prefix = format!("{}/{}/{partition}/", self.stream.cluster, self.stream.topic);
        let mut digest = Sha256::new();
        digest.update(&(prefix.len() as u64).to_be_bytes());
        digest.update(prefix.as_bytes());
        let mut keys = BytesMut::with_capacity(messages.len() * (prefix.len() + 11));
        for message in messages {
            if !keys.is_empty() {
                keys.put_u8(b'\n');
            }
            match (&self.prefix, &message.client_key) {
                (Some(prefix), None) => {
                    digest.update(&[0]);
                    digest.update(&message.at.offset.to_be_bytes());
                    put_coordinates(&mut keys, prefix, message);
                }
                _ => {
                    let key = self.key(message);
                    digest.update(&[1]);
                    digest.update(&(key.len() as u64).to_be_bytes());
                    digest.update(key.as_bytes());
                    keys.put_slice(key.as_bytes());
                }
            }
        }
        let digest = digest.finish();
        let mut sync = [0; 16];
        sync.copy_from_slice(&digest[..16]);
        let data: Vec<&[u8]> = messages
            .iter()
            .map(|message| message.value.as_deref().unwrap_or_default())
            .collect();
        let metadata: [(&str, &[u8]); 1] = [(idempotency::CONTAINER_KEYS, &keys)];
        Ask {
            key: quoted(format!("batch-{}", hex(&digest)).as_bytes()),
            traceparent: None,
            content_type: CONTAINER,
            body: container::write(schema, sync, &metadata, &data).into(),
        }
    }
}

/// The key as it is, or its digest where it is too long or no structured-field string can hold it.
fn plain(key: String) -> String {
    if idempotency::is_key(key.as_bytes()) {
        return key;
    }
    let mut digest = Sha256::new();
    digest.update(key.as_bytes());
    format!("sha256-{}", hex(&digest.finish()))
}

/// A string of a structured field (RFC 9651, 3.3.3): quoted, with `"` and `\` escaped.
fn quoted(key: &[u8]) -> HeaderValue {
    let mut value = BytesMut::with_capacity(key.len() + 2);
    value.put_u8(b'"');
    for byte in key {
        if matches!(byte, b'"' | b'\\') {
            value.put_u8(b'\\');
        }
        value.put_u8(*byte);
    }
    value.put_u8(b'"');
    // Keys are printable ASCII here, which every header value may hold.
    HeaderValue::from_maybe_shared(value.freeze()).unwrap_or(NO_KEY)
}

/// The record's own trace context, if it is one (`00-<trace id>-<parent id>-<flags>`, W3C Trace Context, 3.2).
fn traceparent(message: &Message) -> Option<HeaderValue> {
    let (_, value) = message
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("traceparent"))?;
    let value = value.as_ref()?;
    let lengths = [2, 32, 16, 2];
    let mut parts = value.split(|byte| *byte == b'-');
    let whole = lengths.iter().all(|length| {
        parts.next().is_some_and(|part| {
            part.len() == *length && part.iter().all(|byte| byte.is_ascii_hexdigit())
        })
    });
    if !whole || parts.next().is_some() {
        return None;
    }
    HeaderValue::from_maybe_shared(value.clone()).ok()
}

/// The key that is made of coordinates.
fn put_coordinates(out: &mut BytesMut, prefix: &str, message: &Message) {
    out.put_slice(prefix.as_bytes());
    put_number(out, i64::from(message.at.partition));
    out.put_u8(b'/');
    put_number(out, message.at.offset);
}

fn put_number(out: &mut BytesMut, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.put_u8(b'-');
    }
    out.put_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::Coordinates;
    use std::sync::Arc;

    fn message(offset: i64, client_key: Option<&str>) -> Message {
        Message {
            at: Coordinates {
                topic: Arc::from("orders"),
                partition: 2,
                offset,
            },
            key: None,
            value: Some(Bytes::from(vec![2; 3])),
            headers: Vec::new(),
            timestamp: None,
            client_key: client_key.map(Arc::from),
        }
    }

    fn maker(schema: Option<&str>) -> RequestMaker {
        let stream = StreamId {
            cluster: "c".into(),
            topic: "t".into(),
        };
        let target = Target::parse("http://h/in?x=1").expect("url");
        RequestMaker::new(target, Some(&Secret::new("hunter2")), stream, schema).expect("maker")
    }

    fn key(maker: &RequestMaker, messages: &[Message]) -> String {
        let request = maker.request(&maker.ask(messages));
        request.headers()["idempotency-key"]
            .to_str()
            .expect("ascii")
            .to_owned()
    }

    #[test]
    fn a_key_is_a_quoted_string_whatever_it_holds() {
        let maker = maker(None);
        assert_eq!(key(&maker, &[message(7, None)]), r#""c/t/2/7""#);
        assert_eq!(key(&maker, &[message(7, Some(r#"a"b\c"#))]), r#""a\"b\\c""#);
        let long = "x".repeat(5000);
        let odd = [
            key(&maker, &[message(7, Some("é"))]),
            key(&maker, &[message(7, Some("a\nb"))]),
            key(&maker, &[message(7, Some(&long))]),
        ];
        for key in &odd {
            assert!(key.starts_with("\"sha256-") && key.len() == 73, "{key}");
        }
        assert_ne!(odd[0], odd[1]);
    }

    #[test]
    fn a_key_is_the_same_however_it_is_made() {
        for cluster in ["c", "with \"quotes\"", "é", &"x".repeat(1000)] {
            let stream = StreamId {
                cluster: cluster.into(),
                topic: "t".into(),
            };
            let target = Target::parse("http://h/").expect("url");
            let maker = RequestMaker::new(target, None, stream.clone(), None).expect("maker");
            let message = message(i64::MAX, None);
            let expected = quoted(plain(stream.idempotency_key(&message)).as_bytes());
            assert_eq!(maker.ask(&[message]).key, expected);
        }
    }

    #[test]
    fn the_key_of_a_batch_names_its_records_and_nothing_else() {
        let maker = maker(Some("\"bytes\""));
        let three = [message(1, None), message(2, None), message(3, Some("k"))];
        assert_eq!(key(&maker, &three), key(&maker, &three.clone()));
        let mut others = vec![
            key(&maker, &three),
            key(&maker, &three[..2]),
            key(&maker, &three[1..]),
            key(
                &maker,
                &[
                    message(1, Some("c/t/2/1")),
                    message(2, None),
                    message(3, Some("k")),
                ],
            ),
            key(
                &maker,
                &[message(1, None), message(2, None), message(3, Some("j"))],
            ),
        ];
        others.sort();
        others.dedup();
        assert_eq!(others.len(), 5);
    }

    #[test]
    fn the_token_is_marked_sensitive_and_printed_nowhere() {
        let maker = maker(None);
        let request = maker.request(&maker.ask(&[message(0, None)]));
        assert!(request.headers()["authorization"].is_sensitive());
        assert_eq!(request.headers()["authorization"], "Bearer hunter2");
        assert!(!format!("{maker:?} {request:?}").contains("hunter2"));
        let target = Target::parse("http://h/").expect("url");
        let stream = maker.stream.clone();
        assert!(RequestMaker::new(target, Some(&Secret::new("a\r\nb: c")), stream, None).is_none());
    }

    #[test]
    fn only_a_whole_trace_context_goes_along() {
        let with = |value: &str| {
            let mut message = message(0, None);
            let value = Some(Bytes::copy_from_slice(value.as_bytes()));
            message.headers = vec![("traceparent".into(), value)];
            traceparent(&message).is_some()
        };
        assert!(with(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        ));
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx: y",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-zzf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(!with(wrong), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        for number in [0, 7, 10, 1_234_567_890, i64::MAX, i64::MIN, -1] {
            let mut out = BytesMut::new();
            put_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
