//! The records of a simulated week, and what endpoints and dead-letter topic show of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use testkit::endpoint::{Endpoint, Request};
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::user_of;
use crate::stage::Stage;

/// What a record is, and so what must happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Route A delivers it.
    A,
    /// Route B delivers it.
    B,
    /// Endpoint A rejects it with 400 until it is repaired.
    Rejected,
    /// Endpoint B answers 500 to it, always.
    Poison,
    /// It is not a datum.
    Invalid,
    /// No route matches it.
    Unmatched,
    /// It has no value.
    Tombstone,
}

impl Kind {
    /// The route that matches it.
    pub(crate) fn route(self) -> Option<&'static str> {
        match self {
            Self::A | Self::Rejected => Some("A"),
            Self::B | Self::Poison => Some("B"),
            Self::Invalid | Self::Unmatched | Self::Tombstone => None,
        }
    }

    /// The cause of its dead letter, if it becomes one.
    pub(crate) fn cause(self) -> Option<&'static str> {
        match self {
            Self::Rejected => Some("refused"),
            Self::Poison => Some("undeliverable"),
            Self::Invalid => Some("undecodable"),
            Self::A | Self::B | Self::Unmatched | Self::Tombstone => None,
        }
    }

    pub(crate) fn is_skipped(self) -> bool {
        matches!(self, Self::Unmatched | Self::Tombstone)
    }

    /// The beginning of the name of its users.
    fn prefix(self) -> &'static str {
        match self {
            Self::A => "a-",
            Self::B => "b-",
            Self::Rejected => "rejected-",
            Self::Poison => "poison-",
            Self::Invalid | Self::Unmatched | Self::Tombstone => "other-",
        }
    }

    /// Whether the user in the request is of this kind.
    pub(crate) fn is_in(self, request: &Request) -> bool {
        user_of(request).name.starts_with(self.prefix())
    }
}

/// A record in the topic.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// Its partition and offset.
    pub(crate) at: (i32, i64),
}

/// All records of the topic.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) written: Vec<Written>,
}

impl Ledger {
    /// Writes records of these kinds.
    pub(crate) fn write(&mut self, stage: &Stage, kinds: &[Kind]) {
        let first = self.written.len();
        let names: Vec<String> = kinds
            .iter()
            .zip(first..)
            .map(|(kind, number)| format!("{}{number}", kind.prefix()))
            .collect();
        let records = kinds.iter().zip(&names).zip(first..);
        let records: Vec<NewRecord> = records
            .map(|((kind, name), number)| record(*kind, name, (number % 3) as i32))
            .collect();
        let places = stage.write(&records);
        let written = kinds.iter().zip(names).zip(places);
        self.written
            .extend(written.map(|((kind, name), at)| Written {
                kind: *kind,
                name,
                at,
            }));
    }

    pub(crate) fn count(&self, wanted: impl Fn(Kind) -> bool) -> usize {
        let kinds = self.written.iter().map(|written| written.kind);
        kinds.filter(|kind| wanted(*kind)).count()
    }
}

fn record(kind: Kind, name: &str, partition: i32) -> NewRecord {
    let value = match kind {
        Kind::A | Kind::Rejected => User::new(1010, name).encode(),
        Kind::B | Kind::Poison => User::new(1020, name).encode(),
        Kind::Invalid => [&[0xff; 11], name.as_bytes()].concat(),
        Kind::Unmatched => User::new(7, name).encode(),
        Kind::Tombstone => Vec::new(),
    };
    // Older than `GIVE_UP_AFTER`, and not twice as old.
    let nine_hours_ago = SystemTime::now() - Duration::from_secs(9 * 3600);
    let nine_hours_ago = nine_hours_ago.duration_since(UNIX_EPOCH).unwrap();
    NewRecord {
        partition: Some(partition),
        key: Some(name.as_bytes().to_vec()),
        value: (kind != Kind::Tombstone).then_some(value),
        timestamp: (kind == Kind::Poison).then_some(nine_hours_ago.as_millis() as i64),
        ..NewRecord::default()
    }
}

/// The records that are written before the run of this number.
pub(crate) fn records_before(number: usize) -> Vec<Kind> {
    let mut kinds = vec![Kind::A, Kind::B, Kind::A, Kind::Unmatched, Kind::B, Kind::A];
    let sometimes = [
        (2, Kind::Rejected),
        (3, Kind::Invalid),
        (5, Kind::Tombstone),
        (14, Kind::Poison),
    ];
    for (every, kind) in sometimes {
        if number.is_multiple_of(every) {
            kinds.push(kind);
        }
    }
    kinds.push(Kind::B);
    kinds
}

/// What endpoints and dead-letter topic show.
pub(crate) struct Seen {
    /// The number of accepted requests of A and of B.
    pub(crate) accepted: [usize; 2],
    /// The idempotency key of each accepted user, by name.
    pub(crate) keys: BTreeMap<String, String>,
    /// The dead letters, by the partition and the offset of the record.
    pub(crate) letters: BTreeMap<(i32, i64), String>,
}

impl Seen {
    /// Reads the logs of the endpoints and the dead-letter topic. No record has two dead letters.
    pub(crate) fn read(stage: &Stage, endpoints: [&Endpoint; 2]) -> Self {
        let mut keys = BTreeMap::new();
        let accepted = endpoints.map(|endpoint| {
            let requests = endpoint.requests().into_iter();
            let accepted: Vec<Request> = requests.filter(|one| one.answered == Some(200)).collect();
            for request in &accepted {
                let key = request.header("idempotency-key").unwrap().to_owned();
                keys.insert(user_of(request).name, key);
            }
            accepted.len()
        });
        let mut letters = BTreeMap::new();
        for letter in stage.dead_letters() {
            let number = |name: &str| letter.header(name)?.parse::<i64>().ok();
            // The records that discard letters have no origin.
            let Some(partition) = number("__connect.errors.partition") else {
                continue;
            };
            let at = (partition as i32, number("__connect.errors.offset").unwrap());
            let cause = letter.header("frontdoor.cause").unwrap();
            assert_eq!(letters.insert(at, cause), None, "two letters of {at:?}");
        }
        Self {
            accepted,
            keys,
            letters,
        }
    }

    /// Whether a run has delivered, dead-lettered or skipped the record.
    pub(crate) fn is_completed(&self, written: &Written) -> bool {
        written.kind.is_skipped()
            || self.letters.contains_key(&written.at)
            || self.keys.contains_key(&written.name)
    }

    /// The number of distinct idempotency keys of accepted requests.
    pub(crate) fn distinct_keys(&self) -> usize {
        self.keys.values().collect::<BTreeSet<_>>().len()
    }
}
