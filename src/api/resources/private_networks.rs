//! Hosts that clients may not send the daemon to: itself, and what only its own network reaches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a URL's host is, or plainly names, a loopback, link-local or private address.
pub(super) fn holds(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return is_private(address);
    }
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    let local = ["localhost", "local", "internal", "localdomain"];
    if local
        .iter()
        .any(|top| name == *top || name.ends_with(&format!(".{top}")))
    {
        return true;
    }
    // Resolvers read 127.1, 0x7f000001 and 2130706433 as addresses; no name of the world ends in a number.
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x")
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || is_shared(v4)
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || is_translated(v6)
        }
    }
}

/// 0.0.0.0/8 (this network) and 100.64.0.0/10 (between a provider and its customers).
fn is_shared(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    a == 0 || (a == 100 && (64..128).contains(&b))
}

/// 64:ff9b::/96 holds an IPv4 address.
fn is_translated(v6: Ipv6Addr) -> bool {
    matches!(v6.segments(), [0x64, 0xff9b, 0, 0, 0, 0, _, _])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_all_their_forms() {
        for host in [
            "127.0.0.1",
            "localhost",
            "LOCALHOST.",
            "x.localhost",
            "[::1]",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "[fe80::1]",
            "[fc00::1]",
            "[::ffff:127.0.0.1]",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "100.64.0.1",
            "metadata.google.internal",
            "[64:ff9b::7f00:1]",
            "",
        ] {
            assert!(holds(host), "{host}");
        }
        for host in [
            "example.test",
            "hooks.example.com",
            "198.51.100.7",
            "[2001:db8::1]",
            "1and1.example",
            "172.32.0.1",
        ] {
            assert!(!holds(host), "{host}");
        }
    }
}
