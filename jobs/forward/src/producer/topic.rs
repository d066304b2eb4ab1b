//! Creates the dead-letter topic where it is missing, and reads its size limit.

use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::{Client, ClientContext, DefaultClientContext};
use rdkafka::config::FromClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use kafka::describe;
use kafka::tokens::ClientProperties;

/// The topic's limit on a record batch; one large record is a batch of its own (Kafka, "Topic Configs").
pub(super) const LIMIT: &str = "max.message.bytes";

/// The limit of a topic that we create: the largest record of Kafka's defaults, base64-encoded in an envelope.
const CREATED_LIMIT: &str = "2097152";

const TIMEOUT: Duration = Duration::from_secs(5);

/// Creates the topic where it is missing, with [`CREATED_LIMIT`], or with the broker's defaults where that is rejected.
/// Where topics may not be created, the write fails with the broker's error. `client` asks whether the topic exists.
pub(super) fn create<C: ClientContext>(config: &ClientProperties, client: &Client<C>, topic: &str) {
    let created = client
        .fetch_metadata(Some(topic), TIMEOUT)
        .and_then(|metadata| {
            let exists = metadata
                .topics()
                .iter()
                .any(|found| !found.partitions().is_empty());
            match exists || !describe::has_controller(client, &metadata) {
                true => Ok(()),
                false => create_missing(config, topic),
            }
        });
    if let Err(error) = created {
        tracing::debug!(topic, %error, "the dead-letter topic was not created");
    }
}

fn create_missing(config: &ClientProperties, topic: &str) -> KafkaResult<()> {
    let admin = AdminClient::<DefaultClientContext>::from_config(config)?;
    let _tokens = config.authenticate(admin.inner());
    let new = || NewTopic::new(topic, 1, TopicReplication::Fixed(-1));
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let create = |new: NewTopic<'_>| {
        let results = wait(admin.create_topics([&new], &options))?;
        match results.into_iter().next() {
            Some(Err((_, code))) => Err(KafkaError::AdminOp(code)),
            _ => Ok(()),
        }
    };
    match create(new().set(LIMIT, CREATED_LIMIT)) {
        Err(KafkaError::AdminOp(RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(()),
        // A broker may reject the property but not the topic.
        Err(error) => {
            tracing::debug!(topic, %error, "creating the dead-letter topic without {LIMIT}");
            create(new())?;
        }
        Ok(()) => {}
    }
    tracing::info!(topic, "created the dead-letter topic");
    Ok(())
}

/// The topic's [`LIMIT`], in bytes; `None` where it cannot be read.
pub(super) fn limit(config: &ClientProperties, topic: &str) -> Option<usize> {
    let admin = AdminClient::<DefaultClientContext>::from_config(config).ok()?;
    let _tokens = config.authenticate(admin.inner());
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let described =
        wait(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options)).ok()?;
    let config: ConfigResource = described.into_iter().next()?.ok()?;
    config.get(LIMIT)?.value.as_ref()?.parse().ok()
}

/// Runs a future of the admin client on this thread.
fn wait<T>(future: impl Future<Output = KafkaResult<T>>) -> KafkaResult<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| KafkaError::ClientCreation(error.to_string()))?
        .block_on(future)
}
