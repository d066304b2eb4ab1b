//! Secrets that must not appear in any output, and the forms in which an endpoint may repeat them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// The secrets of the test: the token of route A, that of route B, and that of the caller of the ingest function. They
/// contain characters that base64 and percent-encoding change.
pub(crate) const SECRETS: [&str; 3] = [
    "Qx7+v9/kT~canary-route-a_0001==",
    "Rm3/w2+pZ~canary-route-b_0002==",
    "Hd5~z8+/jL.canary-caller_0003==",
];

/// How many bytes of a secret count as the secret: a truncated copy is a leak too.
const PREFIX: usize = 14;

/// An encoding in which an endpoint repeats what it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Unchanged.
    Plain,
    /// Base64.
    Base64,
    /// Base64 with the alphabet for URLs.
    Base64Url,
    /// Percent-encoding of all bytes except letters and digits.
    Percent,
    /// Base64, then percent-encoding.
    PercentBase64,
    /// Hex digits.
    Hex,
}

impl Encoding {
    /// All encodings.
    pub(crate) const ALL: [Self; 6] = [
        Self::Plain,
        Self::Base64,
        Self::Base64Url,
        Self::Percent,
        Self::PercentBase64,
        Self::Hex,
    ];

    /// The encoded text.
    pub(crate) fn encode(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Base64 => STANDARD.encode(text),
            Self::Base64Url => URL_SAFE.encode(text),
            Self::Percent => percent(text),
            Self::PercentBase64 => percent(&STANDARD.encode(text)),
            Self::Hex => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// The texts by which a secret is found: its beginning in each encoding. Base64 depends on the position of the secret
/// within the encoded text, so it has three forms for each alphabet.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let beginning = &secret[..PREFIX];
    let mut forms = vec![
        beginning.to_owned(),
        Encoding::Hex.encode(beginning),
        Encoding::Percent.encode(beginning),
    ];
    for before in 0..3 {
        let padded = [&[0; 2][..before], beginning.as_bytes()].concat();
        // Only digits whose six bits all belong to the secret.
        let (start, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for engine in [STANDARD, URL_SAFE] {
            forms.push(engine.encode(&padded)[start..end].to_owned());
        }
    }
    forms.extend(forms.clone().iter().map(|form| percent(form)));
    forms.sort();
    forms.dedup();
    forms
}

fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_in_every_encoding_of_a_header_with_the_secret() {
        for secret in SECRETS {
            let forms = forms(secret);
            for encoding in Encoding::ALL {
                for before in ["", "B", "Be", "Bearer "] {
                    let text = encoding.encode(&format!("{before}{secret}"));
                    assert!(
                        forms.iter().any(|form| text.contains(form)),
                        "{encoding:?} after {before:?}: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_form_is_in_another_text() {
        let text = "Bearer [redacted]== canary-route-a 51 78 37";
        for secret in SECRETS {
            assert!(!forms(secret).iter().any(|form| text.contains(form)));
        }
    }
}
