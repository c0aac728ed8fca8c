//! Where a request comes from: the address of the other end, or what a proxy that is trusted says.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};

use crate::config::Network;

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

static FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of whoever asks. Each proxy adds the address it saw at the end of the list, so it is
/// read from there, for as long as a trusted one has written it: what stands before can be invented.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.has(address));
    let mut lines: Vec<&str> = Vec::new();
    for value in headers.get_all(&FORWARDED) {
        match value.to_str() {
            Ok(text) => lines.extend(text.split(',')),
            Err(_) => lines.clear(),
        }
    }
    let mut found = peer;
    for said in lines.iter().rev() {
        if !is_trusted(found) {
            break;
        }
        let Some(address) = parse(said.trim()) else { break };
        found = address;
    }
    found.to_canonical()
}

/// `192.0.2.7`, `192.0.2.7:1234`, `2001:db8::7`, `[2001:db8::7]:1234`.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(bare, _)| bare);
    bare.unwrap_or(text)
        .parse()
        .ok()
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}
