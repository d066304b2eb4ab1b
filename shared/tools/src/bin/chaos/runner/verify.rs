//! Collects the evidence and has it checked.

use anyhow::Result;
use testkit::records::{self, StoredRecord};

use super::{ACCEPTED, DEAD_LETTERS, GROUP, REFUSED, Runner, TOPIC};
use crate::checker::{self, DeadLetter, Evidence, KeptAnswer, Output};
use crate::faults::FaultyEndpoint;

/// What earlier checks have covered: the evidence of a deleted topic.
#[derive(Default)]
pub(super) struct Verified {
    pub(super) runs: usize,
    dead_letters: Vec<(i32, i64)>,
    /// In the topic of answers to delivered records, and in that of the others.
    answers: [Vec<(i32, i64)>; 2],
}

impl Runner<'_> {
    /// Checks all evidence since the last check, and adds the verdict.
    pub(super) fn verify(&mut self) -> Result<()> {
        let evidence = self.evidence()?;
        self.outcome.requests += evidence.received.len();
        self.outcome.dead_letters += evidence.dead_letters.len();
        self.outcome.reports += evidence.reports.len();
        self.outcome.verdict.merge(checker::check(&evidence));
        // These runs are not compared with later records.
        for run in &mut self.runs {
            run.fair_routes.clear();
            run.outage = None;
        }
        Ok(())
    }

    /// Adds the logs of all programs, the reports and the dead letters.
    pub(super) fn collect_outputs(&mut self) -> Result<()> {
        for entry in std::fs::read_dir(self.logs.path())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // The file with the routes contains the tokens.
            if name.ends_with(".log") || name.ends_with(".out") {
                let bytes = std::fs::read(entry.path())?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.outputs.push(Output { name, text });
            }
        }
        for topic in [TOPIC, DEAD_LETTERS, ACCEPTED, REFUSED] {
            let stored = records::all(self.kafka.bootstrap(), topic)?;
            self.outputs.extend(stored.iter().map(|record| Output {
                name: format!("{topic}/{}@{}", record.partition, record.offset),
                text: text_of(record),
            }));
        }
        Ok(())
    }

    fn evidence(&mut self) -> Result<Evidence> {
        let bootstrap = self.kafka.bootstrap();
        let mut dead_letters = records::all(bootstrap, DEAD_LETTERS)?;
        let verified = std::mem::take(&mut self.verified);
        dead_letters.retain(|letter| {
            !verified
                .dead_letters
                .contains(&(letter.partition, letter.offset))
        });
        self.verified = Verified {
            answers: verified.answers,
            runs: self.runs.len(),
            dead_letters: dead_letters
                .iter()
                .map(|letter| (letter.partition, letter.offset))
                .collect(),
        };
        let bootstrap = self.kafka.bootstrap().to_owned();
        let received = self.endpoints.iter().flat_map(FaultyEndpoint::received);
        let committed = self.topics.committed(GROUP, TOPIC)?;
        Ok(Evidence {
            topic: records::all(&bootstrap, TOPIC)?,
            acknowledged: std::mem::take(&mut self.acknowledged),
            accepted_invalid: std::mem::take(&mut self.accepted_invalid),
            unavailable: std::mem::take(&mut self.unavailable),
            dead_letters: dead_letters.iter().map(DeadLetter::read).collect(),
            received: received
                .filter(|received| received.run >= verified.runs)
                .collect(),
            answers: self.new_answers()?,
            keeps_answers: true,
            reports: std::mem::take(&mut self.reports),
            committed: committed
                .into_iter()
                .map(|(partition, committed)| (partition, committed.offset))
                .collect(),
            runs: self.runs.clone(),
            gives_up: self.gives_up,
            outputs: std::mem::take(&mut self.outputs),
        })
    }

    /// The answers since the last call.
    pub(super) fn new_answers(&mut self) -> Result<Vec<KeptAnswer>> {
        let mut answers = Vec::new();
        let topics = [ACCEPTED, REFUSED].into_iter();
        for (topic, verified) in topics.zip(&mut self.verified.answers) {
            for stored in records::all(self.kafka.bootstrap(), topic)? {
                let place = (stored.partition, stored.offset);
                if !verified.contains(&place) {
                    verified.push(place);
                    answers.push(KeptAnswer::read(&stored, topic == ACCEPTED));
                }
            }
        }
        Ok(answers)
    }
}

fn text_of(record: &StoredRecord) -> String {
    let key = record.key.iter().chain(&record.value);
    let headers = record
        .headers
        .iter()
        .filter_map(|(_, value)| value.as_ref());
    let parts = key.chain(headers);
    parts
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned() + "\n")
        .collect()
}
