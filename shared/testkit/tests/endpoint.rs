//! The scripted endpoint, by what tests rely on.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use testkit::endpoint::{Answer, Endpoint};

#[test]
fn an_endpoint_that_refuses_comes_back_on_the_same_port() {
    let endpoint = Endpoint::always(Answer::ok()).unwrap();
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(endpoint.address())?;
        stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    };
    let until = |wanted: fn(&std::io::Result<String>) -> bool| {
        let end = Instant::now() + Duration::from_secs(10);
        while !wanted(&ask()) {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    assert_eq!(ask().unwrap(), "HTTP/1.1 200");
    endpoint.refuse(true);
    until(|asked| matches!(asked, Err(error) if error.kind() == ErrorKind::ConnectionRefused));
    endpoint.refuse(false);
    until(|asked| asked.is_ok());
}
