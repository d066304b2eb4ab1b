//! The function as an HTTP server.

use std::path::Path;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use testkit::http as client;
use testkit::kafka::Kafka;
use testkit::program::Program;

pub(crate) struct Server {
    _program: Program,
    url: String,
}

impl Server {
    /// Starts the function with Kafka's settings and these.
    pub(crate) async fn start(kafka: &Kafka, settings: &[(&str, &str)]) -> Self {
        let mut all: Vec<(&str, &str)> = kafka.environment().collect();
        all.extend([("LISTEN", "127.0.0.1:0"), ("LOG_FORMAT", "text")]);
        all.extend_from_slice(settings);
        let program = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
        let mut program = Program::start("function", program, &all, |_| {}).unwrap();
        let line = program.wait_for_line("listening address=").await.unwrap();
        let (_, address) = line.split_once("address=").unwrap();
        let url = format!("http://{address}/");
        Self {
            _program: program,
            url,
        }
    }

    pub(crate) async fn post_json(&self, body: &serde_json::Value) -> Response<Bytes> {
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string().into());
        client::send(request.unwrap()).await.unwrap()
    }
}
