//! The signature of a request: `Signature version="1"` of Oracle Cloud (draft-cavage-http-signatures-08). Pure.
//!
//! The rules are those of "Request Signatures" in Oracle's documentation and of its SDKs: the order of the signed
//! headers is that of the SDKs, and an upload to Object Storage is signed without its body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use openssl::sha::sha256;

use crate::key::{KeyError, PrivateKey};

/// The parts of a request that a signature covers, each exactly as it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query, percent-encoded.
    pub target: &'a str,
    /// The `host` header, with the port, unless it is the scheme's default. Only the federation call omits it.
    pub host: Option<&'a str>,
    /// The `date` header.
    pub date: &'a str,
    /// The body of a POST, PUT or PATCH, even an empty one; `None` for the other methods and for uploads.
    pub body: Option<Body<'a>>,
}

/// A body that the signature covers.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// The `content-type` header.
    pub content_type: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl Signable<'_> {
    /// The names of the signed headers, for the `headers` parameter, and the string that is signed.
    pub fn signing_string(&self) -> (String, String) {
        let method = self.method.as_str().to_ascii_lowercase();
        let mut lines = vec![
            ("date", self.date.to_owned()),
            ("(request-target)", format!("{method} {}", self.target)),
        ];
        if let Some(host) = self.host {
            lines.push(("host", host.to_owned()));
        }
        if let Some(body) = self.body {
            lines.push(("content-length", body.bytes.len().to_string()));
            lines.push(("content-type", body.content_type.to_owned()));
            lines.push(("x-content-sha256", content_sha256(body.bytes)));
        }
        let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
        let text: Vec<String> = lines
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        (names.join(" "), text.join("\n"))
    }
}

/// The `Authorization` header of the request.
///
/// # Errors
/// The key cannot sign.
pub fn authorization(
    request: &Signable<'_>,
    key_id: &str,
    key: &PrivateKey,
) -> Result<String, KeyError> {
    let (headers, text) = request.signing_string();
    let signature = STANDARD.encode(key.sign(text.as_bytes())?);
    Ok(format!(
        r#"Signature version="1",headers="{headers}",keyId="{key_id}",algorithm="rsa-sha256",signature="{signature}""#
    ))
}

/// The `x-content-sha256` header of a body.
pub fn content_sha256(body: &[u8]) -> String {
    STANDARD.encode(sha256(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, SAMPLE_KEY_ID};

    // The test values of Oracle's documentation, from its Go SDK (oci-go-sdk, common/http_signer_test.go). Their date
    // has the wrong day of the week.
    const DATE: &str = "Thu, 05 Jan 2014 21:31:40 GMT";
    const HOST: &str = "iaas.us-phoenix-1.oraclecloud.com";

    #[test]
    fn signs_the_published_get_byte_for_byte() {
        let request = Signable {
            method: &Method::GET,
            target: "/20160918/instances?availabilityDomain=Pjwf%3A%20PHX-AD-1&compartmentId=ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa&displayName=TeamXInstances&volumeId=ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q",
            host: Some(HOST),
            date: DATE,
            body: None,
        };
        let signed = authorization(&request, SAMPLE_KEY_ID, &samples::key()).unwrap();
        assert_eq!(
            signed,
            format!(
                "Signature version=\"1\",headers=\"date (request-target) host\",keyId=\"{SAMPLE_KEY_ID}\",\
                 algorithm=\"rsa-sha256\",signature=\"GBas7grhyrhSKHP6AVIj/h5/Vp8bd/peM79H9Wv8kjoaCivujVXlpbKLjMPe\
                 DUhxkFIWtTtLBj3sUzaFj34XE6YZAHc9r2DmE4pMwOAy/kiITcZxa1oHPOeRheC0jP2dqbTll8fmTZVwKZOKHYPtrLJIJQHJ\
                 jNvxFWeHQjMaR7M=\""
            )
        );
    }

    #[test]
    fn signs_the_published_post_byte_for_byte() {
        let body = br#"{
    "compartmentId": "ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa",
    "instanceId": "ocid1.instance.oc1.phx.abuw4ljrlsfiqw6vzzxb43vyypt4pkodawglp3wqxjqofakrwvou52gb6s5a",
    "volumeId": "ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q"
}"#;
        assert_eq!(body.len(), 316);
        assert_eq!(
            content_sha256(body),
            "V9Z20UJTvkvpJ50flBzKE32+6m2zJjweHpDMX/U4Uy0="
        );
        let request = Signable {
            method: &Method::POST,
            target: "/20160918/volumeAttachments",
            host: Some(HOST),
            date: DATE,
            body: Some(Body {
                content_type: "application/json",
                bytes: body,
            }),
        };
        let signed = authorization(&request, SAMPLE_KEY_ID, &samples::key()).unwrap();
        assert_eq!(
            signed,
            format!(
                "Signature version=\"1\",headers=\"date (request-target) host content-length content-type \
                 x-content-sha256\",keyId=\"{SAMPLE_KEY_ID}\",algorithm=\"rsa-sha256\",signature=\"Mje8vIDPlwIHmD/c\
                 TDwRxE7HaAvBg16JnVcsuqaNRim23fFPgQfLoOOxae6WqKb1uPjYEl0qIdazWaBy/Ml8DRhqlocMwoSXv0fbukP8J5N80LCmz\
                 T/FFBvIvTB91XuXI3hYfP9Zt1l7S6ieVadHUfqBedWH0itrtPJBgKmrWso=\""
            )
        );
    }

    #[test]
    fn signs_an_empty_body_as_a_body() {
        let request = Signable {
            method: &Method::POST,
            target: "/x",
            host: None,
            date: DATE,
            body: Some(Body {
                content_type: "application/json",
                bytes: b"",
            }),
        };
        let (names, text) = request.signing_string();
        assert_eq!(
            names,
            "date (request-target) content-length content-type x-content-sha256"
        );
        assert_eq!(
            text,
            "date: Thu, 05 Jan 2014 21:31:40 GMT\n(request-target): post /x\ncontent-length: 0\n\
             content-type: application/json\nx-content-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }
}
