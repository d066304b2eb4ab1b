//! The dead-letter topic itself: made where it is missing, and asked how much it takes.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use kafka::describe;

/// The topic's bound on a batch, which is what one large record is (Kafka's "Topic Configs").
pub(super) const LIMIT: &str = "max.message.bytes";

/// What a topic of ours takes: the largest record of Kafka's defaults, in an envelope of base64, with its context.
const ROOM: &str = "2097152";

const PATIENCE: Duration = Duration::from_secs(5);

/// Creates the topic where it is missing, with room for what a record becomes as a letter, else with the broker's own
/// defaults. Where that is not allowed, the write itself tells.
pub(super) fn create(config: &ClientConfig, topic: &str) {
    let created = AdminClient::<DefaultClientContext>::from_config(config).and_then(|admin| {
        let metadata = admin.inner().fetch_metadata(Some(topic), PATIENCE)?;
        let is_there = metadata
            .topics()
            .iter()
            .any(|found| !found.partitions().is_empty());
        if is_there || !describe::has_controller(admin.inner(), &metadata) {
            return Ok(());
        }
        let new = || NewTopic::new(topic, 1, TopicReplication::Fixed(-1));
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let ask = |new: NewTopic<'_>| {
            let answers = wait(admin.create_topics([&new], &options))?;
            match answers.into_iter().next() {
                Some(Err((_, code))) => Err(KafkaError::AdminOp(code)),
                _ => Ok(()),
            }
        };
        match ask(new().set(LIMIT, ROOM)) {
            Err(KafkaError::AdminOp(RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(()),
            // A broker may refuse the setting, and take the topic.
            Err(error) => {
                tracing::debug!(topic, %error, "the dead-letter topic is made without {LIMIT}");
                ask(new())?;
            }
            Ok(()) => {}
        }
        tracing::info!(topic, "created the dead-letter topic");
        Ok(())
    });
    if let Err(error) = created {
        tracing::debug!(topic, %error, "the dead-letter topic was not created");
    }
}

/// The most bytes of one record that the topic takes; `None` where the broker does not tell.
pub(super) fn limit(config: &ClientConfig, topic: &str) -> Option<usize> {
    let admin = AdminClient::<DefaultClientContext>::from_config(config).ok()?;
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let asked = wait(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options)).ok()?;
    let told: ConfigResource = asked.into_iter().next()?.ok()?;
    told.get(LIMIT)?.value.as_ref()?.parse().ok()
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
