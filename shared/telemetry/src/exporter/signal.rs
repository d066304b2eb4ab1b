//! Where one signal is exported to, and how.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use openssl::x509::X509;
use percent_encoding::percent_decode_str;
use runtime::secret::Secret;
use runtime::{files, redact};
use settings::SettingError;

use super::variables::{Variables, malformed, variable};

/// The default of `OTEL_EXPORTER_OTLP_TIMEOUT`.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of a file with certificates.
const MAX_PEM: usize = 1 << 20;

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
    /// Log records.
    Logs,
}

/// A protocol of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `http/protobuf`
    Http,
    /// `grpc`
    Grpc,
}

/// Where a signal is exported to, and how.
#[derive(Clone, Debug)]
pub(crate) struct SignalConfig {
    pub(crate) signal: Signal,
    pub(crate) endpoint: Uri,
    pub(crate) protocol: Protocol,
    /// The headers, marked as sensitive.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) timeout: Duration,
    /// The only authorities that are trusted, as PEM; `None`: those of the system.
    pub(crate) authorities: Option<String>,
    pub(crate) is_compressed: bool,
}

impl Signal {
    /// The word in the names of variables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// Whether the variables ask for the export: by an exporter, or by an endpoint. The endpoint of all signals does not
    /// export logs, which are on standard error already.
    fn is_exported(self, variables: &Variables) -> bool {
        let exporter = format!("{}_exporter", self.name());
        let choices = [("otlp", true), ("none", false)];
        variables.choice(&exporter, &choices).unwrap_or_else(|| {
            let own = format!("exporter_otlp_{}_endpoint", self.name());
            let is_set = |name: &str| variables.text(name).is_some();
            is_set(&own) || (self != Self::Logs && is_set("exporter_otlp_endpoint"))
        })
    }
}

impl SignalConfig {
    /// The configuration of a signal; `None` if it is not exported.
    ///
    /// # Errors
    /// The endpoint, a header or the certificate is malformed.
    pub(crate) fn new(signal: Signal, variables: &Variables) -> Result<Option<Self>, SettingError> {
        if variables.is_true("sdk_disabled") || !signal.is_exported(variables) {
            return Ok(None);
        }
        let (protocol_name, _) = own_or_shared(signal, variables, "protocol");
        let protocols = [("http/protobuf", Protocol::Http), ("grpc", Protocol::Grpc)];
        let protocol = variables.choice(&protocol_name, &protocols);
        let protocol = protocol.unwrap_or(Protocol::Http);
        let (timeout, _) = own_or_shared(signal, variables, "timeout");
        let (compression, _) = own_or_shared(signal, variables, "compression");
        let is_compressed = variables.choice(&compression, &[("gzip", true), ("none", false)]);
        let config = Self {
            signal,
            endpoint: endpoint(signal, protocol, variables)?,
            protocol,
            headers: headers(signal, variables)?,
            timeout: variables.milliseconds(&timeout).unwrap_or(TIMEOUT),
            authorities: authorities(signal, variables)?,
            is_compressed: is_compressed.unwrap_or_default(),
        };
        Ok(Some(config))
    }
}

/// The name of the signal's own variable if that is set, else of the one for all signals; and the value.
fn own_or_shared<'a>(
    signal: Signal,
    variables: &'a Variables,
    name: &str,
) -> (String, Option<&'a str>) {
    let own = format!("exporter_otlp_{}_{name}", signal.name());
    if let Some(text) = variables.text(&own) {
        return (own, Some(text));
    }
    let shared = format!("exporter_otlp_{name}");
    let text = variables.text(&shared);
    (shared, text)
}

/// The URL of the signal. With HTTP, a path is appended to the endpoint of all signals (OpenTelemetry Protocol Exporter,
/// Endpoint URLs for OTLP/HTTP).
fn endpoint(
    signal: Signal,
    protocol: Protocol,
    variables: &Variables,
) -> Result<Uri, SettingError> {
    let own = format!("exporter_otlp_{}_endpoint", signal.name());
    let (name, text) = own_or_shared(signal, variables, "endpoint");
    let (text, default) = match (text, protocol) {
        (Some(text), _) => (text, false),
        (None, Protocol::Http) => ("http://localhost:4318", true),
        (None, Protocol::Grpc) => ("http://localhost:4317", true),
    };
    let mut url = text.to_owned();
    if protocol == Protocol::Http && (default || name != own) {
        url = format!("{}/v1/{}", url.trim_end_matches('/'), signal.name());
    }
    let is_valid = |url: &Uri| {
        let is_http = matches!(url.scheme_str(), Some("http" | "https"));
        let host = url.authority().map_or("", |authority| authority.as_str());
        is_http && !host.is_empty() && !host.contains('@') && !host.starts_with(':')
    };
    url.parse().ok().filter(is_valid).ok_or_else(|| {
        // The value may contain a password.
        let shown = if text.contains('@') {
            "[redacted]"
        } else {
            text
        };
        malformed(
            &name,
            shown,
            "http://HOST:PORT or https://HOST:PORT, without credentials",
        )
    })
}

/// The headers of requests: `name=value,name=value`, percent-encoded (W3C Baggage without properties).
fn headers(
    signal: Signal,
    variables: &Variables,
) -> Result<Vec<(HeaderName, HeaderValue)>, SettingError> {
    let (name, Some(text)) = own_or_shared(signal, variables, "headers") else {
        return Ok(Vec::new());
    };
    let header = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(key.trim().as_bytes()).ok()?, value))
    };
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    let headers: Option<Vec<_>> = parts.map(header).collect();
    let headers = headers.ok_or_else(|| {
        let expected = "name=value,name=value, with percent-encoded values";
        malformed(&name, "[redacted]", expected)
    })?;
    let values = headers.iter().filter_map(|(_, value)| value.to_str().ok());
    redact::protect(&variable(&name), values.map(Secret::new));
    Ok(headers)
}

fn authorities(signal: Signal, variables: &Variables) -> Result<Option<String>, SettingError> {
    let (name, Some(path)) = own_or_shared(signal, variables, "certificate") else {
        return Ok(None);
    };
    let unreadable = |reason| SettingError::Unreadable {
        variable: variable(&name),
        location: path.to_owned(),
        reason,
    };
    let pem = files::read_text(path.as_ref(), MAX_PEM).map_err(unreadable)?;
    let certificates = X509::stack_from_pem(pem.as_bytes()).unwrap_or_default();
    if certificates.is_empty() {
        let reason = "no certificates in PEM (-----BEGIN CERTIFICATE-----)".to_owned();
        return Err(unreadable(reason));
    }
    Ok(Some(pem))
}

#[cfg(test)]
mod tests {
    use super::super::variables::of;
    use super::*;

    fn config(signal: Signal, values: &[(&str, &str)]) -> Option<SignalConfig> {
        SignalConfig::new(signal, &of(values)).unwrap()
    }

    #[test]
    fn nothing_is_exported_unless_an_endpoint_or_an_exporter_is_set() {
        const ENDPOINT: (&str, &str) = ("exporter_otlp_endpoint", "http://c:4318");
        fn is_on(signal: Signal, values: &[(&str, &str)]) -> bool {
            config(signal, values).is_some()
        }
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            assert!(!is_on(signal, &[]));
            assert_eq!(is_on(signal, &[ENDPOINT]), signal != Signal::Logs);
            let exporter = format!("{}_exporter", signal.name());
            assert!(is_on(signal, &[(&exporter, "otlp")]));
            assert!(!is_on(signal, &[ENDPOINT, (&exporter, "none")]));
            assert!(!is_on(signal, &[(&exporter, "console")]));
            let own = format!("exporter_otlp_{}_endpoint", signal.name());
            assert!(is_on(signal, &[(&own, "http://c:4318")]));
            assert!(!is_on(signal, &[ENDPOINT, ("sdk_disabled", "true")]));
        }
    }

    #[test]
    fn only_the_endpoint_of_all_signals_gets_a_path() {
        let endpoint = |values: &[_]| {
            let config = config(Signal::Traces, values).unwrap();
            config.endpoint.to_string()
        };
        let shared = |url| ("exporter_otlp_endpoint", url);
        assert_eq!(
            endpoint(&[shared("http://c:4318")]),
            "http://c:4318/v1/traces"
        );
        assert_eq!(endpoint(&[shared("https://c/x/")]), "https://c/x/v1/traces");
        let own = ("exporter_otlp_traces_endpoint", "https://t/own");
        assert_eq!(endpoint(&[shared("http://c:4318"), own]), "https://t/own");
        let grpc = ("exporter_otlp_protocol", "grpc");
        assert_eq!(endpoint(&[shared("http://c:4317"), grpc]), "http://c:4317/");
        let otlp = ("traces_exporter", "otlp");
        assert_eq!(endpoint(&[otlp]), "http://localhost:4318/v1/traces");
        assert_eq!(endpoint(&[otlp, grpc]), "http://localhost:4317/");
    }

    #[test]
    fn the_variables_of_a_signal_replace_those_of_all_signals() {
        let values = [
            ("exporter_otlp_endpoint", "http://c:4318"),
            ("exporter_otlp_headers", "a=1"),
            ("exporter_otlp_traces_headers", "Api-Key=a%20b, x=2"),
            ("exporter_otlp_timeout", "2000"),
            ("exporter_otlp_compression", "gzip"),
        ];
        let config = config(Signal::Traces, &values).unwrap();
        let headers = config.headers.iter().map(|(name, value)| {
            assert!(value.is_sensitive());
            (name.as_str(), value.to_str().unwrap())
        });
        let headers: Vec<_> = headers.collect();
        assert_eq!(headers, [("api-key", "a b"), ("x", "2")]);
        assert_eq!(config.timeout, Duration::from_secs(2));
        assert!(config.is_compressed);
        assert_eq!(config.protocol, Protocol::Http);
    }

    #[test]
    fn an_error_names_the_variable_and_no_secret() {
        let error = |values: &[_]| {
            let error = SignalConfig::new(Signal::Traces, &of(values)).unwrap_err();
            error.to_string()
        };
        for (value, shown) in [
            ("c:4318", "\"c:4318\""),
            ("ftp://c", "\"ftp://c\""),
            ("http://", "\"http://\""),
            ("http://:1", "\"http://:1\""),
            ("http://user:hunter2@c", "\"[redacted]\""),
        ] {
            let error = error(&[("exporter_otlp_endpoint", value)]);
            assert!(
                error.starts_with(&format!("OTEL_EXPORTER_OTLP_ENDPOINT is {shown}, expected")),
                "{error}"
            );
        }
        let endpoint = ("exporter_otlp_endpoint", "http://c:4318");
        let error_of = |value| error(&[endpoint, ("exporter_otlp_traces_headers", value)]);
        for value in ["hunter2", "a b=hunter2", "a=hunter2%0a"] {
            let error = error_of(value);
            assert!(
                error.starts_with("OTEL_EXPORTER_OTLP_TRACES_HEADERS is"),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = error(&[endpoint, ("exporter_otlp_certificate", "/nowhere")]);
        assert!(
            error.contains("OTEL_EXPORTER_OTLP_CERTIFICATE from /nowhere"),
            "{error}"
        );
    }
}
