use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;
use crate::text::hex;

/// Characters that each encoding treats differently, and none that text around it has.
const SECRET: &str = "s3cr%t/+\"<ü>&~?=\\";

fn redactor(secrets: &[&str]) -> Redactor {
    let redactor = Redactor::new();
    redactor.protect("test", secrets.iter().copied().map(Secret::new));
    redactor
}

fn percent(text: &str, is_kept: impl Fn(u8) -> bool, is_upper: bool) -> String {
    let encode = |byte| match (is_kept(byte), is_upper) {
        (true, _) => char::from(byte).to_string(),
        (false, true) => format!("%{byte:02X}"),
        (false, false) => format!("%{byte:02x}"),
    };
    text.bytes().map(encode).collect()
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn ascii_json(text: &str) -> String {
    let mut units = [0; 2];
    text.chars()
        .flat_map(|c| c.encode_utf16(&mut units).to_vec())
        .map(|unit| format!("\\u{unit:04x}"))
        .collect()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Each way in which a server may repeat a header with this secret; and the length of what may be left of it: digits of
/// its neighbours in base64, or a part of one escape.
fn encodings(secret: &str) -> Vec<(String, usize)> {
    let mut all = [
        secret.to_owned(),
        percent(secret, |_| false, true),
        percent(secret, |_| false, false),
        percent(secret, |byte| byte.is_ascii_alphanumeric(), true),
        percent(secret, |byte| byte.is_ascii_alphanumeric(), false),
        percent(secret, |byte| byte.is_ascii_graphic() && byte != b'%', true),
        json(secret),
        json(&json(secret)),
        json(secret).replace('/', "\\/"),
        ascii_json(secret),
        html(secret),
        hex(secret.as_bytes()),
        hex(secret.as_bytes()).to_uppercase(),
    ]
    .map(|encoded| (encoded, 5))
    .to_vec();
    for before in ["", "u", "us", "use"] {
        for after in ["", "x", "xy"] {
            let text = format!("{before}{secret}{after}");
            for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
                all.push((engine.encode(&text), 12));
            }
        }
    }
    let basic = STANDARD.encode(format!("user:{secret}"));
    let in_query = percent(&basic, |byte| byte.is_ascii_alphanumeric(), true);
    all.extend([(in_query, 12), (basic, 12)]);
    all
}

#[test]
fn masks_a_secret_in_every_encoding_and_leaves_the_text_around_it() {
    let redactor = redactor(&[SECRET]);
    for (encoded, slack) in encodings(SECRET) {
        for (before, after) in [
            ("", ""),
            ("no such token: ", ", sorry"),
            ("{\"a\": \"", "\"}"),
        ] {
            let masked = redactor
                .mask(&format!("{before}{encoded}{after}"))
                .into_owned();
            assert!(
                masked.starts_with(before) && masked.ends_with(after) && masked.contains(MASK),
                "{encoded}: {masked}"
            );
            let rest = masked.len() - before.len() - after.len() - MASK.len();
            assert!(rest <= slack, "{encoded}: {masked}");
        }
    }
}

#[test]
fn masks_the_beginning_of_a_secret_where_the_text_was_cut() {
    let redactor = redactor(&[SECRET]);
    for (encoded, slack) in encodings(SECRET) {
        let whole = format!("no such token: {encoded}");
        for end in 0..whole.len() {
            let masked = redactor.excerpt(&whole.as_bytes()[..end], true);
            let shown = masked.replace(MASK, "");
            let rest = shown.strip_prefix("no such token: ").unwrap_or_default();
            assert!(rest.len() <= slack, "{encoded} cut at {end}: {masked}");
        }
    }
    for length in 1..6 {
        let text = format!("no such token: {}", &SECRET[..length]);
        assert_eq!(
            redactor.excerpt(text.as_bytes(), true),
            "no such token: [redacted]"
        );
        assert_eq!(redactor.excerpt(text.as_bytes(), false), text);
    }
}

#[test]
fn a_character_cut_in_two_does_not_hide_the_secret_before_it() {
    let secret = "pässword";
    let text = format!("no {secret}");
    let masked = redactor(&[secret]).excerpt(&text.as_bytes()[..5], true);
    assert_eq!(masked, "no [redacted]");
}

#[test]
fn a_secret_that_is_too_short_masks_nothing() {
    let redactor = redactor(&["", "a", "on", "the", "four"]);
    assert_eq!(
        redactor.mask("on the other hand, four"),
        "on the other hand, [redacted]"
    );
}

#[test]
fn the_longer_of_two_secrets_is_masked_in_whole() {
    let redactor = redactor(&["hunter", "hunter2-and-more", "more-or-less"]);
    assert_eq!(
        redactor.mask("a hunter, hunter2-and-more-or-less!"),
        "a [redacted], [redacted]!"
    );
}

#[test]
fn a_replaced_secret_stays_masked_for_some_versions() {
    let redactor = Redactor::new();
    let versions: Vec<String> = (0..6).map(|n| format!("version-{n}")).collect();
    for version in &versions {
        redactor.protect("token", [Secret::new(version)]);
        redactor.protect("token", [Secret::new(version)]);
        redactor.protect("other", [Secret::new("constant")]);
    }
    for (n, version) in versions.iter().enumerate() {
        let is_masked = redactor.mask(version) == MASK;
        assert_eq!(is_masked, n >= versions.len() - MAX_VERSIONS, "{version}");
    }
    assert_eq!(redactor.mask("constant"), MASK);
}

#[test]
fn a_long_text_is_cut_before_it_is_masked() {
    let redactor = redactor(&["hunter2"]);
    let text = format!("{} hunter2", "x ".repeat(MAX_TEXT / 2 - 3));
    assert_eq!(text.len(), MAX_TEXT + 2);
    let masked = redactor.mask(&text);
    assert!(
        masked.ends_with("x  [redacted]"),
        "{}",
        &masked[masked.len() - 20..]
    );
}

#[test]
fn bytes_are_masked_in_place_and_not_cut() {
    let redactor = redactor(&["hunter2"]);
    let long = [&b"\xff\0"[..], &vec![b'.'; 2 * MAX_TEXT], b"hunter2 \xc3"].concat();
    let masked = redactor.mask_bytes(&long, false);
    assert!(masked.starts_with(b"\xff\0.") && masked.ends_with(b".[redacted] \xc3"));
    assert_eq!(masked.len(), long.len() + 3);
    assert_eq!(
        &*redactor.mask_bytes("a hunté".as_bytes(), false),
        "a hunté".as_bytes()
    );
    assert_eq!(
        &*redactor.mask_bytes(&"a hunté".as_bytes()[..7], true),
        b"a [redacted]"
    );
}

#[test]
fn text_made_to_be_slow_is_masked_in_bounded_time() {
    let secrets = [
        "a".repeat(3000),
        "A".repeat(3000),
        "%".repeat(3000),
        "41".repeat(1500),
    ];
    let redactor = redactor(&secrets.each_ref().map(String::as_str));
    let nested = (0..3).fold("a".repeat(MAX_TEXT / 4), |text, _| STANDARD.encode(text));
    for text in ["a", "A", "%", "41", "%2525", "\\\\u0041", &nested] {
        let text = text.repeat(MAX_TEXT / text.len() + 1);
        let start = Instant::now();
        redactor.mask(&text);
        assert!(start.elapsed() < Duration::from_secs(20), "{}", &text[..8]);
    }
}

#[test]
fn the_secrets_of_a_url_are_its_user_and_its_query() {
    let texts = |url| -> Vec<String> {
        let secrets = secrets_in_url(url);
        secrets
            .iter()
            .map(|secret| secret.reveal().to_owned())
            .collect()
    };
    assert!(texts("http://h:1/p").is_empty());
    let secrets = texts("http://u:pass%20word@h:1/p?format=json&key=hunter2&name=&bare");
    for secret in [
        "u:pass word",
        "pass%20word",
        "pass word",
        "hunter2",
        "format=json",
        "bare",
    ] {
        assert!(secrets.iter().any(|known| known == secret), "{secrets:?}");
    }
    for common in ["json", "name=", "key="] {
        assert!(!secrets.iter().any(|known| known == common), "{secrets:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_masked_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), is_cut in any::<bool>(), secret in ".{0,8}",
    ) {
        redactor(&[&secret]).excerpt(&bytes, is_cut);
    }

    #[test]
    fn no_secret_is_left_in_any_text(before in ".{0,20}", secret in ".{4,20}", after in ".{0,20}") {
        let masked = redactor(&[&secret]).mask(&format!("{before}{secret}{after}")).into_owned();
        let parts = masked.split(MASK).any(|part| part.contains(&secret));
        prop_assert!(!parts, "{masked}");
    }

    #[test]
    fn text_without_the_secret_is_unchanged(text in "[a-m ,.%\\\\&+]{0,200}") {
        prop_assert_eq!(&redactor(&["nopqrstuvwxyz"]).mask(&text), &text);
    }
}

#[test]
fn the_beginning_of_a_secret_is_masked_before_each_cut() {
    let redactor = redactor(&["hunter2-of-the-server", "inner-secret", "with (a part"]);
    redactor.protect("outer", [Secret::new("token-inner-secret-and-more")]);
    for (text, expected) in [
        ("x hunter2-of-the (state) y", "x [redacted] (state) y"),
        ("x token-inner-secret-and (state)", "x [redacted] (state)"),
        ("x with (a part (state)", "x [redacted] (state)"),
        ("nothing (state)", "nothing (state)"),
    ] {
        let cuts = text.match_indices(" (").map(|(at, _)| at);
        assert_eq!(redactor.excerpt_with_cuts(text, cuts), expected);
    }
}
