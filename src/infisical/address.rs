//! The addresses that credentials are never sent to.
//!
//! They hold for what an author writes and for what a name resolves to alike:
//! link-local addresses, and those at which clouds serve instance metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where clouds serve instance metadata outside of link-local addresses, as their
/// documentation has it: Alibaba's, Oracle's, and Azure's wire server, which hands out
/// the certificates and the settings of a machine.
const METADATA: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];

/// The same in IPv6: Google's, Oracle's, Alibaba's, Scaleway's and Linode's.
const METADATA_V6: [Ipv6Addr; 5] = [
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1),
];

/// Amazon's, of which there are several: for machines, containers and Pods.
const METADATA_OF_AMAZON: [u16; 2] = [0xfd00, 0x0ec2];

/// The IPv4 address that an IPv6 address stands for: a mapped one, or one that a
/// NAT64 gateway translates (RFC 6052, the well-known prefix).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x0064, 0xff9b, 0, 0, 0, 0, high, low] = v6.segments() else { return v6.to_ipv4_mapped() };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

/// Whether an address is one that credentials are never sent to: link-local,
/// where clouds serve instance metadata.
#[must_use]
pub fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_link_local() || v4.is_broadcast() || v4.is_unspecified() || METADATA.contains(&v4)
        }
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || v6.is_unspecified()
                || v6.segments().starts_with(&METADATA_OF_AMAZON)
                || METADATA_V6.contains(&v6)
                || embedded(v6).is_some_and(|v4| is_forbidden(IpAddr::V4(v4)))
        }
    }
}
