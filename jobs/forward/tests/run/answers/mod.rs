//! Answers of endpoints that a route keeps in topics.

mod content;
mod failures;
mod outcomes;

use std::io::Write as _;

use super::*;

const SUCCESS: &str = "orders.accepted";
const ERROR: &str = "orders.refused";
const BOTH: &str = "success_topic: orders.accepted, error_topic: orders.refused";

/// One partition of records, an endpoint that answers with the script, and both topics of answers.
struct AnswerStage {
    stage: Stage,
    routes: tempfile::NamedTempFile,
}

impl AnswerStage {
    /// `members`: those of `answers`. `more`: further members of the route, which takes every record.
    fn new(a: Endpoint, members: &str, more: &str) -> Self {
        let stage = Stage::new(a, Endpoint::always(Answer::ok()).unwrap());
        for topic in [SUCCESS, ERROR] {
            stage.broker.create_topic(topic, 3).unwrap();
        }
        let mut routes = tempfile::NamedTempFile::new().unwrap();
        let url = stage.a.url();
        write!(
            routes,
            "version: 1\nroutes: [{{name: A, when: 'true', url: '{url}', answers: {{{members}}}, {more}}}]"
        )
        .unwrap();
        Self { stage, routes }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.stage.forward(arguments);
        command
            .env_remove("API_TYPE_A_URL")
            .env_remove("API_TYPE_B_URL")
            .env("ROUTES", self.routes.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::from_output(&self.command(arguments).output().unwrap())
    }

    /// Writes records with these names to partition 0, each with its name as the key.
    fn write(&self, names: &[&str]) {
        let record = |name: &&str| NewRecord {
            key: Some(name.as_bytes().to_vec()),
            ..NewRecord::to(0, user(1010, name))
        };
        let records: Vec<NewRecord> = names.iter().map(record).collect();
        let topics = Topics::connect(self.stage.broker.bootstrap()).unwrap();
        topics.write(TOPIC, &records).unwrap();
    }

    fn stored(&self, topic: &str) -> Vec<records::StoredRecord> {
        records::all(self.stage.broker.bootstrap(), topic).unwrap()
    }

    /// The valid envelopes in a topic, by the offset of the source record. Each was stored once.
    fn answers(&self, topic: &str) -> BTreeMap<i64, Value> {
        let all: Vec<Value> = self.stored(topic).iter().map(envelope).collect();
        for answer in &all {
            if let Err(error) = testkit::schemas::validate("answer", answer) {
                panic!("{error:#}: {answer:#}");
            }
        }
        let count = all.len();
        let by_offset = all
            .into_iter()
            .map(|answer| (answer["offset"].as_i64().unwrap(), answer));
        let by_offset: BTreeMap<i64, Value> = by_offset.collect();
        assert_eq!(by_offset.len(), count);
        by_offset
    }

    /// The group's committed offset of partition 0.
    fn committed(&self) -> i64 {
        let topics = Topics::connect(self.stage.broker.bootstrap()).unwrap();
        let committed = topics.committed("frontdoor", TOPIC).unwrap();
        committed.get(&0).map_or(0, |committed| committed.offset)
    }
}

/// The envelope of a stored answer.
fn envelope(stored: &records::StoredRecord) -> Value {
    serde_json::from_slice(stored.value.as_ref().unwrap()).unwrap()
}

fn has(request: &testkit::endpoint::Request, name: &str) -> bool {
    let mut parts = request.body.windows(name.len());
    parts.any(|part| part == name.as_bytes())
}
