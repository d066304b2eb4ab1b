//! Access tokens and TLS, compared with plain requests.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use delivery::EndpointConfig;
use delivery::request::{AuthorizationError, RequestAuthorization};
use delivery::transport::{Pem, TlsFiles};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Request;
use http::header::AUTHORIZATION;
use oauth2::{ClientCredentials, TokenSource};
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use runtime::secret::Secret;
use testkit::certificates::{Certificate, CertificateAuthority};
use testkit::endpoint::{Answer, Endpoint};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::measure::CONNECTIONS;
use crate::server::{converse_hyper, serve};
use crate::{best_of, print};

/// Prints the figures of one Avro datum in a request.
pub(crate) fn compare(rounds: usize) {
    let plain = EndpointConfig::new("A", format!("http://127.0.0.1:{}/", serve(converse_hyper)));
    let token = r#"{"access_token":"TOKEN","token_type":"Bearer","expires_in":3600}"#;
    // The length of a JWT that is signed with RSA.
    let token = token.replace("TOKEN", &"x".repeat(800));
    let server = Endpoint::always(Answer::ok().body(token)).expect("a server");
    let credentials = ClientCredentials {
        token_url: server.url().parse().expect("a URL"),
        client_id: "job".to_owned(),
        client_secret: Secret::new("secret"),
        auth_method: oauth2::AuthMethod::default(),
        scope: None,
        audience: None,
    };
    let source =
        TokenSource::new(|| Ok(reqwest::Client::builder()), &credentials).expect("a source");
    let oauth2 = EndpointConfig {
        authorization: Arc::new(AccessToken(source)),
        ..plain.clone()
    };

    let authority = CertificateAuthority::new("authority").expect("an authority");
    let ca = || Some(Pem::Text(Secret::new(authority.pem().expect("PEM"))));
    let client = authority.client("job", "job", "urn:job").expect("a client");
    let pem = |text: String| Pem::Text(Secret::new(text));
    let identity = (
        pem(client.pem().expect("PEM")),
        pem(client.key_pem().expect("PEM")),
    );
    let encrypted = |port: u16, files: TlsFiles| EndpointConfig {
        url: format!("https://127.0.0.1:{port}/"),
        tls: Arc::new(files),
        ..plain.clone()
    };
    let tls = encrypted(serve_tls(&authority, false), TlsFiles::new(ca(), None));
    let mutual = TlsFiles::new(ca(), Some(identity));
    let mutual = encrypted(serve_tls(&authority, true), mutual);

    println!("access, 1 Avro datum a request, {CONNECTIONS} connections, best of {rounds}");
    print(&best_of(
        rounds,
        &[
            ("plain", plain.clone()),
            ("OAuth 2.0, cached token", oauth2),
            ("TLS", tls),
            ("TLS, client certificate", mutual),
        ],
        100_000,
    ));
    assert_eq!(server.count(), 1, "one token for all rounds");
}

/// As the job authorizes requests with `auth: {oauth2: …}`.
#[derive(Debug)]
struct AccessToken(TokenSource);

impl RequestAuthorization for AccessToken {
    fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), AuthorizationError> {
        let header = self.0.current();
        let header = header.ok_or_else(|| AuthorizationError("no token".to_owned()))?;
        request.headers_mut().insert(AUTHORIZATION, header);
        Ok(())
    }

    fn ready(&self) -> Option<BoxFuture<'_, Result<(), AuthorizationError>>> {
        let ready = async {
            let header = self.0.header(Instant::now()).await;
            header
                .map(drop)
                .map_err(|error| AuthorizationError(error.to_string()))
        };
        Some(ready.boxed())
    }
}

/// hyper behind OpenSSL. `mutual`: clients need a certificate of the authority.
fn serve_tls(authority: &CertificateAuthority, mutual: bool) -> u16 {
    let server: Certificate = authority.server("server").expect("a certificate");
    let method = SslMethod::tls_server();
    let mut builder = SslAcceptor::mozilla_intermediate_v5(method).expect("an acceptor");
    builder
        .set_certificate(&server.certificate)
        .expect("a certificate");
    builder.set_private_key(&server.key).expect("a key");
    if mutual {
        let pem = authority.pem().expect("PEM");
        let mut store = X509StoreBuilder::new().expect("a store");
        store
            .add_cert(X509::from_pem(pem.as_bytes()).expect("PEM"))
            .expect("a certificate");
        builder
            .set_verify_cert_store(store.build())
            .expect("a store");
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    let acceptor = builder.build();
    serve(move |stream: TcpStream| {
        let ssl = Ssl::new(acceptor.context());
        async move {
            let mut stream = SslStream::new(ssl.ok()?, stream).ok()?;
            Pin::new(&mut stream).accept().await.ok()?;
            converse_hyper(stream).await
        }
    })
}
