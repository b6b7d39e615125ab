//! `server.trusted_proxies` and `server.proxy_header`: whom to believe about where a request comes from.
//!
//! Networks are compared by their bits; how a request tells of its way is not known here.

use std::net::IpAddr;

/// Whoever stands before the gateway and may say whom a request comes from. By default nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    pub networks: Vec<Network>,
    /// Whether whoever comes by a Unix socket is one: its folder decides who that can be.
    pub local: bool,
    /// The one header in which they say it: what they do not write themselves a client may have written.
    pub header: ProxyHeader,
}

/// `server.proxy_header`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses with commas between them.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, or one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Proxies {
    /// Whether nobody is believed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.local
    }

    /// Whether who has this address is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

impl Network {
    /// Reads a network as it is written.
    ///
    /// # Errors
    /// What is wrong, in words that follow the text.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| "is no network")?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= most).ok_or("is no network")?
            }
            Some(_) => return Err("is no network"),
            None => most,
        };
        if bits == 0 {
            return Err("is everybody: then anybody could say to be somebody else");
        }
        let network = Self { address, bits };
        if network.masked(address) != address {
            return Err("has bits set behind its prefix");
        }
        Ok(network)
    }

    /// Whether an address is one of these. IPv4 within IPv6 (RFC 4291 §2.5.5.2) is IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.masked(address) == self.address
    }

    fn masked(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V4((u32::from(address) & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V6((u128::from(address) & mask).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_the_addresses_that_begin_like_them() {
        for (network, address, holds) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.0.0.0/8", "::a00:1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("128.0.0.0/1", "255.0.0.1", true),
            ("10.1.2.2/31", "10.1.2.3", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
            ("::1", "127.0.0.1", false),
            ("fe80::/10", "febf::1", true),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), holds, "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_told() {
        for (text, why) in [
            ("", "is no network"),
            ("10.0.0.0/", "is no network"),
            ("10.0.0.0/33", "is no network"),
            ("10.0.0.0/+8", "is no network"),
            ("10.0.0/8", "is no network"),
            ("::/129", "is no network"),
            ("proxy.example.com", "is no network"),
            ("0.0.0.0/0", "is everybody: then anybody could say to be somebody else"),
            ("::/0", "is everybody: then anybody could say to be somebody else"),
            ("10.0.0.1/8", "has bits set behind its prefix"),
            ("2001:db8::1/64", "has bits set behind its prefix"),
        ] {
            assert_eq!(Network::parse(text), Err(why), "{text}");
        }
    }
}
