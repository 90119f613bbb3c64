//! Where clients come from, as far as it matters for counting them.

use std::net::IpAddr;
use weir_core::ClientNetwork;

/// The network of a client: the first bits of its address, the others zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network(IpAddr);

impl Network {
    /// The network of an address. IPv4 that came through an IPv6 socket (RFC 4291, section 2.5.5.2) is IPv4.
    pub(super) fn of(address: IpAddr, prefixes: ClientNetwork) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefixes.ipv4.min(32))).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefixes.ipv6.min(128))).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_the_first_bits_of_an_address() {
        let same = |one: &str, two: &str, ipv4: u8, ipv6: u8| {
            let of = |text: &str| Network::of(text.parse().unwrap(), ClientNetwork { ipv4, ipv6 });
            of(one) == of(two)
        };
        assert!(same("192.0.2.1", "192.0.2.1", 32, 64) && !same("192.0.2.1", "192.0.2.2", 32, 64));
        assert!(same("192.0.2.1", "192.0.2.200", 24, 64) && !same("192.0.2.1", "192.0.3.1", 24, 64));
        assert!(same("192.0.2.1", "10.0.0.1", 0, 64));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1", 32, 64));
        assert!(!same("::ffff:192.0.2.1", "::ffff:192.0.2.2", 32, 64), "not all of IPv4 is one network");
        assert!(
            same("2001:db8::1", "2001:db8::ffff:1", 32, 64)
                && !same("2001:db8::1", "2001:db8:0:1::1", 32, 64)
        );
        assert!(!same("2001:db8::1", "2001:db8::2", 32, 128));
    }
}
