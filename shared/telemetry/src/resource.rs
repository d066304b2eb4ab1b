//! The resource of the signals: which program they come from. Pure.

use std::collections::BTreeMap;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use percent_encoding::percent_decode_str;

/// The program that the signals come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name, for `service.name`.
    pub name: &'static str,
    /// Its version, for `service.version`.
    pub version: &'static str,
}

impl Program {
    /// The resource: name and version of the program and of the SDK, `attributes`, and above them those of the standard
    /// variables `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`
    /// (<https://opentelemetry.io/docs/specs/otel/resource/sdk/>).
    ///
    /// A malformed `OTEL_RESOURCE_ATTRIBUTES` is ignored as a whole, as the specification recommends.
    pub fn resource(
        self,
        attributes: impl IntoIterator<Item = (&'static str, String)>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Resource {
        let mut all = BTreeMap::from([
            ("service.name".to_owned(), self.name.to_owned()),
            ("service.version".to_owned(), self.version.to_owned()),
        ]);
        all.extend(
            attributes
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value)),
        );
        let variable = environment("OTEL_RESOURCE_ATTRIBUTES");
        all.extend(variable.as_deref().and_then(parse).unwrap_or_default());
        if let Some(name) = environment("OTEL_SERVICE_NAME").filter(|name| !name.is_empty()) {
            all.insert("service.name".to_owned(), name);
        }
        let attributes = all
            .into_iter()
            .map(|(key, value)| KeyValue::new(key, value));
        Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_attributes(attributes)
            .build()
    }
}

/// The pairs `key1=value1,key2=value2`, percent-decoded; `None` if one is malformed.
pub(crate) fn parse(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (decode(key)?, decode(value)?);
        (!key.is_empty()).then_some((key, value))
    };
    pairs.map(pair).collect()
}

fn decode(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text.trim()).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use opentelemetry::Key;

    use super::*;

    fn attributes(variables: &[(&str, &str)]) -> impl Fn(&'static str) -> Option<String> + use<> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let program = Program {
            name: "forward",
            version: "1.2.3",
        };
        let resource = program.resource([("topic", "orders".to_owned())], find);
        move |key| Some(resource.get(&Key::new(key))?.to_string())
    }

    #[test]
    fn names_the_program_and_its_version() {
        let of = attributes(&[]);
        assert_eq!(of("service.name").as_deref(), Some("forward"));
        assert_eq!(of("service.version").as_deref(), Some("1.2.3"));
        assert_eq!(of("topic").as_deref(), Some("orders"));
        assert_eq!(of("telemetry.sdk.language").as_deref(), Some("rust"));
    }

    #[test]
    fn the_standard_variables_override_it() {
        let all = (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=a, team=caf%C3%A9%2C b ,,topic=x",
        );
        let of = attributes(&[all]);
        assert_eq!(of("service.name").as_deref(), Some("a"));
        assert_eq!(of("team").as_deref(), Some("café, b"));
        assert_eq!(of("topic").as_deref(), Some("x"));
        let of = attributes(&[all, ("OTEL_SERVICE_NAME", "orders-forward")]);
        assert_eq!(of("service.name").as_deref(), Some("orders-forward"));
    }

    #[test]
    fn ignores_malformed_attributes() {
        for text in ["team", "team=a,=b", "a=%ff", "a=1,b", "="] {
            let of = attributes(&[
                ("OTEL_RESOURCE_ATTRIBUTES", text),
                ("OTEL_SERVICE_NAME", ""),
            ]);
            assert_eq!(of("service.name").as_deref(), Some("forward"), "{text}");
            assert_eq!(of("team").or(of("a")), None, "{text}");
        }
    }
}
