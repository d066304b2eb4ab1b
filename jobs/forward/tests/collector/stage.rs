//! A broker, a function, an endpoint, and runs of the job.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use testkit::broker::Broker;
use testkit::endpoint::Endpoint;
use testkit::program::{self, Program};
use testkit::records::{self, StoredRecord};
use testkit::user::User;

use crate::TOPIC;

pub(crate) struct Stage {
    pub(crate) broker: Broker,
    pub(crate) endpoint: Endpoint,
    settings: Vec<(&'static str, String)>,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    pub(crate) duration: Duration,
}

impl Stage {
    /// Function and job have these settings.
    pub(crate) fn new(endpoint: Endpoint, settings: &[(&'static str, &str)]) -> Self {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 1).unwrap();
        broker
            .create_topic("FrontDoorTopic-dead-letter", 1)
            .unwrap();
        let settings = settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            settings: settings.collect(),
            broker,
            endpoint,
        }
    }

    fn environment<'s>(&'s self, more: &[(&'s str, &'s str)]) -> Vec<(&'s str, &'s str)> {
        let own = [
            ("KAFKA_BOOTSTRAP_SERVERS", self.broker.bootstrap()),
            ("BACKOFF_INITIAL", "10ms"),
        ];
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        own.into_iter()
            .chain(settings)
            .chain(more.iter().copied())
            .collect()
    }

    /// Sends requests with a datum and these headers to the function, and stops it. Returns its log.
    pub(crate) async fn post(&self, requests: &[&[(&str, &str)]]) -> String {
        self.send(requests, &User::new(1010, "Ana").encode(), 202)
            .await
    }

    /// Sends requests with this body, which the function answers with this status. Returns its log.
    pub(crate) async fn send(
        &self,
        requests: &[&[(&str, &str)]],
        body: &[u8],
        status: u16,
    ) -> String {
        let path = program::built("fn-recep-avro").unwrap();
        let environment = self.environment(&[("LISTEN", "127.0.0.1:0")]);
        let mut function = Program::start("function", &path, &environment, |_| {}).unwrap();
        let line = function.wait_for_line("\"listening\"").await.unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let address = line["address"].as_str().unwrap();
        for headers in requests {
            let mut request =
                Request::post(format!("http://{address}/")).header("content-type", "avro/binary");
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let body = Bytes::copy_from_slice(body);
            let response = testkit::http::send(request.body(body).unwrap())
                .await
                .unwrap();
            assert_eq!(response.status(), status, "{response:?}");
        }
        function.terminate();
        let status = function.wait().await.unwrap();
        assert!(status.success(), "{status}\n{}", function.log());
        function.log()
    }

    /// The records of the topic.
    pub(crate) fn stored(&self) -> Vec<StoredRecord> {
        records::all(self.broker.bootstrap(), TOPIC).unwrap()
    }

    /// Runs the job with one more setting.
    pub(crate) async fn run(&self, more: &[(&str, &str)]) -> Ended {
        let url = self.endpoint.url();
        let mut environment = self.environment(more);
        if more.iter().all(|(name, _)| *name != "ROUTES") {
            environment.push(("API_TYPE_A_URL", &url));
            environment.push(("API_TYPE_B_URL", &url));
        }
        let mut command = program::command(env!("CARGO_BIN_EXE_forward").as_ref());
        let start = Instant::now();
        let output = command.arg("run").envs(environment).output().await.unwrap();
        Ended {
            code: output.status.code(),
            log: String::from_utf8_lossy(&output.stderr).into_owned(),
            duration: start.elapsed(),
        }
    }
}
