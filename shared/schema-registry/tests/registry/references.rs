//! Schemas that refer to other schemas.

use schema_registry::RegistryError;
use testkit::endpoint::{Answer, Endpoint, Request};

use super::{client, json, schema, unknown};

/// Two schemas that both refer to a third one, and a schema that refers to both.
fn diamond(request: &Request) -> Answer {
    let body = match request.target.as_str() {
        "/schemas/ids/1" => {
            r#"{"schema":"top","references":[{"name":"L","subject":"left","version":1},{"name":"R","subject":"right","version":2}]}"#
        }
        "/subjects/left/versions/1?deleted=true" => {
            r#"{"schema":"left","references":[{"name":"B","subject":"a/b","version":3}]}"#
        }
        "/subjects/right/versions/2?deleted=true" => {
            r#"{"schema":"right","references":[{"name":"Other","subject":"a/b","version":3}]}"#
        }
        "/subjects/a%2Fb/versions/3?deleted=true" => r#"{"schema":"bottom","schemaType":"AVRO"}"#,
        _ => return unknown(),
    };
    json(200, body)
}

#[tokio::test]
async fn references_precede_the_schemas_that_use_them() {
    let endpoint = Endpoint::start(diamond).unwrap();
    let schema = client(&endpoint).schema_by_id(1).await.unwrap();
    assert_eq!(schema.references, ["bottom", "left", "right"]);
    assert_eq!(endpoint.count(), 4);
}

#[tokio::test]
async fn faulty_references_are_reported_and_bounded() {
    let reference = |subject: &str| {
        format!(
            r#"{{"schema":"s","references":[{{"name":"N","subject":"{subject}","version":1}}]}}"#
        )
    };
    for (kind, reason) in [
        (
            "missing",
            "the reference \"missing\" version 1 does not exist",
        ),
        (
            "circle",
            "the reference \"circle\" version 1 is part of a circle of references",
        ),
        (
            "proto",
            "the reference \"proto\" version 1 has the type \"PROTOBUF\", expected AVRO",
        ),
        (
            "deep",
            "the reference \"deep16\" version 1 exceeds 64 references or a depth of 16",
        ),
    ] {
        let endpoint = Endpoint::start(move |request| match request.target.as_str() {
            "/subjects/missing/versions/1?deleted=true" => unknown(),
            "/subjects/proto/versions/1?deleted=true" => {
                json(200, r#"{"schema":"s","schemaType":"PROTOBUF"}"#)
            }
            target if target.contains("deep") => {
                let depth = target
                    .trim_start_matches("/subjects/deep")
                    .split('/')
                    .next();
                let depth: u32 = depth.unwrap().parse().unwrap_or(0);
                json(200, &reference(&format!("deep{}", depth + 1)))
            }
            _ => json(200, &reference(kind)),
        })
        .unwrap();
        let client = client(&endpoint);
        let error = client.schema_by_id(1).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unusable { .. }), "{error}");
        assert!(error.to_string().ends_with(reason), "{error}");
        // Cached, as an unknown id.
        let count = endpoint.count();
        assert_eq!(client.schema_by_id(1).await.unwrap_err(), error);
        assert_eq!(endpoint.count(), count);
    }
}

#[tokio::test]
async fn the_number_of_references_is_bounded() {
    let endpoint = Endpoint::start(|request| {
        if request.target != "/schemas/ids/1" {
            return schema();
        }
        let one = |version| format!(r#"{{"name":"N","subject":"s","version":{version}}}"#);
        let all: Vec<String> = (0..5000).map(one).collect();
        json(
            200,
            &format!(r#"{{"schema":"s","references":[{}]}}"#, all.join(",")),
        )
    })
    .unwrap();
    let error = client(&endpoint).schema_by_id(1).await.unwrap_err();
    assert!(
        error.to_string().contains("exceeds 64 references"),
        "{error}"
    );
    assert_eq!(endpoint.count(), 65);
}
