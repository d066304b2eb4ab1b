//! Lookups, and responses that are not as documented.

use std::time::Duration;

use schema_registry::{RegistryClient, RegistryError, SchemaReference};
use testkit::endpoint::{Answer, Endpoint};

use super::{client, config, json, schema, unknown};

#[tokio::test]
async fn a_schema_is_requested_once() {
    let endpoint = Endpoint::always(schema()).unwrap();
    let client = client(&endpoint);
    let calls = (0..1000).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.schema_by_id(7).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let schema = call.await.unwrap().unwrap();
        assert_eq!((schema.id, schema.json.as_str()), (Some(7), "\"string\""));
    }
    endpoint.refuse_connections(true);
    assert!(client.schema_by_id(7).await.is_ok());
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        (requests[0].method.as_str(), requests[0].target.as_str()),
        ("GET", "/schemas/ids/7")
    );
    assert!(
        requests[0]
            .header("accept")
            .unwrap()
            .starts_with("application/vnd.schemaregistry.v1+json")
    );
    assert_eq!(requests[0].header("authorization"), None);
}

#[tokio::test]
async fn an_unknown_id_is_requested_again_after_thirty_seconds() {
    let endpoint = Endpoint::sequence(vec![unknown(), schema()]).unwrap();
    let client = client(&endpoint);
    for _ in 0..3 {
        let error = client.schema_by_id(7).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "reading schema 7 from {}: 404 40403 Schema 7 not found; it was deleted, or belongs to another registry: \
                 check SCHEMA_REGISTRY_URL",
                endpoint.url().trim_end_matches('/')
            )
        );
        assert!(matches!(error, RegistryError::Unknown { .. }));
    }
    assert_eq!(endpoint.count(), 1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    assert!(client.schema_by_id(7).await.is_ok());
}

#[tokio::test]
async fn an_id_outside_of_the_range_is_unknown_without_a_request() {
    let endpoint = Endpoint::always(schema()).unwrap();
    let client = client(&endpoint);
    assert!(client.schema_by_id(i32::MAX as u32).await.is_ok());
    let error = client.schema_by_id(1 << 31).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unknown { .. }), "{error}");
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn a_guid_is_looked_up_in_its_text_form() {
    let endpoint = Endpoint::always(schema()).unwrap();
    let schema = client(&endpoint).schema_by_guid([0xab; 16]).await.unwrap();
    assert_eq!((schema.id, schema.guid), (None, Some([0xab; 16])));
    assert_eq!(
        endpoint.requests()[0].target,
        "/schemas/guids/abababab-abab-abab-abab-abababababab"
    );
}

#[tokio::test]
async fn a_schema_of_another_type_is_unusable() {
    let endpoint = Endpoint::always(json(200, r#"{"schema":"{}","schemaType":"JSON"}"#)).unwrap();
    let error = client(&endpoint).schema_by_id(7).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the schema has the type \"JSON\", expected AVRO"),
        "{error}"
    );
}

#[tokio::test]
async fn a_response_that_is_not_a_registrys_is_invalid_and_not_unknown() {
    let large = format!(r#"{{"schema":"{}"}}"#, "x".repeat(1 << 20));
    for (answer, reason) in [
        (
            Answer::ok().body("<html>login</html>"),
            "the response is not the JSON of a schema registry: ",
        ),
        (json(200, r#"{"id":1}"#), "missing field `schema`"),
        (
            json(200, &large),
            "the response is larger than 1048576 bytes",
        ),
        (
            Answer::status(404).body("<html>404</html>"),
            "check the path in SCHEMA_REGISTRY_URL",
        ),
        (
            Answer::status(302).header("location", "https://login/?hunter2"),
            "302 Found to https://login: redirects are not followed",
        ),
        (json(406, ""), "406 Not Acceptable"),
    ] {
        let endpoint = Endpoint::always(answer).unwrap();
        let client = client(&endpoint);
        for count in 1..=2 {
            let error = client.schema_by_id(7).await.unwrap_err();
            assert!(matches!(error, RegistryError::Invalid { .. }), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(endpoint.count(), count);
        }
    }
}

#[tokio::test]
async fn a_schema_is_looked_up_and_registered_with_its_references() {
    let endpoint = Endpoint::start(|request| match request.target.as_str() {
        "/subjects/s/versions" => json(200, r#"{"id":8}"#),
        "/subjects/s" => json(
            200,
            r#"{"subject":"s","version":1,"id":7,"schema":"\"long\""}"#,
        ),
        "/subjects/other" => unknown(),
        _ => json(404, r#"{"error_code":40401,"message":"Subject not found"}"#),
    })
    .unwrap();
    let client = client(&endpoint);
    let references = [SchemaReference {
        name: "N".to_owned(),
        subject: "r".to_owned(),
        version: 1,
    }];
    assert_eq!(
        client.schema_id("s", "\"long\"", &references).await,
        Ok(Some(7))
    );
    assert_eq!(client.schema_id("other", "\"long\"", &[]).await, Ok(None));
    assert_eq!(client.schema_id("absent", "\"long\"", &[]).await, Ok(None));
    assert_eq!(client.register("s", "\"long\"", &[]).await, Ok(8));
    let requests = endpoint.requests();
    assert!(requests.iter().all(|one| one.method == "POST"));
    assert_eq!(
        requests[0].header("content-type"),
        Some("application/vnd.schemaregistry.v1+json")
    );
    assert_eq!(
        requests[0].body,
        r#"{"schema":"\"long\"","references":[{"name":"N","subject":"r","version":1}]}"#
    );
    assert_eq!(requests[3].body, r#"{"schema":"\"long\""}"#);
}

#[tokio::test]
async fn versions_are_read_in_order() {
    let endpoint = Endpoint::start(|request| match request.target.as_str() {
        "/subjects/s/versions" => json(200, "[1,3]"),
        "/subjects/s/versions/1" => json(200, r#"{"id":4,"version":1,"schema":"one"}"#),
        "/subjects/s/versions/3" => {
            json(200, r#"{"id":9,"version":3,"guid":"ABABABAB-abab-abab-abab-abababababab","schema":"three"}"#)
        }
        _ => json(404, r#"{"error_code":40401,"message":"Subject not found"}"#),
    })
    .unwrap();
    let client = client(&endpoint);
    let found = client.versions("s").await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.id, one.version, one.guid, one.json.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Some(4), Some(1), None, "one"),
            (Some(9), Some(3), Some([0xab; 16]), "three")
        ]
    );
    assert!(matches!(
        client.versions("absent").await,
        Err(RegistryError::Unknown { .. })
    ));
}

#[test]
fn a_url_with_credentials_or_a_query_is_rejected() {
    let endpoint = Endpoint::always(schema()).unwrap();
    for (url, reason) in [
        ("ftp://h", "begins with neither"),
        ("http://hunter2@h", "has credentials"),
        ("http://u:hunter2@h", "has credentials"),
        ("http://h?hunter2", "has a query"),
    ] {
        let mut config = config(&[&endpoint]);
        config.urls.push(url.parse().unwrap());
        let error = RegistryClient::new(&config).unwrap_err().to_string();
        assert!(
            error.contains(reason) && !error.contains("hunter2"),
            "{error}"
        );
    }
    let mut config = config(&[&endpoint]);
    config.urls.clear();
    assert!(RegistryClient::new(&config).is_err());
}
