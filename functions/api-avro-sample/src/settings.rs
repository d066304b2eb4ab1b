//! The settings of the sample endpoint.

use caller_auth::settings::CALLER_AUTH;
use http_server::settings::HTTP_SERVER;
use settings::Group;
use settings::common::{EVERY_PROGRAM, ORACLE_CLOUD};

/// Every group of settings that the endpoint reads, in the order of its help.
pub static GROUPS: [&Group; 5] = [
    &SAMPLE_ENDPOINT,
    &HTTP_SERVER,
    &CALLER_AUTH,
    &EVERY_PROGRAM,
    &ORACLE_CLOUD,
];

settings::settings! {
    [SAMPLE_ENDPOINT = "Sample endpoint"]
    API_TITLE = "api_title" or "API", "The endpoint's name, in its log lines and on its page.";
    API_MAX_RECORDS = "api_max_records" or "100", "The number of most recent records on the page.";
    API_MAX_KEYS = "api_max_keys" or "100000", "The number of idempotency keys that the endpoint keeps. The oldest is removed first.";
}
