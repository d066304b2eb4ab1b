//! What the HTML pages of the programs have in common: style, escaping, content security policy. Pure.
//!
//! The pages are the report of a run, the status page of the job, and the page of the sample endpoint. Each consists of
//! one document without other files. The crate does not answer requests.
//!
//! - [`STYLE`] is the style sheet to which each page adds its own; colours follow the reader's light or dark scheme
//! - [`escape`] makes text safe for markup
//! - [`Policy`] is the value of `Content-Security-Policy`
//! - [`icon`] is an icon without a request
//!
//! ```
//! let style = format!("{}h1 {{ color: var(--good); }}", html_page::STYLE);
//! let html = format!(
//!     "<!DOCTYPE html><title>{}</title>{}<style>{style}</style>",
//!     html_page::escape("<b>"),
//!     html_page::icon(210),
//! );
//! assert!(html.contains("<title>&lt;b&gt;</title>"));
//! let policy = html_page::Policy { style: &style, script: None }.to_string();
//! assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("script-src"));
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::sha::sha256;

/// The style sheet that all pages begin with: the colours as custom properties, body, headings, sections, tiles.
pub const STYLE: &str = include_str!("style.css");

/// The content security policy (CSP Level 3) of a page: only these texts, as inline style and script, and no request except
/// to the page's own origin by that script.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'p> {
    /// The whole text of the style element.
    pub style: &'p str,
    /// The whole text of the script element; `None`: the page has none.
    pub script: Option<&'p str>,
}

impl fmt::Display for Policy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = |text: &str| format!("'sha256-{}'", STANDARD.encode(sha256(text.as_bytes())));
        write!(
            f,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src data:; style-src {}",
            source(self.style)
        )?;
        match self.script {
            Some(script) => write!(f, "; connect-src 'self'; script-src {}", source(script)),
            None => Ok(()),
        }
    }
}

/// Text for the content of an element or a quoted attribute. Control characters are replaced, and so are those that reorder
/// text: with these a page could show something else than the text.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            '\r' => escaped.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// An icon as an element of the head: a disc of this hue, in degrees.
pub fn icon(hue: u32) -> String {
    format!(
        "<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
         %3Ccircle cx='8' cy='8' r='7' fill='hsl({hue} 62%25 45%25)'/%3E%3C/svg%3E\">"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_has_no_markup_and_no_invisible_order() {
        let escaped = escape("<a href=\"x\" id='y'>&\r\u{1b}[2J\u{202e}gnp\u{85}\u{2066}\n\tä");
        assert_eq!(
            escaped,
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp; \u{fffd}[2J\u{fffd}gnp\u{fffd}\u{fffd}\n\tä"
        );
    }

    #[test]
    fn a_policy_permits_only_these_texts() {
        let policy = Policy {
            style: "a",
            script: Some("b"),
        };
        let policy = policy.to_string();
        // `printf a | openssl dgst -sha256 -binary | base64`
        assert!(policy.contains("style-src 'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='"));
        assert!(policy.contains(
            "connect-src 'self'; script-src 'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0='"
        ));
        assert!(!policy.contains("unsafe"));
    }

    /// The relative luminance of a colour such as `#f9f9f7` (WCAG 2.2).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let byte = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            let share = f64::from(byte) / 255.0;
            match share <= 0.04045 {
                true => share / 12.92,
                false => ((share + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn text_has_the_contrast_of_wcag_in_both_schemes() {
        let (light, dark) = STYLE.split_once("prefers-color-scheme: dark").unwrap();
        for scheme in [light, dark] {
            let colour = |name: &str| {
                let (_, rest) = scheme.split_once(&format!("--{name}: ")).unwrap();
                luminance(&rest[..7])
            };
            for text in ["ink", "ink-2", "link", "good", "warning", "bad"] {
                for ground in ["page", "surface"] {
                    let (one, other) = (colour(text), colour(ground));
                    let ratio = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                    // Success criterion 1.4.3, level AA.
                    assert!(ratio >= 4.5, "--{text} on --{ground}: {ratio:.2}");
                }
            }
        }
    }
}
