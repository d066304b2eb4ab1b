//! Finds every malformed route of a file of which a parser reports only the first.
//!
//! A YAML parser cannot continue after an error in a value. So the file is parsed again without the routes that are known
//! to be malformed, until no further one is found.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Options, Spanned};

use super::problem::RouteProblem;
use super::text::RouteText;

/// The maximum number of malformed routes that are reported. Each one costs another parse of the file.
const MAX_PROBLEMS: usize = 20;

/// The routes that are well-formed, each with its line, and the others' problems: at least one. `first` is the error of the
/// whole file.
pub(super) fn parse(
    text: &str,
    options: &Options,
    first: &serde_saphyr::Error,
) -> (Vec<(u64, RouteText)>, Vec<RouteProblem>) {
    let mut malformed = BTreeSet::new();
    let mut problems: Vec<RouteProblem> = Vec::new();
    loop {
        let current = Cell::new(None);
        let file = File {
            malformed: &malformed,
            current: &current,
        };
        let parsed = serde_saphyr::with_deserializer_from_str_with_options(
            text,
            options.clone(),
            |file_de| file.deserialize(file_de),
        );
        let error = match parsed {
            Ok(routes) if !problems.is_empty() => return (routes, problems),
            Err(error) if !problems.is_empty() || current.get().is_some() => error,
            // Not in a route.
            Ok(_) | Err(_) => return (Vec::new(), vec![RouteProblem::of_file(first.to_string())]),
        };
        let problem = RouteProblem {
            line: error.location().map(|location| location.line()),
            route: None,
            reason: error.to_string(),
        };
        // An error of the syntax is found in each pass.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
        match current.get() {
            Some(index) if malformed.insert(index) => {
                if malformed.len() == MAX_PROBLEMS {
                    let reason =
                        format!("after {MAX_PROBLEMS} malformed routes, no more are checked");
                    problems.push(RouteProblem::of_file(reason));
                    return (Vec::new(), problems);
                }
            }
            _ => return (Vec::new(), problems),
        }
    }
}

/// The file without its malformed routes.
#[derive(Clone, Copy)]
struct File<'p> {
    malformed: &'p BTreeSet<usize>,
    /// The index of the route that is being parsed.
    current: &'p Cell<Option<usize>>,
}

/// The list of routes in it.
struct List<'p>(File<'p>);

impl<'de> DeserializeSeed<'de> for File<'_> {
    type Value = Vec<(u64, RouteText)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_> {
    type Value = Vec<(u64, RouteText)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with version and routes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut routes = None;
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "routes" => routes = Some(members.next_value_seed(List(self))?),
                "version" => drop(members.next_value::<u32>()?),
                other => return Err(A::Error::unknown_field(other, &["version", "routes"])),
            }
        }
        routes.ok_or_else(|| A::Error::missing_field("routes"))
    }
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Vec<(u64, RouteText)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Vec<(u64, RouteText)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of routes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut routes = Vec::new();
        for index in 0.. {
            self.0.current.set(Some(index));
            if self.0.malformed.contains(&index) {
                if items.next_element::<IgnoredAny>()?.is_none() {
                    break;
                }
                continue;
            }
            match items.next_element::<Spanned<RouteText>>()? {
                Some(route) => routes.push((route.defined.line(), route.value)),
                None => break,
            }
        }
        self.0.current.set(None);
        Ok(routes)
    }
}

#[cfg(test)]
mod tests {
    use settings::Settings;

    use super::super::RouteFile;
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let found = RouteFile::parse(text, &Settings::default());
        found.problems.iter().map(RouteProblem::to_string).collect()
    }

    #[test]
    fn every_wrong_route_is_reported_in_order_with_each_of_its_faults() {
        let text = "version: 1
routes:
- {name: good, when: 'true', url: 'http://a'}
- name: A
  when: 'true'
  url: ftp://a
  batch: 0
  headers: {Host: x}
- {name: B, when: 'true', url: 'http://b', ulr: x}
- name: C
  when: 'true'
  url: 'http://c'
  batch: many
- {name: D, when: 'true', url: 'http://d', auth: {bearer: 'hunter 2'}, success_on: ['x']}
";
        let expected = [
            "line 4, route \"A\": its url has the scheme \"ftp\"",
            "line 4, route \"A\": batch is 0",
            "line 4, route \"A\": the header \"Host\"",
            "unknown field `ulr`",
            "invalid u64 at line 13",
            "line 14, route \"D\": success_on has \"x\"",
            "line 14, route \"D\": the bearer token",
        ];
        let problems = problems(text);
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.contains(expected), "{problem}");
            assert!(!problem.contains("hunter"), "{problem}");
        }
        let found = RouteFile::parse(text, &Settings::default());
        let names: Vec<&str> = found.routes.iter().map(|route| &*route.name).collect();
        assert_eq!(names, ["good"]);
        assert_eq!(found.definitions.len(), 3);
    }

    #[test]
    fn an_error_of_the_syntax_or_of_the_file_is_reported_once() {
        for text in [
            "version: 1\nroutes:\n- {name: A\n- {name: B}\n",
            "version: 1\nroutes:\n- name: 'A\n",
            "version: 1\nroutes: hunter2\n",
            "version: x\nroutes: []\n",
            "routes: [{name: A, when: x, url: 'http://a'}]",
            "version: 1\nroute: []\n",
            "",
            "\u{0}",
        ] {
            let problems = problems(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(!problems[0].contains("hunter"), "{problems:?}");
        }
    }

    #[test]
    fn the_number_of_passes_is_bounded() {
        let text = format!("version: 1\nroutes:\n{}", "- {name: A}\n".repeat(1_000));
        let problems = problems(&text);
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert!(problems[MAX_PROBLEMS].starts_with("after 20 malformed routes"));
    }
}
