//! Status, dead letters and run reports of a simulated week agree with the records of the topic and the logs of the
//! endpoints.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::endpoints::assert_keys_agree;
use crate::letters::query;
use crate::status;
use crate::week::{MAX_UNCOMMITTED, Week};
use crate::week_records::Kind;

impl Week {
    /// The status must agree with the records, the endpoints and the dead-letter topic.
    pub(crate) fn assert_status(&self, day: usize) {
        let seen = self.seen();
        let status = status::report(&self.stage, &["--by-route"]);
        let pending = |route: Option<&str>| {
            let written = self.ledger.written.iter();
            let written = written.filter(|one| !seen.is_completed(one));
            written.filter(|one| one.kind.route() == route).count()
        };
        let total = pending(Some("A")) + pending(Some("B"));
        assert_eq!(pending(None), 0, "day {day}");
        for (index, name) in ["A", "B"].into_iter().enumerate() {
            let route = &status["routes"][index];
            assert_eq!(
                (&route["route"], &route["pending"]),
                (&json!(name), &json!(pending(Some(name)))),
                "day {day}: {status:#}"
            );
        }
        assert_eq!(status["pending"]["records"], total, "day {day}: {status:#}");
        assert_eq!(status["pending"]["complete"], true);
        let lag = status["lag"].as_u64().unwrap();
        assert!(
            lag >= total as u64 && (total > 0 || lag == 0),
            "day {day}: {status:#}"
        );
        let mut causes: BTreeMap<&str, u64> = BTreeMap::new();
        for cause in seen.letters.values() {
            *causes.entry(cause).or_default() += 1;
        }
        let letters = &status["dead_letters"];
        assert_eq!(
            letters["total"],
            seen.letters.len(),
            "day {day}: {status:#}"
        );
        assert_eq!(letters["causes"], json!(causes), "day {day}");
        println!("day {day}: {total} pending, lag {lag}, dead letters {causes:?}");
    }

    /// Each record has the end that its kind must have.
    pub(crate) fn assert_each_record(&self, discarded: &[(i32, i64)]) {
        let seen = self.seen();
        let (_, list) = query(
            &self.stage,
            "dead-letter-list",
            &["list", "--limit", "1000"],
        );
        let rows = list["letters"].as_array().unwrap();
        let listed: BTreeMap<&str, &Value> = rows
            .iter()
            .map(|row| (row["origin"].as_str().unwrap(), row))
            .collect();
        assert_eq!(listed.len(), rows.len());
        assert_eq!(list["total"], rows.len());
        assert_eq!(list["discarded"], discarded.len());
        let (_, refused) = query(
            &self.stage,
            "dead-letter-list",
            &["list", "--cause", "refused"],
        );
        assert_eq!(refused["replayed"], refused["total"], "{refused:#}");
        let mut dead = 0;
        for written in &self.ledger.written {
            let (partition, offset) = written.at;
            let at = format!("{}/{partition}@{offset}", self.stage.topic);
            let row = listed.get(at.as_str()).copied();
            let is_accepted = seen.keys.contains_key(&written.name);
            let is_right = match written.kind {
                Kind::A | Kind::B => is_accepted && row.is_none(),
                // After the repair there are no more letters, and the replay has delivered the earlier ones.
                Kind::Rejected => is_accepted,
                Kind::Poison | Kind::Invalid => !is_accepted && row.is_some(),
                Kind::Unmatched | Kind::Tombstone => !is_accepted && row.is_none(),
            };
            assert!(is_right, "{written:?} {row:?}");
            let Some(row) = row else {
                continue;
            };
            dead += 1;
            assert_eq!(row["cause"], json!(written.kind.cause()), "{row:#}");
            assert_eq!(row["route"], json!(written.kind.route()), "{row:#}");
            let reason = discarded.contains(&written.at).then_some("test data");
            assert_eq!(row["discarded"], json!(reason), "{row:#}");
        }
        assert_eq!(dead, rows.len());
        assert_eq!(dead, seen.letters.len());
    }

    /// The sums of the reports are those of the endpoints and of the dead-letter topic.
    pub(crate) fn assert_sums(&self) {
        let (seen, sums) = (self.seen(), &self.sums);
        let deliverable = |kind| matches!(kind, Kind::A | Kind::B | Kind::Rejected);
        let records = self.ledger.count(deliverable);
        assert_eq!((seen.distinct_keys(), seen.keys.len()), (records, records));
        assert_keys_agree([&self.a.endpoint, &self.b.endpoint]);
        let accepted: usize = seen.accepted.iter().sum();
        assert_eq!(
            sums.delivered + sums.unreported,
            accepted as i64,
            "{sums:?}"
        );
        let repeats = accepted - records;
        assert!(repeats <= MAX_UNCOMMITTED, "{repeats} repeats");
        assert_eq!(sums.skipped, self.ledger.count(Kind::is_skipped) as i64);
        assert_eq!(sums.dead_lettered, seen.letters.len() as i64);
        println!(
            "{} records, {accepted} accepted requests, {repeats} repeats, {sums:?}",
            self.ledger.written.len()
        );
    }
}
