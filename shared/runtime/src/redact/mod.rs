//! Masks the process's secrets in text from other programs: an endpoint's response, a broker's error, a proxy's page.
//!
//! Such text may repeat a secret of the request. Code that quotes it calls [`mask`] or [`excerpt`] before the text
//! reaches a log, a report, an error or a dead letter, and [`mask_bytes`] where it is kept byte for byte. Code that reads
//! a secret from settings or from Oracle Cloud registers it with [`protect`].
//!
//! A secret is found plain and behind up to three layers of these encodings: percent-encoding, the escapes of JSON and
//! of HTML, hex digits, and base64 (both alphabets, with and without padding, at every alignment, and so also within
//! `user:password` of HTTP's Basic scheme).
//!
//! Not found: a secret of less than [`MIN_LENGTH`] bytes, an inner part of a secret, and other encodings.
//! Private keys are not registered, because they are never sent.
//!
//! ```
//! use runtime::redact;
//! use runtime::secret::Secret;
//!
//! redact::protect("api_token", [Secret::new("hunter2")]);
//! assert_eq!(redact::mask("no such token: hunter2"), "no such token: [redacted]");
//! assert_eq!(redact::excerpt(b"Bearer aHVudGVyMg==", false), "Bearer [redacted]==");
//! assert_eq!(redact::excerpt(b"your token, hunt", true), "your token, [redacted]");
//! ```

mod view;

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use crate::secret::Secret;
use view::{Reading, View, percent_decoded};

/// The length of the shortest secret that is masked, in bytes. A shorter one would mask parts of ordinary words.
pub const MIN_LENGTH: usize = 4;

/// The minimum length of a value in a URL's query that is masked without its name, in bytes. Shorter values such as `json`
/// and `2026` occur elsewhere.
const MIN_QUERY_VALUE: usize = 6;

/// The maximum length of a text, in bytes. The rest is removed.
const MAX_TEXT: usize = 64 << 10;

/// The maximum number of nested encodings that are decoded.
const MAX_LAYERS: usize = 3;

/// The number of versions of a secret that are masked: the current one and those before rotations.
const MAX_VERSIONS: usize = 4;

/// The minimum length, in bytes, of the beginning of a secret that is masked at the end of a truncated text: in plain
/// text, and in text decoded from digits, which has more chance matches.
const MIN_PREFIX: usize = 1;
const MIN_PREFIX_IN_DIGITS: usize = 2;

const MASK: &str = "[redacted]";

/// The secrets of this process.
static PROCESS: Redactor = Redactor::new();

/// One line of text of another program: masked, without control characters, and of at most `max` characters.
pub fn line(text: &str, max: usize) -> String {
    let masked = mask(text);
    let line: String = masked
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(max)
        .collect();
    line.trim().to_owned()
}

/// Secrets by name, and how to mask them.
#[derive(Default)]
pub struct Redactor(RwLock<BTreeMap<String, VecDeque<Vec<Secret>>>>);

/// Masks these secrets from now on. They are a new version of the secrets with the same name. The last four versions
/// are masked, because a peer may still repeat an old one.
pub fn protect(name: &str, secrets: impl IntoIterator<Item = Secret>) {
    PROCESS.protect(name, secrets);
}

/// The text with `[redacted]` in place of every secret of this process. A text is truncated to 64 KiB.
pub fn mask(text: &str) -> Cow<'_, str> {
    PROCESS.mask(text)
}

/// As [`mask`], for bytes that may not be UTF-8. With `is_cut`, they are the beginning of a longer text, and the
/// beginning of a secret at their end is masked too.
pub fn excerpt(bytes: &[u8], is_cut: bool) -> String {
    PROCESS.excerpt(bytes, is_cut)
}

/// The text, which may have been cut at its end and before each of these positions, where other text follows: the beginning
/// of a secret is masked there too.
pub fn excerpt_with_cuts(text: &str, cuts: impl Iterator<Item = usize>) -> String {
    PROCESS.excerpt_with_cuts(text, cuts)
}

/// As [`excerpt`], without a change of other bytes and without a limit on the length: the caller has one.
pub fn mask_bytes(bytes: &[u8], is_cut: bool) -> Cow<'_, [u8]> {
    PROCESS.mask_bytes(bytes, is_cut)
}

/// The parts of a URL that must not be printed: user and password, and the values in the query; of a short value together
/// with its name, since the value alone may be a common word.
pub fn secrets_in_url(url: &str) -> Vec<Secret> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    // A password may contain characters that should have been encoded, so everything before the last @ counts.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let password = user.and_then(|user| user.split_once(':'));
    let values = query
        .split('&')
        .filter_map(|pair| match pair.split_once('=') {
            _ if pair.is_empty() => None,
            Some((_, "")) => None,
            Some((_, value)) if value.len() >= MIN_QUERY_VALUE => Some(value),
            _ => Some(pair),
        });
    let raw = user
        .into_iter()
        .chain(password.map(|(_, password)| password))
        .chain(values);
    let mut secrets = Vec::new();
    for text in raw {
        // A peer may repeat the encoded or the decoded form.
        secrets.extend([text.to_owned(), percent_decoded(text)].map(Secret::new));
    }
    secrets
}

impl Redactor {
    /// Without secrets.
    pub const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    /// As the function [`protect`].
    pub fn protect(&self, name: &str, secrets: impl IntoIterator<Item = Secret>) {
        let long_enough = |secret: &Secret| secret.reveal().len() >= MIN_LENGTH;
        let secrets: Vec<Secret> = secrets.into_iter().filter(long_enough).collect();
        if secrets.is_empty() {
            return;
        }
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let versions = names.entry(name.to_owned()).or_default();
        versions.retain(|version| *version != secrets);
        versions.push_front(secrets);
        versions.truncate(MAX_VERSIONS);
    }

    /// As the function [`mask`].
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let (text, is_cut) = shortened(text);
        self.masked(text, is_cut)
    }

    /// As the function [`excerpt`].
    pub fn excerpt(&self, bytes: &[u8], is_cut: bool) -> String {
        let text = String::from_utf8_lossy(whole_characters(bytes, is_cut));
        let (text, is_shortened) = shortened(&text);
        self.masked(text, is_cut || is_shortened).into_owned()
    }

    /// As the function [`excerpt_with_cuts`].
    pub fn excerpt_with_cuts(&self, text: &str, cuts: impl Iterator<Item = usize>) -> String {
        let (text, _) = shortened(text);
        let mut found = self.find(text.as_bytes(), true);
        for beginning in cuts.filter_map(|cut| text.as_bytes().get(..cut)) {
            found.extend(self.find(beginning, true));
        }
        let masked = with_masks(text.as_bytes(), found);
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// As the function [`mask_bytes`].
    pub fn mask_bytes<'b>(&self, bytes: &'b [u8], is_cut: bool) -> Cow<'b, [u8]> {
        let bytes = whole_characters(bytes, is_cut);
        let found = self.find(bytes, is_cut);
        match found.is_empty() {
            true => Cow::Borrowed(bytes),
            false => Cow::Owned(with_masks(bytes, found)),
        }
    }

    fn masked<'t>(&self, text: &'t str, is_cut: bool) -> Cow<'t, str> {
        let found = self.find(text.as_bytes(), is_cut);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let masked = with_masks(text.as_bytes(), found);
        Cow::Owned(String::from_utf8_lossy(&masked).into_owned())
    }

    /// The positions of secrets in the text.
    fn find(&self, text: &[u8], is_cut: bool) -> Vec<Range<usize>> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let secrets: Vec<&[u8]> = names
            .values()
            .flatten()
            .flatten()
            .map(|secret| secret.reveal().as_bytes())
            .collect();
        let Some(shortest) = secrets.iter().map(|secret| secret.len()).min() else {
            return Vec::new();
        };
        let mut search = Search {
            secrets,
            shortest,
            end: text.len(),
            found: Vec::new(),
        };
        search.look_into(&View::of(text, is_cut), MIN_PREFIX, 0);
        search.found
    }
}

/// One text's search for secrets.
struct Search<'s> {
    secrets: Vec<&'s [u8]>,
    shortest: usize,
    /// The length of the text.
    end: usize,
    /// The positions of secrets in the text.
    found: Vec<Range<usize>>,
}

impl Search<'_> {
    fn look_into(&mut self, view: &View, min_prefix: usize, layers: usize) {
        for secret in &self.secrets {
            let matches =
                places(&view.bytes, secret).map(|at| view.origin(&(at..at + secret.len())));
            self.found.extend(matches);
            if view.is_cut
                && let Some(length) = prefix_at_end(&view.bytes, secret, min_prefix)
            {
                let at = view.bytes.len() - length;
                let start = view.origin(&(at..view.bytes.len())).start;
                self.found.push(start..self.end);
            }
        }
        if layers < MAX_LAYERS {
            view.readings(self.shortest, |view, reading| {
                let min_prefix = match reading {
                    Reading::Digits => MIN_PREFIX_IN_DIGITS,
                    Reading::Unescaped => min_prefix,
                };
                self.look_into(view, min_prefix, layers + 1);
            });
        }
    }
}

/// The positions of `part` in `bytes`.
fn places<'b>(bytes: &'b [u8], part: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    bytes
        .windows(part.len())
        .enumerate()
        .filter(move |(_, window)| *window == part)
        .map(|(at, _)| at)
}

/// The length of the longest incomplete beginning of `secret` at the end of `bytes`.
fn prefix_at_end(bytes: &[u8], secret: &[u8], min: usize) -> Option<usize> {
    let longest = bytes.len().min(secret.len().saturating_sub(1));
    (min..=longest)
        .rev()
        .find(|length| bytes.ends_with(&secret[..*length]))
}

/// The text with a mask in place of each of these parts.
fn with_masks(bytes: &[u8], mut parts: Vec<Range<usize>>) -> Vec<u8> {
    parts.sort_unstable_by_key(|part| (part.start, part.end));
    let mut masked = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for part in parts {
        if part.start >= at {
            masked.extend_from_slice(bytes.get(at..part.start).unwrap_or_default());
            masked.extend_from_slice(MASK.as_bytes());
        }
        at = at.max(part.end);
    }
    masked.extend_from_slice(bytes.get(at..).unwrap_or_default());
    masked
}

/// The bytes without an incomplete character at their end, if they were cut: it would hide the secret that it belongs to.
fn whole_characters(bytes: &[u8], is_cut: bool) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if is_cut && error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

/// The text, truncated to the maximum length, and whether it was longer.
fn shortened(text: &str) -> (&str, bool) {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], end < text.len())
}

#[cfg(test)]
mod tests;
