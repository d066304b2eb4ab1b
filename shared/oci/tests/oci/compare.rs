//! Compares signatures with those of Oracle's Python SDK.
//!
//! `make oci-compare` runs this with a Python that has the SDK; without one it prints a line and passes.

use std::io::Write;
use std::process::{Command, Stdio};

use http::Method;
use oci::key::PrivateKey;
use oci::signature::{Body, Signable, authorization, content_sha256};
use openssl::rsa::Rsa;
use reqwest::Url;
use serde_json::{Value, json};

const PYTHON: &str = "FRONTDOOR_OCI_PYTHON";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/oci/compare.py");
const DATE: &str = "Sun, 22 Nov 2026 08:22:01 GMT";
const HOST: &str = "https://objectstorage.sa-saopaulo-1.oraclecloud.com";

/// Every method with every body, unusual paths and queries, and both forms of key id.
fn requests() -> Vec<Value> {
    let targets = [
        "/n",
        "/n/ns/b/config/o/config.properties",
        "/n/ns/b/config/o/a%20b%2F%C3%BC%2Bc%26d%3De%3F.txt",
        "/n/ns/b/config/o/100%25%2F..%2F%27%22%3C%3E%60%7B%7D%7C%5C%5E~",
        "/n/ns/b/config/o/%E6%97%A5%E6%9C%AC",
        "/n/ns/b/config/o?prefix=a%20b%2F&fields=name%2Cetag&limit=1000&start=a%20b%2F%C3%BC.avsc",
        "/20190301/secretbundles/ocid1.vaultsecret.oc1..a?stage=CURRENT",
        "/20190301/secretbundles/actions/getByName?secretName=AUTH_KEY&vaultId=ocid1.vault.oc1..v&versionNumber=3",
        "/20160918/instances?availabilityDomain=Pjwf%3A%20PHX-AD-1&empty=&b=2&a=1",
    ];
    let bodies = ["", "{\"a\": 1}", "é\u{0}\r\n--", &"x".repeat(70_000)];
    let mut requests = Vec::new();
    for target in targets {
        for base in [HOST, "http://127.0.0.1:18081"] {
            for kind in ["api_key", "token"] {
                for method in ["GET", "HEAD", "DELETE"] {
                    requests.push(json!({"method": method, "url": format!("{base}{target}"), "kind": kind, "upload": false}));
                }
                for (method, upload) in [
                    ("POST", false),
                    ("PUT", false),
                    ("PATCH", false),
                    ("PUT", true),
                ] {
                    for body in bodies {
                        for content_type in ["application/json", "application/octet-stream"] {
                            requests.push(json!({
                                "method": method, "url": format!("{base}{target}"), "kind": kind, "upload": upload,
                                "body": body, "content_type": content_type,
                            }));
                        }
                    }
                }
            }
        }
    }
    requests
}

fn sign(request: &Value, key_id: &str, key: &PrivateKey) -> Value {
    let url: Url = request["url"].as_str().unwrap().parse().unwrap();
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap()),
        None => url.host_str().unwrap().to_owned(),
    };
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let is_upload = request["upload"] == true;
    let body = request["body"]
        .as_str()
        .filter(|_| !is_upload)
        .map(|body| Body {
            content_type: request["content_type"].as_str().unwrap(),
            bytes: body.as_bytes(),
        });
    let signable = Signable {
        method: &method,
        target: &target,
        host: Some(&host),
        date: DATE,
        body,
    };
    json!({
        "authorization": authorization(&signable, key_id, key).unwrap(),
        "x-content-sha256": body.map(|body| content_sha256(body.bytes)),
    })
}

#[test]
fn signatures_equal_those_of_oracles_python_sdk() {
    let Ok(python) = std::env::var(PYTHON) else {
        eprintln!("SKIPPED: {PYTHON} names no Python with Oracle's SDK; run make oci-compare");
        return;
    };
    let pem =
        String::from_utf8(Rsa::generate(2048).unwrap().private_key_to_pem().unwrap()).unwrap();
    let key = PrivateKey::from_pem(pem.as_bytes(), None).unwrap();
    let (tenancy, user) = ("ocid1.tenancy.oc1..t", "ocid1.user.oc1..u");
    let fingerprint = key.fingerprint().unwrap();
    let api_key = format!("{tenancy}/{user}/{fingerprint}");
    let mut requests = requests();
    for request in &mut requests {
        let key_id = if request["kind"] == "token" {
            "ST$a.b.c"
        } else {
            &api_key
        };
        request["ours"] = sign(request, key_id, &key);
    }
    let count = requests.len();
    let table = json!({
        "pem": pem, "tenancy": tenancy, "user": user, "fingerprint": fingerprint, "token": "a.b.c", "date": DATE,
        "requests": requests,
    });
    let mut child = Command::new(python)
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(table.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    eprintln!("{text}");
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains(&format!("{count} requests, all signatures are the same")),
        "{text}"
    );
}
