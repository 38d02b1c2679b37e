//! The parts of the servers' protocols that show whether a server answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use rollcall_stack::{NatsServer, NatsUser};

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket has timeouts");
    stream
}

/// True if nothing listens on the port.
pub(crate) fn is_closed(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
}

/// True if the server requests a SCRAM password when `rollcall` connects, as it does once it
/// accepts connections.
pub(crate) fn postgres_asks_for_a_scram_password(port: u16) -> bool {
    let mut stream = connect(port);
    let parameters = b"user\0rollcall\0database\0rollcall\0\0";
    let length = u32::try_from(8 + parameters.len()).expect("a short message");
    let mut message = length.to_be_bytes().to_vec();
    message.extend(196_608_u32.to_be_bytes());
    message.extend(parameters);
    stream.write_all(&message).expect("the server reads");
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).expect("the server answers");
    // R: authentication, 10: SASL.
    answer[0] == b'R' && answer[5..9] == 10_u32.to_be_bytes()
}

/// Connects to NATS as `user` with the password of the server's URL, sends `commands`, and returns
/// everything that the server answers until it has seen them all.
pub(crate) fn nats(server: &NatsServer, user: NatsUser, commands: &str) -> String {
    let url = server.url(user);
    let password = url.split([':', '@']).nth(2).expect("the URL has a password").to_owned();
    nats_with_password(server, user, &password, commands)
}

/// Like [`nats`], with another password.
pub(crate) fn nats_with_password(server: &NatsServer, user: NatsUser, password: &str, commands: &str) -> String {
    let mut stream = connect(server.port());
    let name = user.name();
    let hello = format!("CONNECT {{\"verbose\":false,\"user\":\"{name}\",\"pass\":\"{password}\"}}\r\n");
    write!(stream, "{hello}{commands}PING\r\n").expect("the server reads");
    let mut answers = String::new();
    for line in BufReader::new(stream).lines() {
        // The server closes the connection after some errors, and then there is nothing more to
        // read.
        let Ok(line) = line else { break };
        answers.push_str(&line);
        answers.push('\n');
        if line == "PONG" {
            break;
        }
    }
    answers
}

/// The body of a response of the monitoring port.
pub(crate) fn monitor(server: &NatsServer, path: &str) -> String {
    let url = server.monitor_url();
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the URL has a port");
    let mut stream = connect(port);
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers");
    answer
}
