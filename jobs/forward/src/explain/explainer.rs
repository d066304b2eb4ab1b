//! Reads the records and what the group's commits say about them.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kafka::list_offsets::TopicOffsets;
use kafka::reader::{Reader, SourceError};
use kafka::scan::ScanEnd;
use offsets::offset_map::Scope;
use offsets::window::{PartitionOffsets, WindowEnd, WindowStart};
use record::{Coordinates, InvalidCoordinates, Message};
use schema_registry::RegistryError;
use writer_schemas::WriterSchemas;

use super::cli::{ExplainOptions, Selection};
use super::describe;
use super::outcome::ExplainOutcome;
use super::read::{Absence, read};
use super::report::{ExplainReport, Explanation, RecordState, VERSION};
use super::search::Search;
use super::state;
use crate::dead_letter::StoredDeadLetter;
use crate::dead_letters::LetterTopic;
use crate::job::Job;
use crate::lookup;
use crate::pipeline::RecordRouter;
use crate::request_preview::{PreviewError, RequestPreview};
use crate::route_config::RouteConfig;
use crate::scope;
use crate::time_bound::TimeBound;

/// Why nothing is explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The broker failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The schema registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The requests of the routes cannot be built.
    #[error(transparent)]
    Preview(#[from] PreviewError),
    /// The coordinates have another form.
    #[error(transparent)]
    Coordinates(#[from] InvalidCoordinates),
    /// `--id-field` names a field that `AVRO_SCHEMA` does not have.
    #[error("--id-field: {0}")]
    Field(avro::SchemaError),
}

impl ExplainError {
    /// How the command ends.
    pub fn outcome(&self) -> ExplainOutcome {
        match self {
            Self::Source(_) | Self::Registry(_) => ExplainOutcome::Source,
            Self::Preview(_) | Self::Coordinates(_) | Self::Field(_) => {
                ExplainOutcome::Configuration
            }
        }
    }
}

/// Explains the records of the selection. Writes nothing, and joins no group.
///
/// # Errors
/// The broker or the schema registry failed, or the selection does not fit the settings.
pub fn explain(
    job: &Job,
    options: &ExplainOptions,
    now: SystemTime,
) -> Result<ExplainReport, ExplainError> {
    let topic: Arc<str> = Arc::from(job.config.kafka.topic.as_str());
    let reader = lookup::reader(&job.config, &topic)?;
    let wait = lookup::wait(job.config.start_timeout);
    let (start, end) = match &options.selection {
        Selection::At(_) => (WindowStart::Committed, WindowEnd::Now),
        Selection::Search { since, until, .. } => (
            WindowStart::Time(since.milliseconds(now)),
            until.map_or(WindowEnd::Now, |until| {
                WindowEnd::Time(until.milliseconds(now))
            }),
        ),
    };
    let listed = reader.list_offsets(&start, &end, &wait)?;
    let mut explainer = Explainer {
        scope: scope::scope(
            &job.routes,
            &job.sources.schemas,
            &job.route_configs,
            &listed,
        ),
        previews: RequestPreview::all(
            &job.config,
            &job.route_configs,
            &listed.stream,
            job.sources.schemas.reader(),
        )?,
        paused_until: lookup::paused(job, &reader, now),
        schemas: job.sources.schemas.clone(),
        timeout: options.timeout,
        listed,
        reader,
        topic,
        job,
    };
    let mut report = ExplainReport {
        version: VERSION,
        group: job.config.group.clone(),
        records: Vec::new(),
        search: None,
        notes: Vec::new(),
    };
    match &options.selection {
        Selection::At(text) => {
            let at = Coordinates::parse(text, Some(&explainer.topic))?;
            report.records.push(explainer.at(&at)?);
        }
        Selection::Search {
            criterion, limit, ..
        } => {
            let search = Search {
                job,
                reader: &explainer.reader,
                ranges: lookup::between(&explainer.listed.partition_offsets),
                criterion,
                limit: *limit,
                timeout: options.timeout,
            };
            let (found, end) = search.run(&mut explainer.schemas)?;
            for message in found {
                report.records.push(explainer.found(message)?);
            }
            report.search = Some(end);
        }
    }
    let note = explainer.add_dead_letters(&mut report.records, now);
    report.notes.extend(note);
    Ok(report)
}

struct Explainer<'j> {
    job: &'j Job,
    topic: Arc<str>,
    reader: Reader,
    listed: TopicOffsets,
    scope: Scope,
    schemas: WriterSchemas,
    previews: Vec<RequestPreview>,
    /// The end of each route's pause.
    paused_until: Vec<Option<String>>,
    timeout: Duration,
}

impl Explainer<'_> {
    /// Explains the record with these coordinates.
    fn at(&mut self, at: &Coordinates) -> Result<Explanation, ExplainError> {
        let config = &self.job.config;
        match read(config, &self.reader, &self.listed, at, self.timeout)? {
            Ok(message) => self.found(message),
            Err(absence) => Ok(missing(at, absence)),
        }
    }

    /// Explains a record that was read.
    fn found(&mut self, message: Message) -> Result<Explanation, ExplainError> {
        self.add_schema(&message)?;
        let at = message.at.clone();
        let (record, mut routes) = describe::content(&message, &self.schemas, &self.job.routes);
        let mut router = RecordRouter::new(
            &self.job.config,
            &self.job.routes,
            RouteConfig::tombstone_route(&self.job.route_configs),
            self.schemas.clone(),
        );
        let (decision, class) = describe::decision(&mut router, &self.previews, message);
        for route in &mut routes {
            route.takes &= decision.route.as_ref() == Some(&route.route);
        }
        let partition = self.partition(at.partition);
        let (state, sentence) = state::progress(at.offset, &partition, class, &self.scope);
        let paused_until = class.and_then(|class| self.paused_until.get(class).cloned().flatten());
        Ok(Explanation {
            coordinates: at.to_string(),
            state,
            explanation: sentence,
            committed: partition.committed,
            dead_letter: None,
            paused_until: paused_until.filter(|_| state.is_due()),
            record: Some(record),
            routes,
            decision: Some(decision),
        })
    }

    /// The offsets of a partition that exists.
    fn partition(&self, partition: i32) -> PartitionOffsets {
        let mut partitions = self.listed.partition_offsets.iter();
        let found = partitions.find(|known| known.partition == partition);
        found.cloned().unwrap_or(PartitionOffsets {
            partition,
            low: 0,
            high: 0,
            committed: None,
            metadata: String::new(),
            start_time_offset: None,
            end_time_offset: None,
        })
    }

    /// Adds the dead letters of the records. Returns a sentence if not all dead letters could be read.
    fn add_dead_letters(&self, records: &mut [Explanation], now: SystemTime) -> Option<String> {
        let topic = &self.job.config.dead_letter_topic;
        let mut searched: Vec<&mut Explanation> = records
            .iter_mut()
            .filter(|record| record.state.exists() || record.state == RecordState::Deleted)
            .collect();
        if searched.is_empty() {
            return None;
        }
        let since = earliest(&searched, now);
        let found = LetterTopic::open(&self.job.config, since, self.timeout);
        let mut add = |letter: Result<StoredDeadLetter, _>| {
            let Ok(letter) = letter else {
                return ControlFlow::Continue(());
            };
            let coordinates = letter.origin.as_ref().map(Coordinates::to_string);
            let found = searched
                .iter_mut()
                .find(|record| Some(&record.coordinates) == coordinates.as_ref());
            if let Some(record) = found
                && record.dead_letter.is_none()
            {
                record.set_dead_letter(letter.location());
            }
            match searched.iter().all(|record| record.dead_letter.is_some()) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let read = found.and_then(|topic| match topic {
            Some(topic) => topic.each(&topic.ranges(), &mut add),
            None => Ok(ScanEnd::Complete),
        });
        match read {
            Ok(ScanEnd::TimedOut) => Some(format!(
                "The dead letters of {topic} were not read to the end within {:?} (--timeout).",
                self.timeout
            )),
            Ok(_) => None,
            Err(error) => Some(format!("The dead letters are not known: {error}")),
        }
    }

    fn add_schema(&mut self, message: &Message) -> Result<(), ExplainError> {
        Ok(lookup::add_schema(&mut self.schemas, self.job, message)?)
    }
}

/// The time from which on the dead letters of the records were written, in milliseconds since 1970: a dead letter is written
/// after its record. `None` if it is not known.
fn earliest(records: &[&mut Explanation], now: SystemTime) -> Option<i64> {
    let now = TimeBound::At(now).milliseconds(now);
    let timestamps = records.iter().map(|record| {
        let timestamp = record.record.as_ref().and_then(|content| content.timestamp);
        // The clock that set a later timestamp is wrong.
        timestamp.filter(|timestamp| *timestamp <= now)
    });
    timestamps.min().flatten()
}

/// The explanation of a record that cannot be read.
fn missing(at: &Coordinates, absence: Absence) -> Explanation {
    Explanation {
        coordinates: at.to_string(),
        state: absence.state,
        explanation: absence.sentence,
        committed: absence.committed,
        dead_letter: None,
        paused_until: None,
        record: None,
        routes: Vec::new(),
        decision: None,
    }
}
