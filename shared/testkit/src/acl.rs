//! Adds entries to Kafka's access control lists.

#![allow(unsafe_code)] // The safe wrapper of librdkafka has no access control lists.

use std::ffi::{CStr, CString};
use std::ptr;

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka_sys::{
    rd_kafka_AclBinding_destroy, rd_kafka_AclBinding_new, rd_kafka_AclOperation_t,
    rd_kafka_AclPermissionType_t, rd_kafka_CreateAcls, rd_kafka_CreateAcls_result_acls,
    rd_kafka_ResourcePatternType_t, rd_kafka_ResourceType_t, rd_kafka_acl_result_error,
    rd_kafka_error_string, rd_kafka_event_CreateAcls_result, rd_kafka_event_destroy,
    rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll,
};

/// The resource of an entry.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'n> {
    /// The topic of this name.
    Topic(&'n str),
    /// The consumer group of this name.
    Group(&'n str),
    /// The consumer groups whose names begin like this.
    Groups(&'n str),
    /// The cluster.
    Cluster,
}

/// The operation of an entry.
#[derive(Clone, Copy, Debug)]
pub enum AclOperation {
    /// DESCRIBE.
    Describe,
    /// DESCRIBE_CONFIGS.
    DescribeConfigs,
    /// READ.
    Read,
    /// WRITE.
    Write,
    /// IDEMPOTENT_WRITE.
    IdempotentWrite,
}

const TIMEOUT_MILLISECONDS: i32 = 10_000;

/// Permits an operation to a user, from every host.
pub(crate) fn allow(
    bootstrap: &str,
    user: &str,
    resource: Resource<'_>,
    operation: AclOperation,
) -> Result<()> {
    let client: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()?;
    let (kind, name) = match resource {
        Resource::Topic(name) => (rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, name),
        Resource::Group(name) | Resource::Groups(name) => {
            (rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_GROUP, name)
        }
        Resource::Cluster => (
            rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER,
            "kafka-cluster",
        ),
    };
    let pattern = match resource {
        Resource::Groups(_) => rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_PREFIXED,
        _ => rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_LITERAL,
    };
    let operation = match operation {
        AclOperation::Describe => rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_DESCRIBE,
        AclOperation::DescribeConfigs => {
            rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS
        }
        AclOperation::Read => rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_READ,
        AclOperation::Write => rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE,
        AclOperation::IdempotentWrite => {
            rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_IDEMPOTENT_WRITE
        }
    };
    let (name, principal) = (CString::new(name)?, CString::new(format!("User:{user}"))?);
    let handle = client.client().native_ptr();
    // SAFETY: the handle is alive; texts outlive the call that copies them; binding, queue and event are destroyed once;
    // null is checked at each step.
    unsafe {
        let mut binding = rd_kafka_AclBinding_new(
            kind,
            name.as_ptr(),
            pattern,
            principal.as_ptr(),
            c"*".as_ptr(),
            operation,
            rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
            ptr::null_mut(),
            0,
        );
        ensure!(!binding.is_null(), "librdkafka rejects the entry");
        let queue = rd_kafka_queue_new(handle);
        rd_kafka_CreateAcls(handle, &mut binding, 1, ptr::null(), queue);
        let event = rd_kafka_queue_poll(queue, TIMEOUT_MILLISECONDS);
        let result = error_of(event);
        rd_kafka_AclBinding_destroy(binding);
        if !event.is_null() {
            rd_kafka_event_destroy(event);
        }
        rd_kafka_queue_destroy(queue);
        result.context("creating an access control entry")
    }
}

/// # Safety
/// `event` is null or alive.
unsafe fn error_of(event: *mut rdkafka_sys::rd_kafka_event_t) -> Result<()> {
    ensure!(!event.is_null(), "no answer");
    // SAFETY: guaranteed by the caller; null is checked at each step.
    unsafe {
        let result = rd_kafka_event_CreateAcls_result(event);
        ensure!(!result.is_null(), "no result");
        let mut count = 0;
        let results = rd_kafka_CreateAcls_result_acls(result, &mut count);
        ensure!(!results.is_null() && count == 1, "no result");
        let error = rd_kafka_acl_result_error(*results);
        if !error.is_null() {
            let text = CStr::from_ptr(rd_kafka_error_string(error));
            anyhow::bail!("{}", text.to_string_lossy());
        }
    }
    Ok(())
}
