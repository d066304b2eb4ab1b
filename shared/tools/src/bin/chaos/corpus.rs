//! Generates the test records: every kind of record that the product distinguishes.

use testkit::topics::NewRecord;
use testkit::user::User;

use crate::checker::FINGERPRINT;
use crate::framed::Writer;
use crate::rng::Rng;

/// Generates records. All values are different, except tombstones.
pub(crate) struct Corpus {
    rng: Rng,
    generated: u64,
    partitions: i32,
}

impl Corpus {
    /// A corpus for a topic with this number of partitions.
    pub(crate) fn new(seed: u64, partitions: i32) -> Self {
        Self {
            rng: Rng::new(seed),
            generated: 0,
            partitions,
        }
    }

    /// The number of generated records.
    pub(crate) fn generated(&self) -> u64 {
        self.generated
    }

    /// Generates `count` records. About `foreign` per cent of them have the fingerprint of another schema.
    pub(crate) fn next(&mut self, count: usize, foreign: u64) -> Vec<NewRecord> {
        (0..count)
            .map(|_| {
                let mut record = self.one();
                if record.value.is_some() && self.rng.percent(foreign) {
                    record.headers = vec![self.foreign_fingerprint()];
                } else if self.rng.percent(10) {
                    record.headers = vec![fingerprint_header(FINGERPRINT)];
                }
                record
            })
            .collect()
    }

    /// A valid value for A, for B or without a route.
    pub(crate) fn valid(&mut self) -> Vec<u8> {
        self.generated += 1;
        let id = [1010, 1020, 999][self.rng.below(3) as usize];
        User::new(id, &format!("user-{}", self.generated)).encode()
    }

    /// A value that is not a valid datum.
    pub(crate) fn malformed(&mut self) -> Vec<u8> {
        self.generated += 1;
        let kind = 94 + self.rng.below(6);
        let name = format!("user-{}", self.generated);
        self.invalid(kind, &name)
    }

    /// Two records that no endpoint ever accepts: it answers 500 to one, and nothing to the other.
    pub(crate) fn never_accepted(&mut self) -> Vec<NewRecord> {
        let ids = match self.rng.percent(50) {
            true => [1010, 1020],
            false => [1020, 1010],
        };
        ids.into_iter()
            .zip(["never-accepted", "never-answered"])
            .map(|(id, kind)| {
                self.generated += 1;
                let user = User::new(id, &format!("{kind}-{}", self.generated));
                let writer = [Writer::Same, Writer::Added][self.rng.below(2) as usize];
                let value = match self.rng.percent(50) {
                    true => writer.encode(&user),
                    false => user.encode(),
                };
                NewRecord::to(self.rng.below(self.partitions as u64) as i32, value)
            })
            .collect()
    }

    /// Records that their endpoint rejects.
    pub(crate) fn rejected(&mut self, count: usize) -> Vec<NewRecord> {
        (0..count)
            .map(|_| {
                self.generated += 1;
                let id = [1010, 1020][self.rng.below(2) as usize];
                let user = User::new(id, &format!("rejected-{}", self.generated));
                NewRecord::to(self.rng.below(self.partitions as u64) as i32, user.encode())
            })
            .collect()
    }

    /// A header with the fingerprint of another schema, or with a malformed one.
    fn foreign_fingerprint(&mut self) -> (String, Option<Vec<u8>>) {
        const FOREIGN: [&str; 4] = ["8f5c393f1ad57572", "CCA6C820BE28D551", "51d528be", ""];
        fingerprint_header(FOREIGN[self.rng.below(FOREIGN.len() as u64) as usize])
    }

    fn one(&mut self) -> NewRecord {
        self.generated += 1;
        let number = self.generated;
        let name = format!("user-{number}");
        let value = match self.rng.below(100) {
            0..40 => Some(self.encode(&User::new(1010, &name))),
            40..80 => Some(self.encode(&User::new(1020, &name))),
            80..90 => Some(self.encode(&User::new(999, &name))),
            90..92 => None,
            92..94 => Some(self.encode(&User::new(1010, &format!("rejected-{number}")))),
            kind => {
                let invalid = self.invalid(kind, &name);
                Some(match self.rng.percent(20) {
                    true => Writer::Same.frame(&invalid),
                    false => invalid,
                })
            }
        };
        NewRecord {
            partition: Some(self.rng.below(self.partitions as u64) as i32),
            key: self
                .rng
                .percent(90)
                .then(|| format!("key-{}", number % 50).into_bytes()),
            value,
            ..NewRecord::default()
        }
    }

    /// A raw datum, or a framed one.
    fn encode(&mut self, user: &User) -> Vec<u8> {
        match self.rng.below(100) {
            0..70 => user.encode(),
            70..80 => Writer::Same.encode(user),
            80..88 => Writer::Added.encode(user),
            88..96 => Writer::Reordered.encode(user),
            _ => Writer::Unknown.encode(user),
        }
    }

    /// Bytes that are not a valid datum, different from all earlier values.
    fn invalid(&mut self, kind: u64, name: &str) -> Vec<u8> {
        let mut datum = User::new(1010, name).encode();
        match kind {
            94 => datum.truncate(datum.len() - 1),
            95 => datum.push(0),
            96 => datum = [&[0xff; 11], name.as_bytes()].concat(),
            97 => datum = [b"\xe4\x0f\x01", name.as_bytes()].concat(),
            98 => datum = [b"Obj\x01", name.as_bytes()].concat(),
            _ => {
                // The name is not UTF-8.
                datum[4] = 0xff;
            }
        }
        datum
    }
}

fn fingerprint_header(fingerprint: &str) -> (String, Option<Vec<u8>>) {
    let value = fingerprint.as_bytes().to_vec();
    ("avro-schema-fingerprint".to_owned(), Some(value))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;
    use crate::framed;

    #[test]
    fn the_same_seed_generates_the_same_records_and_all_values_differ() {
        let records = Corpus::new(7, 6).next(5_000, 10);
        assert_eq!(records, Corpus::new(7, 6).next(5_000, 10));
        assert_ne!(records, Corpus::new(8, 6).next(5_000, 10));
        let values: HashSet<_> = records
            .iter()
            .filter_map(|record| record.value.as_ref())
            .collect();
        let tombstones = records
            .iter()
            .filter(|record| record.value.is_none())
            .count();
        assert_eq!(values.len() + tombstones, 5_000);
    }

    /// With a registry the job takes a value that begins with a zero byte for a framed one.
    #[test]
    fn values_are_framed_with_every_id_or_do_not_begin_with_a_zero_byte() {
        let mut corpus = Corpus::new(3, 6);
        let mut writers = BTreeSet::new();
        for record in corpus.next(5_000, 10) {
            let value = record.value.unwrap_or_default();
            let framed = framed::split(&value);
            writers.extend(framed.map(|(writer, _)| writer));
            assert!(framed.is_some() || !value.starts_with(&[0]), "{value:?}");
        }
        assert_eq!(writers, Writer::ALL.into());
    }

    #[test]
    fn invalid_values_do_not_decode() {
        let mut corpus = Corpus::new(1, 6);
        for kind in 94..100 {
            let name = format!("user-{kind}");
            assert_eq!(User::decode(&corpus.invalid(kind, &name)), None, "{kind}");
        }
    }
}
