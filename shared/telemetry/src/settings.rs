//! The settings of telemetry.

settings::settings! {
    [TELEMETRY = "Telemetry"]
    #[family] OTEL = "otel", "A variable of OpenTelemetry's specification, such as OTEL_EXPORTER_OTLP_ENDPOINT. OPERATIONS.md lists them. Unset: nothing is exported.";
}
