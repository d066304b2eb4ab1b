//! The text of `config.properties` and of the routes file. Pure.

use std::fmt::Write;
use std::path::Path;

use kafka::settings::{KAFKA_BOOTSTRAP_SERVERS, KAFKA_TOPIC};
use settings::common::{AVRO_SCHEMA, CONFIG_LOCATION};
use settings::{Group, Setting};

use super::fields::{FieldExample, MAX_EXAMPLES};
use crate::settings::{
    API_TYPE_A_TOKEN, API_TYPE_A_URL, API_TYPE_B_TOKEN, API_TYPE_B_URL, GROUPS, KAFKA_GROUP_ID,
    ROUTES,
};

/// Settings that have no place in the file: its own location, and the built-in routes that the routes file replaces.
static LEFT_OUT: [&Setting; 5] = [
    &CONFIG_LOCATION,
    &API_TYPE_A_URL,
    &API_TYPE_B_URL,
    &API_TYPE_A_TOKEN,
    &API_TYPE_B_TOKEN,
];

/// The settings, each with its description. Those that have a default or may be unset are comments.
pub(super) fn config(schema: &str, routes: &str) -> String {
    let mut text = String::from(
        "# Settings of `forward`. A line that begins with # has no effect. The environment and flags take precedence:\n\
         # kafka_topic here is KAFKA_TOPIC there and --kafka-topic on the command line.\n#\n\
         # Keep secrets out of this file: in the environment, or in a vault of Oracle Cloud (kafka_password_vaultOCID=OCID).\n",
    );
    let values = [
        (&KAFKA_BOOTSTRAP_SERVERS, "localhost:9092"),
        (&KAFKA_TOPIC, KAFKA_TOPIC.default.unwrap_or_default()),
        (&KAFKA_GROUP_ID, KAFKA_GROUP_ID.default.unwrap_or_default()),
        (&AVRO_SCHEMA, schema),
        (&ROUTES, routes),
    ];
    for group in GROUPS {
        let _ = writeln!(text, "\n# {}\n", group.heading);
        for setting in shown(group) {
            let _ = writeln!(text, "# {}", setting.help);
            let value = values.iter().find(|(known, _)| known.name == setting.name);
            let _ = match value {
                Some((_, value)) => writeln!(text, "{}={value}", setting.name),
                None if setting.secret => writeln!(text, "#{}_vaultOCID=", setting.name),
                None if setting.family => writeln!(text, "#{}_<property>=", setting.name),
                None => writeln!(
                    text,
                    "#{}={}",
                    setting.name,
                    setting.default.unwrap_or_default()
                ),
            };
        }
    }
    text
}

fn shown(group: &Group) -> impl Iterator<Item = &'static Setting> {
    let settings = group.settings.iter().copied();
    settings.filter(|setting| !LEFT_OUT.iter().any(|known| known.name == setting.name))
}

/// The routes: one for records with a condition over the first field that has one, and one for all others. The first
/// [`MAX_EXAMPLES`] fields are listed.
pub(super) fn routes(name: &str, fields: &[FieldExample]) -> String {
    let mut text = format!(
        "# Routes of `forward` for records of {name}. The first route whose `when` is true takes a record. Conditions are CEL\n\
         # (https://github.com/google/cel-spec) over the fields:\n#\n"
    );
    let width =
        |part: fn(&FieldExample) -> usize| fields.iter().map(part).max().unwrap_or(0).min(40);
    let (names, kinds) = (
        width(|field| field.name.len()),
        width(|field| field.kind.len()),
    );
    for field in fields.iter().take(MAX_EXAMPLES) {
        let condition = field.condition.as_deref().unwrap_or_default();
        let doc = field.doc.iter().map(|doc| format!("  ({doc})"));
        let line = format!(
            "#   {:names$}  {:kinds$}  {condition}{}",
            field.name,
            field.kind,
            doc.collect::<String>()
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if fields.len() > MAX_EXAMPLES {
        let _ = writeln!(text, "#   and {} more", fields.len() - MAX_EXAMPLES);
    }
    text.push_str("#\n# See which route takes a record, and its request: forward test --records FILE\nversion: 1\nroutes:\n");
    let condition = fields.iter().find_map(|field| field.condition.as_deref());
    if let Some(condition) = condition {
        text.push_str(&route("first", condition, "first"));
    }
    text.push_str(
        "  # All other records; the check warns of it. Without this route, UNMATCHED decides about them.\n",
    );
    text.push_str(&route("others", "true", "others"));
    text
}

/// A route with its most frequent members as comments.
fn route(name: &str, condition: &str, path: &str) -> String {
    // A JSON string is a YAML string.
    let condition = serde_json::Value::from(condition);
    format!(
        "  - name: {name}\n    when: {condition}\n    url: https://api.example/{path}\n    \
         # The body: avro (default), json, ndjson or cloudevents.\n    #format: json\n    \
         # The most records of one request.\n    #batch: 100\n    \
         # The order of deliveries: none (default), key or partition.\n    #order: key\n    \
         # A bearer token from an environment variable.\n    #auth: {{ bearer: \"${{env:API_TOKEN}}\" }}\n    \
         # Limits in place of the settings of the same names.\n    \
         #limits: {{ rate_limit: 50, max_in_flight: 8, request_timeout: 30s }}\n"
    )
}

/// What to do next.
pub(super) fn next(config: &Path, routes: &Path) -> String {
    let (config, routes) = (config.display(), routes.display());
    format!(
        "wrote {config}\nwrote {routes}\n\n\
         Set the URLs and conditions of the routes, and the broker. Then:\n  \
         forward check --offline --config-location {config}\n  \
         forward check --config-location {config}\n  \
         forward run --config-location {config} --dry-run\n"
    )
}
