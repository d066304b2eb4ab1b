//! What the telemetry is about: the program.

use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use percent_encoding::percent_decode_str;

use super::variables::{Variables, ignored};

/// The program whose telemetry it is.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// `service.name`, unless `OTEL_SERVICE_NAME` is set.
    pub name: &'static str,
    /// `service.version`
    pub version: &'static str,
}

/// The resource of all signals (Resource SDK, Specifying resource information via an environment variable).
pub(crate) fn resource(service: Service, variables: &Variables) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.name", service.name),
        KeyValue::new("service.version", service.version),
    ];
    let given = variables.text("resource_attributes").unwrap_or_default();
    // Later attributes replace earlier ones. If one is malformed, all are ignored.
    match parse(given) {
        Some(given) => attributes.extend(given),
        None => ignored("resource_attributes", given, "name=value,name=value"),
    }
    if let Some(name) = variables.text("service_name") {
        attributes.push(KeyValue::new("service.name", name.to_owned()));
    }
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(attributes)
        .build()
}

fn parse(text: &str) -> Option<Vec<KeyValue>> {
    let decoded = |text: &str| {
        let text = percent_decode_str(text.trim()).decode_utf8().ok()?;
        Some(text.into_owned())
    };
    let attribute = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let key = decoded(key).filter(|key| !key.is_empty())?;
        Some(KeyValue::new(Key::from(key), decoded(value)?))
    };
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts.map(attribute).collect()
}

#[cfg(test)]
mod tests {
    use super::super::variables::of;
    use super::*;

    fn attribute(values: &[(&str, &str)], key: &'static str) -> Option<String> {
        let service = Service {
            name: "forward",
            version: "1",
        };
        let value = resource(service, &of(values)).get(&Key::from_static_str(key))?;
        Some(value.to_string())
    }

    #[test]
    fn the_variables_replace_and_add_attributes() {
        let attributes = (
            "resource_attributes",
            "service.name=a, deployment.environment.name=x%2Cy",
        );
        let name = |values: &[_]| attribute(values, "service.name").unwrap();
        assert_eq!(name(&[]), "forward");
        assert_eq!(name(&[attributes]), "a");
        assert_eq!(name(&[attributes, ("service_name", "b")]), "b");
        let environment = attribute(&[attributes], "deployment.environment.name");
        assert_eq!(environment.as_deref(), Some("x,y"));
        assert_eq!(
            attribute(&[attributes], "service.version").as_deref(),
            Some("1")
        );
        let malformed = ("resource_attributes", "service.name=a,b");
        assert_eq!(name(&[malformed]), "forward");
        let sdk = attribute(&[], "telemetry.sdk.language");
        assert_eq!(sdk.as_deref(), Some("rust"));
    }
}
