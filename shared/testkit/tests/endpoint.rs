//! The scripted endpoint refuses and accepts connections.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use testkit::endpoint::{Answer, Endpoint};

#[test]
fn accepts_connections_on_the_same_port_after_refusing_them() {
    let endpoint = Endpoint::always(Answer::ok()).unwrap();
    let request = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(endpoint.address())?;
        stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    };
    let until = |wanted: fn(&std::io::Result<String>) -> bool| {
        let end = Instant::now() + Duration::from_secs(10);
        while !wanted(&request()) {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    assert_eq!(request().unwrap(), "HTTP/1.1 200");
    endpoint.refuse_connections(true);
    until(|result| matches!(result, Err(error) if error.kind() == ErrorKind::ConnectionRefused));
    endpoint.refuse_connections(false);
    until(|result| result.is_ok());
}
