//! Administration and producing: creates and deletes topics, deletes and writes records, also in transactions, and reads
//! and writes a group's committed offsets.

mod writer;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::Producer;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use writer::Writer;

/// The timeout of each request to the cluster.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A record to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// The partition; `None`: chosen by librdkafka's partitioner.
    pub partition: Option<i32>,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970; `None`: the current time.
    pub timestamp: Option<i64>,
}

impl NewRecord {
    /// A record with this value for this partition.
    pub fn to(partition: i32, value: impl Into<Vec<u8>>) -> Self {
        Self {
            partition: Some(partition),
            value: Some(value.into()),
            ..Self::default()
        }
    }
}

/// What a group has committed for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// The metadata of the commit.
    pub metadata: String,
}

/// An open transaction.
pub struct Transaction {
    writer: Writer,
    /// Partition and offset of each record, in the order of writing.
    pub positions: Vec<(i32, i64)>,
}

impl Transaction {
    /// Commits the transaction.
    ///
    /// # Errors
    /// The coordinator rejects the request or does not respond.
    pub fn commit(self) -> Result<()> {
        Ok(self.writer.inner.commit_transaction(TIMEOUT)?)
    }

    /// Aborts the transaction.
    ///
    /// # Errors
    /// The coordinator rejects the request or does not respond.
    pub fn abort(self) -> Result<()> {
        Ok(self.writer.inner.abort_transaction(TIMEOUT)?)
    }
}

/// A connection to a cluster.
pub struct Topics {
    config: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
}

impl Topics {
    /// Connects without TLS and SASL.
    ///
    /// # Errors
    /// librdkafka cannot create a client.
    pub fn connect(bootstrap: &str) -> Result<Self> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "500")
            .set("log_level", "3");
        let admin = AdminClient::from_config(&config)?;
        Ok(Self { config, admin })
    }

    /// Creates a topic with the cluster's default replication factor, and waits until all partitions have a leader.
    ///
    /// # Errors
    /// The topic exists, or the cluster rejects the request.
    pub async fn create(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<()> {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        for result in self.admin.create_topics([&topic], &options()).await? {
            result.map_err(|(name, code)| anyhow!("creating topic {name}: {code}"))?;
        }
        let is_ready = |found: &[(i32, bool)]| {
            found.len() == partitions as usize && found.iter().all(|(_, has_leader)| *has_leader)
        };
        self.wait_for_partitions(name, is_ready).await
    }

    /// Replaces the topic's configuration: properties that are not in `settings` have the cluster's values.
    ///
    /// # Errors
    /// The cluster rejects the request.
    pub async fn configure(&self, name: &str, settings: &[(&str, &str)]) -> Result<()> {
        let mut config = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (key, value) in settings {
            config = config.set(key, value);
        }
        for result in self.admin.alter_configs([&config], &options()).await? {
            result.map_err(|(_, code)| anyhow!("configuring topic {name}: {code}"))?;
        }
        Ok(())
    }

    /// Increases the number of partitions, and waits until all have a leader.
    ///
    /// # Errors
    /// The topic does not exist or has as many, or the cluster rejects the request.
    pub async fn add_partitions(&self, name: &str, partitions: i32) -> Result<()> {
        let count = usize::try_from(partitions)?;
        let new = NewPartitions::new(name, count);
        for result in self.admin.create_partitions([&new], &options()).await? {
            result.map_err(|(name, code)| anyhow!("adding partitions to {name}: {code}"))?;
        }
        let is_ready = |found: &[(i32, bool)]| {
            found.len() == count && found.iter().all(|(_, has_leader)| *has_leader)
        };
        self.wait_for_partitions(name, is_ready).await
    }

    /// Deletes a topic and waits until the cluster's metadata does not contain it.
    ///
    /// # Errors
    /// The topic does not exist, or the cluster rejects the request.
    pub async fn delete(&self, name: &str) -> Result<()> {
        for result in self.admin.delete_topics(&[name], &options()).await? {
            result.map_err(|(name, code)| anyhow!("deleting topic {name}: {code}"))?;
        }
        self.wait_for_partitions(name, <[_]>::is_empty).await
    }

    /// Deletes the records before `offset`, as retention does.
    ///
    /// # Errors
    /// The cluster rejects the request.
    pub async fn delete_before(&self, name: &str, partition: i32, offset: i64) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(name, partition, Offset::Offset(offset))?;
        let done = self.admin.delete_records(&list, &options()).await?;
        for element in done.elements() {
            element
                .error()
                .with_context(|| format!("deleting records of {name}/{partition}"))?;
        }
        Ok(())
    }

    /// Writes records with `acks=all`, and returns their partitions and offsets in order.
    ///
    /// # Errors
    /// A record was not acknowledged.
    pub fn write(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<(i32, i64)>> {
        let mut config = self.config.clone();
        config.set("acks", "all").set("linger.ms", "5");
        Writer::new(&config)?.write(topic, records)
    }

    /// Writes records in one transaction, commits or aborts it, and returns their partitions and offsets in order.
    ///
    /// # Errors
    /// A record was not acknowledged, or the commit or abort failed.
    pub fn transaction(
        &self,
        topic: &str,
        records: &[NewRecord],
        commit: bool,
    ) -> Result<Vec<(i32, i64)>> {
        let open = self.open_transaction(topic, records)?;
        let positions = open.positions.clone();
        if commit {
            open.commit()?;
        } else {
            open.abort()?;
        }
        Ok(positions)
    }

    /// Runs a [`transaction`](Self::transaction) and waits until readers of committed records pass its end.
    ///
    /// The coordinator acknowledges the commit or abort before each partition has its marker.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction), or a partition has no marker within 30 seconds.
    pub fn whole_transaction(
        &self,
        topic: &str,
        records: &[NewRecord],
        commit: bool,
    ) -> Result<Vec<(i32, i64)>> {
        let positions = self.transaction(topic, records, commit)?;
        let end = Instant::now() + TIMEOUT;
        loop {
            let ends = self.watermarks(topic)?;
            let is_readable = |(partition, offset): &(i32, i64)| {
                ends.get(partition).is_some_and(|(_, end)| end > offset)
            };
            if positions.iter().all(is_readable) {
                return Ok(positions);
            }
            ensure!(
                Instant::now() < end,
                "{topic}: a partition has no transaction marker after {TIMEOUT:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Writes records in a transaction that stays open.
    ///
    /// # Errors
    /// The transaction cannot begin, or a record was not acknowledged.
    pub fn open_transaction(&self, topic: &str, records: &[NewRecord]) -> Result<Transaction> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut config = self.config.clone();
        config.set(
            "transactional.id",
            format!("testkit-{}-{count}", std::process::id()),
        );
        let writer = Writer::new(&config)?;
        writer.inner.init_transactions(TIMEOUT)?;
        writer.inner.begin_transaction()?;
        let positions = writer.write(topic, records)?;
        Ok(Transaction { writer, positions })
    }

    /// The group's committed offsets. Partitions without a commit are omitted.
    ///
    /// # Errors
    /// The group's coordinator does not respond.
    pub fn committed(&self, group: &str, topic: &str) -> Result<BTreeMap<i32, Committed>> {
        let consumer = self.member(group)?;
        let list = consumer.committed_offsets(self.partitions(topic)?, TIMEOUT)?;
        Ok(list
            .elements()
            .iter()
            .filter_map(|element| {
                let offset = element.offset().to_raw().filter(|offset| *offset >= 0)?;
                let metadata = element.metadata().to_owned();
                Some((element.partition(), Committed { offset, metadata }))
            })
            .collect())
    }

    /// Commits an offset with metadata for a group without members.
    ///
    /// # Errors
    /// The group has members, or its coordinator does not respond.
    pub fn commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        committed: &Committed,
    ) -> Result<()> {
        let consumer = self.member(group)?;
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(topic, partition);
        element.set_offset(Offset::Offset(committed.offset))?;
        element.set_metadata(&committed.metadata);
        consumer
            .commit(&list, CommitMode::Sync)
            .context("committing")
    }

    /// The low and high watermark of each partition.
    ///
    /// # Errors
    /// The leader of a partition does not respond.
    pub fn watermarks(&self, topic: &str) -> Result<BTreeMap<i32, (i64, i64)>> {
        let consumer = self.member("testkit-watermarks")?;
        let mut all = BTreeMap::new();
        for element in self.partitions(topic)?.elements() {
            let partition = element.partition();
            all.insert(
                partition,
                consumer.fetch_watermarks(topic, partition, TIMEOUT)?,
            );
        }
        Ok(all)
    }

    fn member(&self, group: &str) -> Result<BaseConsumer> {
        let mut config = self.config.clone();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        Ok(BaseConsumer::from_config(&config)?)
    }

    fn partitions(&self, topic: &str) -> Result<TopicPartitionList> {
        let metadata = self.admin.inner().fetch_metadata(None, TIMEOUT)?;
        let mut list = TopicPartitionList::new();
        for known in metadata
            .topics()
            .iter()
            .filter(|known| known.name() == topic)
        {
            for partition in known.partitions() {
                list.add_partition(topic, partition.id());
            }
        }
        Ok(list)
    }

    /// Waits until `is_ready` accepts the topic's partitions, each as id and whether it has a leader. A topic that does
    /// not exist has no partitions.
    async fn wait_for_partitions(
        &self,
        topic: &str,
        is_ready: impl Fn(&[(i32, bool)]) -> bool,
    ) -> Result<()> {
        for _ in 0..TIMEOUT.as_millis() / 50 {
            // Metadata of all topics: a request for one topic creates it if the broker allows that.
            let metadata = self.admin.inner().fetch_metadata(None, TIMEOUT)?;
            let found: Vec<(i32, bool)> = metadata
                .topics()
                .iter()
                .filter(|known| known.name() == topic && known.error().is_none())
                .flat_map(|known| known.partitions())
                .map(|partition| (partition.id(), partition.leader() >= 0))
                .collect();
            if is_ready(&found) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(anyhow!(
            "topic {topic} is not in the requested state after {TIMEOUT:?}"
        ))
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(TIMEOUT))
        .operation_timeout(Some(TIMEOUT))
}
