//! Prometheus' text format 0.0.4, read strictly.

use std::collections::{BTreeMap, BTreeSet};

/// A series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
}

impl Series {
    pub(super) fn new<'l>(
        name: &str,
        labels: impl IntoIterator<Item = (&'l str, &'l str)>,
    ) -> Self {
        let labels = labels.into_iter();
        Self {
            name: name.to_owned(),
            labels: labels
                .map(|(label, value)| (label.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

/// The metrics of a text.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    pub(super) samples: BTreeMap<Series, f64>,
    /// Name to type.
    pub(super) types: BTreeMap<String, String>,
    pub(super) help: BTreeMap<String, String>,
}

impl Exposition {
    /// Each family is one block with HELP and TYPE, and each series occurs once.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut all = Self::default();
        let (mut family, mut seen) = (String::new(), BTreeSet::new());
        if !text.ends_with('\n') {
            return Err("no line feed at the end".to_owned());
        }
        for line in text.lines() {
            let error = |what: &str| format!("{what}: {line:?}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').ok_or(error("no help"))?;
                if !seen.insert(name.to_owned()) {
                    return Err(error("a second block"));
                }
                all.help.insert(name.to_owned(), help.to_owned());
                family = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or(error("no type"))?;
                if name != family || !["gauge", "counter", "histogram"].contains(&kind) {
                    return Err(error("an unexpected type"));
                }
                all.types.insert(name.to_owned(), kind.to_owned());
            } else {
                let (series, value) = sample(line).ok_or(error("malformed"))?;
                let suffixes = match all.types.get(&family).map(String::as_str) {
                    Some("histogram") => &["_bucket", "_sum", "_count"][..],
                    Some(_) => &[""],
                    None => return Err(error("no type")),
                };
                let is_of_family =
                    |suffix: &&str| series.name.strip_prefix(&*family) == Some(*suffix);
                if !suffixes.iter().any(is_of_family) {
                    return Err(error("another family"));
                }
                if all.samples.insert(series, value).is_some() {
                    return Err(error("a second value"));
                }
            }
        }
        Ok(all)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.samples.keys().any(|series| series.name == name)
    }

    /// The sum of the series of this name with this label.
    pub(super) fn sum(&self, name: &str, label: (&str, &str)) -> f64 {
        let series = self.samples.iter().filter(|(series, _)| {
            let found = series.labels.get(label.0);
            series.name == name && found.map(String::as_str) == Some(label.1)
        });
        series.map(|(_, value)| value).sum()
    }
}

fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// `name{label="value",…} 1.5`
fn sample(line: &str) -> Option<(Series, f64)> {
    let (name, mut rest) = line.split_once('{')?;
    let mut labels = BTreeMap::new();
    loop {
        let (label, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
            return None;
        }
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => {
                rest = after.strip_prefix("} ")?;
                break;
            }
        }
    }
    let value: f64 = rest.parse().ok().filter(|value: &f64| value.is_finite())?;
    let name = name.to_owned();
    is_name(&name).then_some((Series { name, labels }, value))
}

/// The value until the closing quotation mark, and the text after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

#[test]
fn malformed_texts_are_rejected() {
    let block = "# HELP a A.\n# TYPE a gauge\n";
    let parse = |rest: &str| Exposition::parse(&format!("{block}{rest}"));
    let parsed = parse("a{b=\"x\\n\\\"\\\\\",c=\"\"} 1\n").unwrap();
    let series = Series::new("a", [("b", "x\n\"\\"), ("c", "")]);
    assert_eq!(parsed.samples[&series], 1.0);
    for rest in [
        "a{b=\"x\"} 1",
        "a{b=\"x\"} x\n",
        "a{b=\"x\"} NaN\n",
        "a{b=x} 1\n",
        "a{b=\"\\x\"} 1\n",
        "a{b=\"x\",b=\"y\"} 1\n",
        "b{b=\"x\"} 1\n",
        "a{b=\"x\"} 1\na{b=\"x\"} 1\n",
        "# HELP a A.\n",
        "# TYPE b gauge\n",
    ] {
        assert!(parse(rest).is_err(), "{rest}");
    }
}
