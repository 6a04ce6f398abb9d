//! Where the load goes: an address of this machine and nothing else, because a load generator that
//! takes any address is one mistyped line away from somebody else's shop.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use axum::http::Uri;

/// The address of an Onhand on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    address: SocketAddr,
}

impl Target {
    pub(super) fn address(self) -> SocketAddr {
        self.address
    }

    /// Takes `http://`, a loopback address or `localhost`, and a port.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let uri: Uri = url
            .trim()
            .parse()
            .with_context(|| format!("{url} is no address"))?;
        ensure!(
            uri.scheme_str() == Some("http")
                && matches!(uri.path(), "" | "/")
                && uri.query().is_none(),
            "{url} is not of the form http://127.0.0.1:8080"
        );
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let ip = match host {
            // Never looked up: what a name means is up to the resolver.
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            host => host.parse::<IpAddr>().ok(),
        };
        let ip = ip.filter(IpAddr::is_loopback).with_context(|| {
            format!("{url} is not a loopback address, and the load goes to this machine only")
        })?;
        Ok(Self {
            address: SocketAddr::new(ip, uri.port_u16().unwrap_or(80)),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_taken() {
        for (url, address) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://127.9.9.9:1", "127.9.9.9:1"),
            ("http://localhost:81\n", "127.0.0.1:81"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://127.0.0.1", "127.0.0.1:80"),
        ] {
            let target = Target::parse(url).unwrap_or_else(|why| panic!("{url}: {why}"));
            assert_eq!(target.address().to_string(), address);
        }
    }

    #[test]
    fn every_other_address_is_refused() {
        for url in [
            "http://192.168.0.1:8080",
            "http://0.0.0.0:8080",
            "http://shop.example:8080",
            "http://localhost.example:8080",
            "http://127.0.0.1@shop.example:8080",
            "http://[::2]:8080",
            "https://127.0.0.1:8080",
            "http://127.0.0.1:8080/orders",
            "127.0.0.1:8080",
            "",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
