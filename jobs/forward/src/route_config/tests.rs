use super::*;

async fn settings(environment: &[(&str, &str)]) -> Settings {
    let lookup = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::gather(&crate::settings::GROUPS, &[], lookup)
        .await
        .unwrap()
}

fn parse(text: &str) -> Result<Vec<RouteConfig>, String> {
    RouteConfig::parse(text, &Settings::default())
}

/// A file with one route that has these members and is valid otherwise.
fn with(members: &str) -> String {
    format!("version: 1\nroutes:\n- {{name: A, when: 'true', url: 'http://a', {members}}}\n")
}

fn file_with(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, text).unwrap();
    file
}

fn bearer(route: &RouteConfig) -> Option<&str> {
    match &route.auth {
        Auth::Bearer(token) => Some(token.reveal()),
        _ => None,
    }
}

#[tokio::test]
async fn the_built_in_routes_need_their_urls() {
    let error = RouteConfig::all_from(&settings(&[("API_TYPE_A_URL", "http://a/")]).await);
    assert_eq!(
        error.unwrap_err().to_string(),
        "API_TYPE_B_URL is not set: The URL for records with id 1020."
    );
    let urls = [
        ("API_TYPE_A_URL", "http://a/"),
        ("API_TYPE_B_URL", "https://b:8443/in"),
        ("API_TYPE_B_TOKEN", "t0ken"),
    ];
    let routes = RouteConfig::all_from(&settings(&urls).await).unwrap();
    let [a, b] = &routes[..] else { panic!() };
    assert_eq!((&*a.name, &*a.when, bearer(a)), ("A", "id == 1010", None));
    assert_eq!(
        (&*b.name, &*b.when, bearer(b)),
        ("B", "id == 1020", Some("t0ken"))
    );
    assert!(!a.has_inline_secret && !b.has_inline_secret);
}

#[tokio::test]
async fn a_file_replaces_the_built_in_routes() {
    let file = file_with(
        "# in YAML\nversion: 1\nroutes:\n- name: big\n  when: id > 5\n  url: http://big/\n  batch: 100\n  \
         auth: {bearer: hunter2}\n",
    );
    let path = file.path().to_str().unwrap();
    let routes = RouteConfig::all_from(&settings(&[("ROUTES", path)]).await).unwrap();
    assert_eq!((routes.len(), routes[0].batch), (1, 100));
    assert!(routes[0].has_inline_secret);
    assert!(!format!("{routes:?}").contains("hunter2"));
    let both = settings(&[("ROUTES", path), ("API_TYPE_A_URL", "http://a/")]).await;
    let error = RouteConfig::all_from(&both).unwrap_err().to_string();
    assert!(error.contains("API_TYPE_A_URL is set"), "{error}");
}

#[tokio::test]
async fn references_are_replaced() {
    let secret = file_with("hunter2\n");
    let text = format!(
        r#"{{"version": 1, "routes": [
            {{"name": "A", "when": "true", "url": "${{API_TYPE_A_URL}}/in", "auth": {{"bearer": "${{file:{}}}"}}}}]}}"#,
        secret.path().display()
    );
    let file = file_with(&text);
    let environment = [
        ("ROUTES", file.path().to_str().unwrap()),
        ("API_TYPE_A_URL", "https://a.example"),
    ];
    let routes = RouteConfig::all_from(&settings(&environment).await).unwrap();
    assert_eq!(routes[0].url, "https://a.example/in");
    assert_eq!(bearer(&routes[0]), Some("hunter2"));
    assert!(!routes[0].has_inline_secret);
    let token = [("API_TYPE_A_TOKEN", "hunter2")];
    let url = "version: 1\nroutes: [{name: A, when: 'true', url: 'http://a/${API_TYPE_A_TOKEN}'}]";
    let error = RouteConfig::parse(url, &settings(&token).await).unwrap_err();
    assert_eq!(
        error,
        "line 2, route \"A\": its url: a reference to a secret, which logs would show: use auth"
    );
}

#[tokio::test]
async fn values_of_references_are_not_templates_and_the_constant_query_is_secret() {
    let environment = [("API_TYPE_A_URL", "https://a.example/{x}")];
    let text = "version: 1\nroutes: [{name: A, when: 'true', url: '${API_TYPE_A_URL}/{id}?code=hunter2&x={id}', \
                tombstones: {url: '${API_TYPE_A_URL}?key=hunter3'}}]";
    let routes = RouteConfig::parse(text, &settings(&environment).await).unwrap();
    assert_eq!(routes[0].url, "https://a.example/{x}/");
    let urls: Vec<&str> = routes[0].literal_urls().collect();
    assert_eq!(
        urls,
        [
            "https://a.example/{x}/",
            "https://a.example/{x}/?code=hunter2&x=",
            "https://a.example/{x}?key=hunter3"
        ]
    );
}

#[test]
fn an_error_names_the_place_and_what_is_wrong() {
    let url = |url: &str| format!("version: 1\nroutes: [{{name: A, when: x, url: '{url}'}}]");
    for (text, expected) in [
        ("", "unexpected end of input at line 1"),
        ("[]", "expected mapping start at line 1"),
        ("version: 2\nroutes: []", "its version is 2, expected 1"),
        ("version: 1\nroutes: []", "it has 0 routes"),
        ("routes: []", "missing field `version`"),
        (
            &with("ulr: 1"),
            "unknown field `ulr`, expected one of name, when, url, auth, sign, tls, batch, format, method, headers, kafka_headers, body, tombstones, order, limits, success_on, retry_on, drop_on, answers at line 3, column 44",
        ),
        (
            "version: 1\nroutes: [{when: x, url: y}]",
            "missing field `name`",
        ),
        (
            "version: 1\nroutes: [{name: A, when: x}]",
            "missing field `url`",
        ),
        (&with("name: B"), "duplicate mapping key: name"),
        (
            &url("a:80/x y"),
            "line 2, route \"A\": its url is not a URL",
        ),
        (
            &url("ftp://a"),
            "its url has the scheme \"ftp\": expected http or https",
        ),
        (&url("/path"), "route \"A\": its url is not a URL"),
        (&url("http://a:99999/"), "route \"A\": its url is not a URL"),
        (&url("http://a:0/"), "route \"A\": its url is not a URL"),
        (&url("http://a/#x"), "its url contains a fragment"),
        (&url("http://u:p@a"), "a user name or a password"),
        (&url("${NO_SUCH}"), "unknown setting NO_SUCH"),
        (
            &with("batch: 0"),
            "line 3, route \"A\": batch is 0, expected 1 to 10000",
        ),
        (&with("batch: -1"), "invalid u64 at line 3"),
        (&with("auth: {}"), "auth must have exactly one of bearer"),
        (
            &with("auth: {bearer: hunter2, oci: {}}"),
            "auth must have exactly one of bearer",
        ),
        (&with("auth: hunter2"), "at line 3"),
        (&with("auth: {basic: hunter2}"), "at line 3"),
        (
            &with("auth: {basic: {username: hunter2}}"),
            "missing field `password`",
        ),
        (
            &with("auth: {basic: {username: 'a:b', password: hunter2}}"),
            "the username of basic must have",
        ),
        (
            &with("auth: {header: {name: 'a b', value: hunter2}}"),
            "not the name of an HTTP header",
        ),
        (
            &with("auth: {header: {name: Content-Type, value: hunter2}}"),
            "the header content-type is set by the job or by HTTP",
        ),
        (
            &with("auth: {header: {name: Idempotency-Key, value: hunter2}}"),
            "the header idempotency-key is set",
        ),
        (
            &with("auth: {header: {name: Connection, value: hunter2}}"),
            "the header connection is set",
        ),
        (
            &with("auth: {header: {name: x-key, value: \"hunter2\\n\"}}"),
            "the value of header must be printable",
        ),
        (
            &with(
                "auth: {oauth2: {token_url: 'https://a/?k=hunter2', client_id: a, client_secret: b}}",
            ),
            "the token_url of oauth2 is not a URL",
        ),
        (
            &with("auth: {oauth2: {token_url: 'https://a/', client_id: a}}"),
            "missing field `client_secret`",
        ),
        (
            &with("auth: {oauth2: {token_url: 'https://a/', client_id: a, client_secret: ''}}"),
            "client_id or client_secret of oauth2 is empty",
        ),
        (
            &with(
                "auth: {oauth2: {token_url: 'http://a/', client_id: a, client_secret: b, tls: {ca: c}}}",
            ),
            "oauth2 has tls, and its token_url does not begin with https://",
        ),
        (
            &with(
                "auth: {oauth2: {token_url: 'https://a/', client_id: a, client_secret: b, tls: {key: c}}}",
            ),
            "oauth2: tls has only one of certificate and key",
        ),
        (&with("auth: {oci: hunter2}"), "at line 3"),
        (&with("sign: {standard_webhooks: hunter2}"), "at line 3"),
        (
            &with("sign: {standard_webhooks: []}"),
            "standard_webhooks has 0 secrets, expected 1 to 4",
        ),
        (
            &with("sign: {standard_webhooks: [whsec_hunter2]}"),
            "secret 1 of standard_webhooks is malformed",
        ),
        (
            &with("tls: {ca: a}"),
            "its url does not begin with https://",
        ),
        (&with("tls: hunter2"), "at line 3"),
        (
            "version: 1\nroutes:\n- {name: A, when: x, url: 'https://a', tls: {}}",
            "tls must have ca, or certificate and key",
        ),
        (
            "version: 1\nroutes:\n- {name: A, when: x, url: 'https://a', tls: {key: a}}",
            "tls has only one of certificate and key",
        ),
        (
            &with("auth: {bearer: a b}"),
            "the bearer token must be visible",
        ),
        (&with("auth: {barer: hunter2}"), "unknown field `barer`"),
        (
            &with("retry_on: [409, 6xx]"),
            "retry_on has \"6xx\", expected a status, a class or a range: 409, 4xx, 500-504",
        ),
        (
            &with("success_on: [302]"),
            "line 3, route \"A\": success_on has \"302\", which is not within 2xx or 4xx",
        ),
        (
            &with("drop_on: [3xx]"),
            "drop_on has \"3xx\", which is not within 4xx or 5xx",
        ),
        (
            &with("retry_on: [4xx], drop_on: [422]"),
            "drop_on has \"422\", of which another item",
        ),
        (&with("order: topic"), "unknown variant"),
        (&with("limits: {rate: 1}"), "unknown field `rate`"),
        (
            &with("limits: {request_timeout: 30}"),
            "expected a duration such as 500ms",
        ),
        (
            &with("limits: {request_timeout: 0s}"),
            "line 3, route \"A\": its limit request_timeout is out of range: expected a duration above zero",
        ),
        (
            &with("limits: {rate_limit: .inf}"),
            "its limit rate_limit is out of range",
        ),
        (
            &with("limits: {max_in_flight: 10001}"),
            "its limit max_in_flight is out of range: expected a whole number from 1 to 10000",
        ),
        (
            "version: 1\nroutes:\n- {name: \"a\\nb\", when: x, url: y}",
            "printable characters",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn skips_a_byte_order_mark() {
    let text = format!("\u{feff}{}", with(""));
    assert_eq!(parse(&text).unwrap().len(), 1);
}

#[test]
fn a_text_that_expands_without_bound_is_an_error() {
    let mut text = "version: 1\nx0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*x{}", level - 1); 10].join(", ");
        text += &format!("x{level}: &x{level} [{items}]\n");
    }
    text += "routes: [*x11]\n";
    assert!(parse(&text).is_err());
}

#[test]
fn credentials_that_leave_the_machine_unencrypted_cause_a_warning() {
    for (url, is_exposed) in [
        ("http://api.example/", true),
        ("https://api.example/", false),
        ("http://localhost:8080/", false),
        ("http://127.0.0.1/", false),
        ("http://127.0.0.1.example/", true),
        ("http://[::1]:8080/", false),
    ] {
        let text = format!(
            "version: 1\nroutes: [{{name: A, when: 'true', url: '{url}', auth: {{bearer: t}}}}]"
        );
        assert_eq!(
            parse(&text).unwrap()[0].exposes_secret(),
            is_exposed,
            "{url}"
        );
    }
}

#[test]
fn a_wrong_token_is_not_repeated_in_the_error() {
    for wrong in [
        "auth: {bearer: 'hunter2 '}",
        "auth: hunter2",
        "auth: {bearer: [hunter2]}",
    ] {
        let error = parse(&with(wrong)).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_route_has_its_own_meaning_of_status_codes() {
    use delivery::status::StatusClass;
    let text = with("success_on: [409], retry_on: ['404', 500-504], drop_on: [4xx]");
    let overlap = parse(&text).unwrap_err();
    assert!(overlap.contains("drop_on has \"4xx\""), "{overlap}");
    let routes = parse(&with(
        "success_on: [409], retry_on: ['404'], drop_on: [505-599]",
    ))
    .unwrap();
    let statuses = &routes[0].endpoint(None).statuses;
    for (status, class) in [
        (409, StatusClass::Accepted),
        (404, StatusClass::Retryable),
        (507, StatusClass::RecordRejected),
        (503, StatusClass::Retryable),
    ] {
        assert_eq!(statuses.classify(status), class, "{status}");
    }
}

#[test]
fn routes_with_the_same_credentials_and_tls_files_share_an_endpoint() {
    let is_shared = |auth: [&str; 2]| {
        let [a, b] = auth;
        let text = format!(
            "version: 1\nroutes:\n- {{name: A, when: 'id == 1', url: 'https://a/1'{a}}}\n- {{name: B, when: 'id == 2', url: 'https://a/2'{b}}}\n"
        );
        let routes = parse(&text).unwrap();
        routes[0].has_access_of(&routes[1])
    };
    let bearer = ", auth: {bearer: t}";
    let basic = |name: &str| format!(", auth: {{basic: {{username: {name}, password: p}}}}");
    assert!(is_shared(["", ""]));
    assert!(is_shared([bearer, bearer]));
    assert!(is_shared([&basic("a"), &basic("a")]));
    let tls = |ca: &str| format!(", tls: {{ca: {ca}}}");
    assert!(is_shared([&tls("/ca.pem"), &tls("/ca.pem")]));
    assert!(!is_shared([&tls("/ca.pem"), &tls("/other.pem")]));
    assert!(!is_shared([&tls("/ca.pem"), ""]));
    assert!(!is_shared([bearer, ""]));
    assert!(!is_shared([bearer, ", auth: {bearer: other}"]));
    assert!(!is_shared([&basic("a"), &basic("b")]));
}
