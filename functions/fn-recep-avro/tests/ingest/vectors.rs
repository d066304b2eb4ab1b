//! Requests and their expected results, which are the same in every host.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::avro_bytes::{Codec, container, container_in_namespace, gzip, paul, user};
use super::fixture::Request;

/// One request, the expected status and the expected values in the topic.
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) request: Request,
    pub(crate) status: u16,
    pub(crate) stored: Vec<Vec<u8>>,
    /// The last part of the expected problem type.
    pub(crate) problem: &'static str,
}

/// The limits that the vectors require.
pub(crate) const LIMITS: [(&str, &str); 3] = [
    ("MAX_BODY", "64KiB"),
    ("MAX_DECODED", "128KiB"),
    ("MAX_RECORDS", "100"),
];

fn accepted(name: &'static str, request: Request, stored: Vec<Vec<u8>>) -> Vector {
    Vector {
        name,
        request,
        status: 202,
        stored,
        problem: "",
    }
}

fn rejected(name: &'static str, request: Request, status: u16, problem: &'static str) -> Vector {
    Vector {
        name,
        request,
        status,
        stored: Vec::new(),
        problem,
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Vector> {
    let mut all = good();
    all.extend(encodings());
    all.extend(bad());
    all
}

fn good() -> Vec<Vector> {
    let three = [
        user(1010, "Paul", "p@b"),
        user(1020, "Mary", "m@b"),
        user(10_029, "John", "j@b"),
    ];
    // A raw datum may begin with the magic of the other two framings.
    let like_single_object = user(-98, "n", "e");
    let like_container = [b"Obj\x01".to_vec(), vec![b'x'; 47], b"\x02e".to_vec()].concat();
    assert_eq!(like_single_object[..2], [0xc3, 0x01]);
    let mut vectors = vec![
        accepted(
            "a datum without a content type",
            Request::post(paul()),
            vec![paul()],
        ),
        accepted(
            "a datum with NUL, newline, backslash and quotes",
            Request::post(user(0, "\0\n\r\\\"'", "x@y.z\n")),
            vec![user(0, "\0\n\r\\\"'", "x@y.z\n")],
        ),
        accepted(
            "a datum of the largest and smallest ids",
            Request::post(user(i64::from(i32::MIN), "", "")),
            vec![user(i64::from(i32::MIN), "", "")],
        ),
        accepted(
            "a single object",
            Request::post(single_object(&paul())),
            vec![paul()],
        ),
        accepted(
            "a raw datum that begins like a single object",
            Request::post(like_single_object.clone()),
            vec![like_single_object],
        ),
        accepted(
            "a raw datum that begins like a container",
            Request::post(like_container.clone()),
            vec![like_container],
        ),
        accepted(
            "a container of two blocks",
            Request::post(container(Codec::Null, &[&three[..2], &three[2..]])),
            three.to_vec(),
        ),
        accepted(
            "a deflated container with a key of the client",
            Request::post(container(Codec::Deflate, &[&three]))
                .header("Idempotency-Key", "\"c-1\""),
            three.to_vec(),
        ),
        accepted(
            "a container of a writer whose namespace is not a valid name",
            Request::post(container_in_namespace("abc-123.Event$", &three)),
            three.to_vec(),
        ),
        accepted(
            "an empty container",
            Request::post(container(Codec::Null, &[])),
            Vec::new(),
        ),
        accepted(
            "a key and a trace of the client",
            Request::post(paul())
                .header(
                    "Idempotency-Key",
                    "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"",
                )
                .header(
                    "traceparent",
                    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                ),
            vec![paul()],
        ),
        accepted(
            "a trace in B3",
            Request::post(paul())
                .header("X-B3-TraceId", "80f198ee56343ba864fe8b2a57d3eff7")
                .header("X-B3-SpanId", "e457b5a2e4d86bd1")
                .header("X-B3-Sampled", "1"),
            vec![paul()],
        ),
    ];
    for content_type in [
        "application/octet-stream",
        "avro/binary",
        "Application/Avro",
        "application/vnd.apache.avro; charset=binary",
        "text/plain",
        // The content type of `curl --data-binary`.
        "application/x-www-form-urlencoded",
    ] {
        vectors.push(accepted(
            content_type,
            Request::post(paul()).header("Content-Type", content_type),
            vec![paul()],
        ));
    }
    vectors
}

fn encodings() -> Vec<Vector> {
    let base64 = |bytes: &[u8]| {
        Request::post(STANDARD.encode(bytes)).header("Content-Transfer-Encoding", "base64")
    };
    let gzipped = |bytes: &[u8]| Request::post(gzip(bytes)).header("Content-Encoding", "gzip");
    let bomb = vec![0; 10_000_000];
    vec![
        accepted(
            "JSON lines",
            Request::post(
                r#"{"id":1010,"name":"Paul","email":"p@b"}
                   {"id":1020,"name":"Mary","email":"m@b"}"#,
            )
            .header("Content-Type", "application/x-ndjson"),
            vec![user(1010, "Paul", "p@b"), user(1020, "Mary", "m@b")],
        ),
        accepted("base64", base64(&paul()), vec![paul()]),
        accepted("gzip", gzipped(&paul()), vec![paul()]),
        accepted(
            "gzip in base64",
            base64(&gzip(&paul())).header("Content-Encoding", "gzip"),
            vec![paul()],
        ),
        rejected(
            "base64 junk",
            Request::post("~~~").header("Content-Transfer-Encoding", "base64"),
            400,
            "malformed-encoding",
        ),
        rejected(
            "gzip junk",
            Request::post("junk").header("Content-Encoding", "gzip"),
            400,
            "malformed-encoding",
        ),
        rejected(
            "gzip cut short",
            Request::post(gzip(&paul())[..20].to_vec()).header("Content-Encoding", "gzip"),
            400,
            "malformed-encoding",
        ),
        rejected("a gzip bomb", gzipped(&bomb), 413, "body-too-large"),
        rejected(
            "an unknown encoding",
            Request::post("x").header("Content-Encoding", "br"),
            415,
            "unsupported-encoding",
        ),
        rejected(
            "a deflate bomb in a container",
            Request::post(container(Codec::Deflate, &[&[bomb]])),
            413,
            "body-too-large",
        ),
    ]
}

fn bad() -> Vec<Vector> {
    let many: Vec<_> = (0..101).map(|id| user(id, "", "")).collect();
    let half: Vec<_> = (0..10).map(|id| user(id, "n", "e")).collect();
    let mut bad_last = half.clone();
    bad_last.push(b"\x02\x02a\x02\xff".to_vec());
    let json = r#"{"id":1010,"name":"Paul","email":"p@b"}"#;
    vec![
        rejected("an empty body", Request::post(""), 400, "empty-body"),
        rejected(
            "an extra byte",
            Request::post([paul(), vec![0]].concat()),
            422,
            "malformed-datum",
        ),
        rejected(
            "a missing byte",
            Request::post(paul()[..43].to_vec()),
            422,
            "malformed-datum",
        ),
        rejected("JSON text", Request::post(json), 422, "malformed-datum"),
        rejected(
            "JSON of another schema",
            Request::post(r#"{"id":"1010"}"#).header("Content-Type", "application/json"),
            422,
            "malformed-json",
        ),
        rejected(
            "a form",
            Request::post("id=1010&name=Paul&email=p%40b")
                .header("Content-Type", "application/x-www-form-urlencoded"),
            422,
            "malformed-datum",
        ),
        rejected(
            "an image",
            Request::post(paul()).header("Content-Type", "image/png"),
            415,
            "unsupported-media-type",
        ),
        rejected(
            "text that is not UTF-8",
            Request::post(b"\x02\x02\xff\x02a".to_vec()),
            422,
            "malformed-datum",
        ),
        rejected(
            "an int beyond 32 bits",
            Request::post(user(1 << 32, "a", "b")),
            422,
            "malformed-datum",
        ),
        rejected(
            "a string of minus one byte",
            Request::post(b"\x02\x01\x02a".to_vec()),
            422,
            "malformed-datum",
        ),
        rejected(
            "a string of half a gigabyte",
            Request::post(b"\x02\x80\x80\x80\x80\x04a".to_vec()),
            422,
            "malformed-datum",
        ),
        rejected(
            "a single object of another schema",
            Request::post([&b"\xc3\x01\0\0\0\0\0\0\0\0"[..], &paul()].concat()),
            422,
            "schema-mismatch",
        ),
        rejected(
            "a container with one bad record",
            Request::post(container(Codec::Null, &[&half, &bad_last])),
            422,
            "malformed-container",
        ),
        rejected(
            "a container of too many records",
            Request::post(container(Codec::Null, &[&many])),
            413,
            "body-too-large",
        ),
        rejected(
            "a body over the limit",
            Request::post(vec![0; 65_537]),
            413,
            "body-too-large",
        ),
        rejected(
            "two keys in one header",
            Request::post(paul()).header("Idempotency-Key", "\"a\", \"b\""),
            400,
            "malformed-header",
        ),
        rejected(
            "GET",
            Request::post("").method("GET"),
            405,
            "method-not-allowed",
        ),
        rejected(
            "DELETE",
            Request::post(paul()).method("DELETE"),
            405,
            "method-not-allowed",
        ),
    ]
}

/// A single-object encoding with the fingerprint of `schemas/user.avsc`. The fingerprint is calculated here from the
/// specification's definition of CRC-64-AVRO.
pub(crate) fn single_object(datum: &[u8]) -> Vec<u8> {
    [&b"\xc3\x01"[..], &fingerprint(), datum].concat()
}

pub(crate) fn fingerprint() -> [u8; 8] {
    const EMPTY: u64 = 0xc15d_213a_a4d7_a795;
    let canonical = concat!(
        r#"{"name":"User","type":"record","fields":[{"name":"id","type":"int"},"#,
        r#"{"name":"name","type":"string"},{"name":"email","type":"string"}]}"#
    );
    let mut print = EMPTY;
    for byte in canonical.bytes() {
        let mut entry = (print ^ u64::from(byte)) & 0xff;
        for _ in 0..8 {
            entry = (entry >> 1) ^ (EMPTY & (entry & 1).wrapping_neg());
        }
        print = (print >> 8) ^ entry;
    }
    print.to_le_bytes()
}
