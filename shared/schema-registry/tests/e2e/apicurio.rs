//! Registration, lookup, references, errors and an outage.

use std::time::Duration;

use schema_registry::{RegistryClient, RegistryConfig, RegistryError, SchemaReference};
use testkit::registry::Registry;

const ADDRESS: &str = r#"{"type":"record","name":"Address","namespace":"shop","fields":[{"name":"city","type":"string"}]}"#;
const CUSTOMER: &str = r#"{"type":"record","name":"Customer","namespace":"shop","fields":[{"name":"home","type":"shop.Address"}]}"#;
const ORDER: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"by","type":"shop.Customer"},{"name":"to","type":"shop.Address"}]}"#;

fn client(url: &str, timeout: Duration) -> RegistryClient {
    let urls = vec![url.parse().unwrap()];
    RegistryClient::new(&RegistryConfig::new(urls, timeout)).unwrap()
}

fn reference(name: &str, subject: &str) -> SchemaReference {
    SchemaReference {
        name: name.to_owned(),
        subject: subject.to_owned(),
        version: 1,
    }
}

#[tokio::test]
#[ignore = "starts Apicurio Registry: run by `make e2e`"]
async fn versions_of_a_subject_are_registered_and_found() {
    let registry = Registry::shared().unwrap();
    let client = client(registry.url(), Duration::from_secs(20));
    let (subject, second) = ("a/b versions-value", ADDRESS.replace("city", "town"));
    assert_eq!(client.schema_id(subject, ADDRESS, &[]).await, Ok(None));
    let ids = [
        client.register(subject, ADDRESS, &[]).await.unwrap(),
        client.register(subject, &second, &[]).await.unwrap(),
    ];
    assert_eq!(client.register(subject, ADDRESS, &[]).await, Ok(ids[0]));
    assert_eq!(
        client.schema_id(subject, ADDRESS, &[]).await,
        Ok(Some(ids[0]))
    );
    assert_eq!(client.schema_id(subject, "\"long\"", &[]).await, Ok(None));
    let versions = client.versions(subject).await.unwrap();
    let found: Vec<_> = versions
        .iter()
        .map(|one| (one.version, one.id, one.json.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Some(1), Some(ids[0]), ADDRESS),
            (Some(2), Some(ids[1]), &second)
        ]
    );
    let schema = client.schema_by_id(ids[1]).await.unwrap();
    assert_eq!((schema.id, &schema.json), (Some(ids[1]), &second));
}

#[tokio::test]
#[ignore = "starts Apicurio Registry: run by `make e2e`"]
async fn references_are_resolved() {
    let registry = Registry::shared().unwrap();
    let client = client(registry.url(), Duration::from_secs(20));
    let (address, customer) = (
        reference("shop.Address", "shop.Address"),
        reference("shop.Customer", "shop.Customer"),
    );
    client.register("shop.Address", ADDRESS, &[]).await.unwrap();
    client
        .register("shop.Customer", CUSTOMER, std::slice::from_ref(&address))
        .await
        .unwrap();
    let references = [customer, address];
    let id = client
        .register("orders-value", ORDER, &references)
        .await
        .unwrap();
    let schema = client.schema_by_id(id).await.unwrap();
    assert_eq!(schema.json, ORDER);
    assert_eq!(schema.references, [ADDRESS, CUSTOMER]);
    assert_eq!(
        client.schema_id("orders-value", ORDER, &references).await,
        Ok(Some(id))
    );
}

#[tokio::test]
#[ignore = "starts Apicurio Registry: run by `make e2e`"]
async fn errors_of_the_registry_are_classified() {
    let registry = Registry::shared().unwrap();
    let registered = client(registry.url(), Duration::from_secs(20));
    for error in [
        registered.schema_by_id(4_000_000).await.unwrap_err(),
        registered.versions("absent").await.unwrap_err(),
    ] {
        assert!(matches!(error, RegistryError::Unknown { .. }), "{error}");
    }
    let wrong_path = client(
        registry.url().trim_end_matches("/v7"),
        Duration::from_secs(20),
    );
    for error in [
        registered
            .register("invalid", "{\"type\":\"what\"}", &[])
            .await
            .unwrap_err(),
        wrong_path.schema_by_id(1).await.unwrap_err(),
        // Apicurio Registry has no GUIDs.
        registered.schema_by_guid([0; 16]).await.unwrap_err(),
    ] {
        assert!(matches!(error, RegistryError::Invalid { .. }), "{error}");
    }
}

#[tokio::test]
#[ignore = "starts Apicurio Registry: run by `make e2e`"]
async fn a_stopped_registry_is_unavailable_and_cached_schemas_remain() {
    let registry = Registry::start().unwrap();
    let client = client(registry.url(), Duration::from_secs(1));
    let id = client.register("s", ADDRESS, &[]).await.unwrap();
    let other = client.register("s", "\"long\"", &[]).await.unwrap();
    let schema = client.schema_by_id(id).await.unwrap();
    registry.stop().unwrap();
    let error = client.schema_by_id(other).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Unavailable { .. }),
        "{error}"
    );
    assert_eq!(client.schema_by_id(id).await.unwrap(), schema);
    registry.restart().unwrap();
    assert_eq!(client.schema_by_id(other).await.unwrap().json, "\"long\"");
}
