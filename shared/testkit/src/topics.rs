//! What an administrator and a producer do to a cluster: topics made, emptied and deleted, records written (in
//! transactions too), a group's commits read and written.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{FromClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(30);

/// A record to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct New {
    /// The partition; `None`: by the key, or any.
    pub partition: Option<i32>,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970; `None`: now.
    pub timestamp: Option<i64>,
}

impl New {
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
    /// The text beside it.
    pub metadata: String,
}

/// A transaction whose end is not decided.
pub struct Transaction {
    writer: Writer,
    /// Partition and offset of each record, in order.
    pub places: Vec<(i32, i64)>,
}

impl Transaction {
    /// Its records become visible.
    ///
    /// # Errors
    /// The coordinator refused, or does not answer.
    pub fn commit(self) -> Result<()> {
        Ok(self.writer.inner.commit_transaction(PATIENCE)?)
    }

    /// Its records never become visible.
    ///
    /// # Errors
    /// The coordinator refused, or does not answer.
    pub fn abort(self) -> Result<()> {
        Ok(self.writer.inner.abort_transaction(PATIENCE)?)
    }
}

/// An administrator's connection to a cluster.
pub struct Topics {
    config: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
}

impl Topics {
    /// Connects without TLS and SASL.
    ///
    /// # Errors
    /// librdkafka made no client.
    pub fn of(bootstrap: &str) -> Result<Self> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "500")
            .set("log_level", "3");
        let admin = AdminClient::from_config(&config)?;
        Ok(Self { config, admin })
    }

    /// Creates a topic with as many copies as the cluster holds by default, and waits until it can be written to.
    ///
    /// # Errors
    /// It exists, or the cluster refused.
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
        let made = self.admin.create_topics([&topic], &options()).await?;
        for one in made {
            one.map_err(|(name, code)| anyhow!("creating topic {name}: {code}"))?;
        }
        let ready = |names: &[(i32, bool)]| {
            names.len() == partitions as usize && names.iter().all(|one| one.1)
        };
        self.until(name, ready).await
    }

    /// Deletes a topic and waits until it is gone.
    ///
    /// # Errors
    /// There is none, or the cluster refused.
    pub async fn delete(&self, name: &str) -> Result<()> {
        for one in self.admin.delete_topics(&[name], &options()).await? {
            one.map_err(|(name, code)| anyhow!("deleting topic {name}: {code}"))?;
        }
        self.until(name, <[_]>::is_empty).await
    }

    /// Deletes the records before `offset`, as retention does.
    ///
    /// # Errors
    /// The cluster refused.
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

    /// Writes records, each acknowledged by all in-sync replicas; answers their partitions and offsets in order.
    ///
    /// # Errors
    /// One was not acknowledged.
    pub fn write(&self, topic: &str, records: &[New]) -> Result<Vec<(i32, i64)>> {
        let mut config = self.config.clone();
        config.set("acks", "all").set("linger.ms", "5");
        let producer = Writer::new(&config)?;
        producer.write(topic, records)
    }

    /// Writes records in one transaction, and commits or aborts it; answers their partitions and offsets in order.
    ///
    /// # Errors
    /// The transaction did not come to the wanted end.
    pub fn transaction(
        &self,
        topic: &str,
        records: &[New],
        commit: bool,
    ) -> Result<Vec<(i32, i64)>> {
        let open = self.open_transaction(topic, records)?;
        let places = open.places.clone();
        if commit {
            open.commit()?;
        } else {
            open.abort()?;
        }
        Ok(places)
    }

    /// The same, and waits until readers of committed records see its end: the broker says that it has ended before it
    /// has told each partition.
    ///
    /// # Errors
    /// The transaction did not come to the wanted end, or a partition does not hear of it.
    pub fn whole_transaction(
        &self,
        topic: &str,
        records: &[New],
        commit: bool,
    ) -> Result<Vec<(i32, i64)>> {
        let places = self.transaction(topic, records, commit)?;
        let end = Instant::now() + PATIENCE;
        loop {
            let ends = self.watermarks(topic)?;
            let is_seen = |(partition, offset): &(i32, i64)| {
                ends.get(partition).is_some_and(|(_, end)| end > offset)
            };
            if places.iter().all(is_seen) {
                return Ok(places);
            }
            ensure!(
                Instant::now() < end,
                "{topic}: the transaction's end is not seen"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Writes records in a transaction that stays open.
    ///
    /// # Errors
    /// The transaction did not begin, or a record was not acknowledged.
    pub fn open_transaction(&self, topic: &str, records: &[New]) -> Result<Transaction> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut config = self.config.clone();
        config.set(
            "transactional.id",
            format!("lab-{}-{count}", std::process::id()),
        );
        let writer = Writer::new(&config)?;
        writer.inner.init_transactions(PATIENCE)?;
        writer.inner.begin_transaction()?;
        let places = writer.write(topic, records)?;
        Ok(Transaction { writer, places })
    }

    /// What the group has committed; partitions without a commit are left out.
    ///
    /// # Errors
    /// The group's coordinator does not answer.
    pub fn committed(&self, group: &str, topic: &str) -> Result<BTreeMap<i32, Committed>> {
        let consumer = self.member(group)?;
        let list = consumer.committed_offsets(self.partitions(topic)?, PATIENCE)?;
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

    /// Commits an offset with a text for a group that nobody is in.
    ///
    /// # Errors
    /// The group has members, or its coordinator does not answer.
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

    /// First offset and end of each partition, by partition.
    ///
    /// # Errors
    /// A partition's leader does not answer.
    pub fn watermarks(&self, topic: &str) -> Result<BTreeMap<i32, (i64, i64)>> {
        let consumer = self.member("lab-watermarks")?;
        let mut all = BTreeMap::new();
        for element in self.partitions(topic)?.elements() {
            let partition = element.partition();
            all.insert(
                partition,
                consumer.fetch_watermarks(topic, partition, PATIENCE)?,
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
        let metadata = self.admin.inner().fetch_metadata(None, PATIENCE)?;
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

    /// Waits until the topic's partitions (id, has a leader) are as wanted; a topic that is not there has none.
    async fn until(&self, topic: &str, wanted: impl Fn(&[(i32, bool)]) -> bool) -> Result<()> {
        for _ in 0..PATIENCE.as_millis() / 50 {
            // Of all topics: to ask for one by name would create it.
            let metadata = self.admin.inner().fetch_metadata(None, PATIENCE)?;
            let found: Vec<(i32, bool)> = metadata
                .topics()
                .iter()
                .filter(|known| known.name() == topic && known.error().is_none())
                .flat_map(|known| known.partitions())
                .map(|partition| (partition.id(), partition.leader() >= 0))
                .collect();
            if wanted(&found) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(anyhow!(
            "topic {topic} did not come to be as asked in {PATIENCE:?}"
        ))
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE))
}

/// Where each record went, by its place in the list.
#[derive(Default)]
struct Ledger(Mutex<Vec<Result<(i32, i64), KafkaError>>>);

impl ClientContext for Ledger {}

impl ProducerContext for Ledger {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, place: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        if let Ok(mut ledger) = self.0.lock()
            && let Some(entry) = ledger.get_mut(*place)
        {
            *entry = outcome;
        }
    }
}

struct Writer {
    inner: BaseProducer<Ledger>,
}

impl Writer {
    fn new(config: &ClientConfig) -> Result<Self> {
        let inner = BaseProducer::from_config_and_context(config, Ledger::default())?;
        Ok(Self { inner })
    }

    fn write(&self, topic: &str, records: &[New]) -> Result<Vec<(i32, i64)>> {
        let ledger = || {
            self.inner
                .context()
                .0
                .lock()
                .map_err(|_| anyhow!("the ledger is poisoned"))
        };
        *ledger()? = vec![Err(KafkaError::Canceled); records.len()];
        for (place, record) in records.iter().enumerate() {
            let mut next = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(place));
            next.partition = record.partition;
            next.key = record.key.as_deref();
            next.payload = record.value.as_deref();
            next.timestamp = record.timestamp;
            if !record.headers.is_empty() {
                let headers = OwnedHeaders::new();
                next.headers = Some(record.headers.iter().fold(
                    headers,
                    |headers, (key, value)| {
                        headers.insert(Header {
                            key,
                            value: value.as_ref(),
                        })
                    },
                ));
            }
            loop {
                match self.inner.send(next) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        next = back;
                        self.inner.poll(Duration::from_millis(10));
                    }
                    Err((error, _)) => return Err(error).context("writing a record"),
                }
            }
            self.inner.poll(Duration::ZERO);
        }
        self.inner.flush(PATIENCE).context("flushing")?;
        let outcomes = std::mem::take(&mut *ledger()?);
        outcomes
            .into_iter()
            .enumerate()
            .map(|(place, outcome)| {
                outcome.with_context(|| format!("writing record {place} to {topic}"))
            })
            .collect()
    }
}
