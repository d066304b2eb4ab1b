//! Fills topics with records of the tutorial's size.

use anyhow::Result;
use testkit::topics::{NewRecord, Topics};
use testkit::user::User;

/// The number of partitions of each topic.
pub(crate) const PARTITIONS: i32 = 4;

/// Creates a topic with `records` records, of which one in `every` matches, half of them for each endpoint.
pub(crate) async fn fill(topics: &Topics, name: &str, records: usize, every: usize) -> Result<()> {
    write(topics, name, records, every, &[], |_, id| id.to_string()).await
}

/// The same records, each after the id of its schema in a registry (Confluent's wire format).
pub(crate) async fn fill_framed(
    topics: &Topics,
    name: &str,
    records: usize,
    every: usize,
    id: u32,
) -> Result<()> {
    let frame = [&[0], &id.to_be_bytes()[..]].concat();
    write(topics, name, records, every, &frame, |_, id| id.to_string()).await
}

/// Creates a topic with one record that is no datum.
pub(crate) async fn fill_faulty(topics: &Topics, name: &str) -> Result<()> {
    write(topics, name, 1, 1, &[0xff; 10], |_, id| id.to_string()).await
}

/// Creates a topic with `records` matching records and this number of keys.
pub(crate) async fn fill_keyed(
    topics: &Topics,
    name: &str,
    records: usize,
    keys: usize,
) -> Result<()> {
    let key = |number, _| format!("key-{}", number % keys);
    write(topics, name, records, 1, &[], key).await
}

async fn write(
    topics: &Topics,
    name: &str,
    records: usize,
    every: usize,
    frame: &[u8],
    key: impl Fn(usize, i32) -> String,
) -> Result<()> {
    topics.create(name, PARTITIONS, &[]).await?;
    let mut number = 0;
    while number < records {
        let batch: Vec<NewRecord> = (number..records.min(number + 100_000))
            .map(|number| {
                let id = match number % (2 * every) {
                    0 => 1010,
                    rest if rest == every => 1020,
                    _ => 999,
                };
                let user = User::new(id, &format!("user-{number:07}"));
                NewRecord {
                    key: Some(key(number, id).into_bytes()),
                    ..NewRecord::to(
                        (number % PARTITIONS as usize) as i32,
                        [frame, &user.encode()].concat(),
                    )
                }
            })
            .collect();
        topics.write(name, &batch)?;
        number += batch.len();
    }
    Ok(())
}
