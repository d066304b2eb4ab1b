//! Runs the ingest function as a process, and publishes records through it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Request;
use serde_json::Value;
use testkit::http as client;
use testkit::program::{self, Program};

use crate::canary;

/// A running ingest function.
pub(crate) struct Ingest {
    _program: Program,
    url: String,
}

/// The answer to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Acknowledged, with partition and offset.
    Accepted(i32, i64),
    /// The record is not valid (4xx).
    Rejected,
    /// The record may be stored or not (5xx).
    Unavailable,
}

impl Ingest {
    /// Starts the function, with its log in a file.
    pub(crate) async fn start(bootstrap: &str, topic: &str, log: PathBuf) -> Result<Self> {
        let settings = [
            ("KAFKA_BOOTSTRAP_SERVERS", bootstrap),
            ("KAFKA_TOPIC", topic),
            ("LISTEN", "127.0.0.1:0"),
            ("PUBLISH_TIMEOUT", "3s"),
            ("LOG_LEVEL", "debug"),
        ];
        let file = Mutex::new(File::create(&log)?);
        let write = move |line: &str| {
            if let Ok(mut file) = file.lock() {
                let _ = writeln!(file, "{line}");
            }
        };
        let path: &Path = &program::built("fn-recep-avro")?;
        let mut program = Program::start("fn-recep-avro", path, &settings, write)?;
        let line = program.wait_for_line("\"listening\"").await?;
        let line: Value = serde_json::from_str(&line)?;
        let address = line["address"].as_str().context("no address in the log")?;
        let url = format!("http://{address}/");
        Ok(Self {
            _program: program,
            url,
        })
    }

    /// Sends one record, and returns the reply and its text. The request has the caller's token, which the function does
    /// not use.
    pub(crate) async fn publish(
        &self,
        datum: Vec<u8>,
        key: Option<&str>,
    ) -> Result<(Reply, String)> {
        let mut request = Request::post(&self.url)
            .header("content-type", "application/octet-stream")
            .header("authorization", format!("Bearer {}", canary::SECRETS[2]));
        if let Some(key) = key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        let response = client::send(request.body(Bytes::from(datum))?).await?;
        let text = format!(
            "{:?}\n{}",
            response.headers(),
            String::from_utf8_lossy(response.body())
        );
        let reply = match response.status().as_u16() {
            202 => {
                let receipt: Value = serde_json::from_slice(response.body())?;
                let number = |name: &str| receipt[name].as_i64().context("malformed 202");
                Reply::Accepted(number("partition")?.try_into()?, number("offset")?)
            }
            400..500 => Reply::Rejected,
            503 => Reply::Unavailable,
            status => bail!("the ingest function answered {status}: {text}"),
        };
        Ok((reply, text))
    }
}
