//! The HTML page: title, counts, the last records.
//!
//! The page contains its style and script, and its content security policy allows no others. Most of the style is that of all
//! pages (`shared/html-page`). The script fetches the page
//! every two seconds and replaces the content. Without scripts the page reloads.

use std::fmt::Write;

use html_page::{Policy, escape};
use serde_json::Value;

use super::record_log::{LogEntry, RecordLog};

/// The most records on the page. `GET /records` returns all that are kept.
const MAX_SHOWN: usize = 100;
/// The most characters of one field's value on the page.
const MAX_VALUE: usize = 400;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page of an endpoint: everything that does not depend on the records.
#[derive(Debug)]
pub(super) struct Page {
    title: String,
    hue: u32,
    style: String,
    policy: String,
}

impl Page {
    /// The page with this title. The colour depends on the title, so that the pages of two endpoints look different.
    pub(super) fn new(title: &str) -> Self {
        // By the golden angle, 137°, titles that differ in one letter have very different hues.
        let letters: u32 = title.bytes().map(u32::from).sum();
        let hue = (letters % 360) * 137 % 360;
        let style = format!("{}:root{{--hue:{hue}}}{STYLE}", html_page::STYLE);
        let policy = Policy {
            style: &style,
            script: Some(SCRIPT),
        };
        let policy = policy.to_string();
        Self {
            title: escape(title),
            hue,
            style,
            policy,
        }
    }

    /// The value of `Content-Security-Policy`: it allows only this style and this script.
    pub(super) fn policy(&self) -> &str {
        &self.policy
    }

    /// The HTML at the time `now_ms`, in milliseconds since 1970.
    pub(super) fn render(&self, log: &RecordLog, now_ms: u64) -> String {
        let Self {
            title, hue, style, ..
        } = self;
        let icon = html_page::icon(*hue);
        let (received, repeated, refused) = log.counts();
        let mut list = String::new();
        for entry in log.newest_first().take(MAX_SHOWN) {
            item(&mut list, entry, now_ms);
        }
        if received == 0 {
            list.push_str(
                "<p class=\"nothing\">No record yet. Send one:\
                 <code>curl --data-binary @type_a_message.bin http://…/</code></p>",
            );
        } else {
            list = format!("<h2>Last records, newest first</h2><ol>{list}</ol>");
        }
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\
             {icon}<title>{title} ({received})</title><style>{style}</style></head><body>\
             <header><h1>{title}</h1><p>Accepts Avro records by <code>POST /</code></p></header>\
             <main data-newest=\"{received}\"><dl class=\"tiles\">\
             <div class=\"main\"><dt>received</dt><dd>{received}</dd></div>\
             <div><dt>repeated</dt><dd>{repeated}</dd></div>\
             <div><dt>refused</dt><dd>{refused}</dd></div></dl>{list}</main>\
             <footer><p class=\"state\"><span class=\"live\">Refreshed every 2 seconds.</span>\
             <span class=\"stale-note\">The endpoint does not answer. This is its last page.</span> \
             The same as JSON: <a href=\"/records\">/records</a></p></footer>\
             <script>{SCRIPT}</script></body></html>"
        )
    }
}

fn item(out: &mut String, entry: &LogEntry, now_ms: u64) {
    let fields = match &entry.record {
        Some(Value::Object(record)) => record
            .iter()
            .map(|(name, value)| {
                let class = if value.is_number() {
                    " class=\"number\""
                } else {
                    ""
                };
                format!("<dt>{}</dt><dd{class}>{}</dd>", escape(name), shown(value))
            })
            .collect(),
        Some(value) => format!("<dt>value</dt><dd>{}</dd>", shown(value)),
        None => "<dt>record</dt><dd>too large to show</dd>".to_owned(),
    };
    let _ = write!(
        out,
        "<li data-number=\"{number}\"><div class=\"meta\"><b>#{number}</b><span>{age}</span>\
         <span class=\"size\">{format}, {bytes} bytes</span></div><dl class=\"fields\">{fields}</dl></li>",
        number = entry.number,
        age = age(now_ms.saturating_sub(entry.received_ms)),
        format = entry.format.name(),
        bytes = entry.bytes,
    );
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", escape(&text[..end])),
        None => escape(&text),
    }
}

fn age(ms: u64) -> String {
    match ms / 1000 {
        0 => "just now".to_owned(),
        seconds @ 1..=59 => format!("{seconds} s ago"),
        seconds @ 60..=3599 => format!("{} min ago", seconds / 60),
        seconds @ 3600..=86_399 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::decode::{BodyFormat, DecodedRecord};
    use super::*;

    fn page(title: &str, record: &Value) -> String {
        let mut log = RecordLog::new(10);
        let record = DecodedRecord::new(record.clone(), &[0; 27]);
        log.push(&record, None, BodyFormat::Datum, 1_000);
        Page::new(title).render(&log, 65_000)
    }

    #[test]
    fn escapes_markup_in_records_and_titles() {
        let page = page(
            "<b>A&B</b>",
            &json!({"<i>": "<script>alert('x')</script>", "n": ["\"<b>\"", "\u{202e}gnp"]}),
        );
        for forbidden in ["<script>alert", "<i>", "<b>A", "\"<b>", "\u{202e}"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(page.contains("&lt;b&gt;A&amp;B&lt;/b&gt;"));
    }

    #[test]
    fn shows_each_field_with_its_age_and_size() {
        let page = page("API type A", &json!({"id": 1010, "name": "Paul"}));
        assert!(
            page.contains("<dt>id</dt><dd class=\"number\">1010</dd><dt>name</dt><dd>Paul</dd>")
        );
        assert!(page.contains("1 min ago"));
        assert!(page.contains("datum, 27 bytes"));
    }

    #[test]
    fn truncates_a_long_value_between_characters() {
        let page = page("A", &json!({"name": "é".repeat(MAX_VALUE + 1)}));
        assert!(page.contains(&format!("{}…", "é".repeat(MAX_VALUE))));
        assert!(!page.contains(&"é".repeat(MAX_VALUE + 1)));
    }

    #[test]
    fn two_titles_have_different_colours_and_a_policy_without_inline_code() {
        let (a, b) = (Page::new("API type A"), Page::new("API type B"));
        assert!(a.hue.abs_diff(b.hue) > 60);
        assert!(!a.policy().contains("unsafe"));
    }
}
