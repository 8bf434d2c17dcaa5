//! The gate: which hosts are answered, which origins may send credentials, and who is behind a
//! proxy. Plain functions over strings; called by `http/` for each request and by `session/` for
//! each handshake. Must not know a web framework.

use std::net::IpAddr;

use crate::config::ServerSettings;

/// The settings that the gate decides by.
#[derive(Clone, Debug)]
pub struct Gate {
    hosts: Vec<String>,
    origins: Vec<String>,
    proxies: Vec<IpAddr>,
}

/// Who is asking, seen behind listed proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// His address.
    pub ip: IpAddr,
    /// Whether he came by https, as a listed proxy says.
    pub https: bool,
}

impl Gate {
    /// From the settings; the host of `bind` is allowed, too.
    #[must_use]
    pub fn from_settings(settings: &ServerSettings) -> Self {
        let bound = match settings.bind.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let hosts: Vec<&str> =
            settings.allowed_hosts.iter().map(String::as_str).chain([bound.as_str()]).collect();
        let origins: Vec<&str> = settings.cors_allowed_origins.iter().map(String::as_str).collect();
        Self::new(&hosts, &origins, &settings.trusted_proxies)
    }

    /// From the lists alone.
    #[must_use]
    pub fn new(hosts: &[&str], origins: &[&str], proxies: &[IpAddr]) -> Self {
        let origin = |text: &&str| text.trim().trim_end_matches('/').to_lowercase();
        Self {
            hosts: hosts.iter().map(|host| host.trim().to_lowercase()).collect(),
            origins: origins.iter().map(origin).collect(),
            proxies: proxies.iter().map(IpAddr::to_canonical).collect(),
        }
    }

    /// Whether this value of `Host` is answered. An entry without a port allows every port, one
    /// with a port that port alone, and `*` everything.
    #[must_use]
    pub fn host_allowed(&self, host: &str) -> bool {
        let host = host.to_lowercase();
        let Some(name) = host_name(&host) else {
            return false;
        };
        self.hosts.iter().any(|allowed| allowed == "*" || *allowed == host || *allowed == name)
    }

    /// Whether a request with this `Origin` may carry cookies: the server's own origin (`host` is
    /// the value of `Host`) or a configured one, compared as a whole.
    #[must_use]
    pub fn origin_allowed(&self, origin: &str, host: &str, https: bool) -> bool {
        let origin = origin.to_lowercase();
        let own = match origin.split_once("://") {
            Some((scheme, authority)) => {
                let (wanted, port) = if https { ("https", ":443") } else { ("http", ":80") };
                let host = host.to_lowercase();
                // A browser leaves out the scheme's own port; a program may write it.
                scheme == wanted
                    && !authority.is_empty()
                    && authority.strip_suffix(port).unwrap_or(authority)
                        == host.strip_suffix(port).unwrap_or(&host)
            }
            None => false,
        };
        own || self.origins.contains(&origin)
    }

    /// Whether the request came from a proxy that is listed.
    #[must_use]
    pub fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.contains(&peer.to_canonical())
    }

    /// Who is asking. `X-Forwarded-For` and `-Proto` count from a listed proxy alone; of the
    /// addresses, the last one that is not itself a listed proxy: what stands before it, anybody
    /// may have written.
    #[must_use]
    pub fn asker(
        &self,
        peer: IpAddr,
        forwarded_for: Option<&str>,
        forwarded_proto: Option<&str>,
    ) -> Asker {
        let direct = Asker { ip: peer.to_canonical(), https: false };
        if !self.is_proxy(peer) {
            return direct;
        }
        let https = forwarded_proto
            .and_then(|protos| protos.rsplit(',').next())
            .is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"));
        let mut ip = direct.ip;
        for hop in forwarded_for.unwrap_or_default().rsplit(',') {
            let Some(address) = hop_address(hop.trim()) else { break };
            ip = address;
            if !self.is_proxy(address) {
                break;
            }
        }
        Asker { ip, https }
    }
}

/// The name of a `Host` value without its port; none when the value has another shape.
fn host_name(host: &str) -> Option<String> {
    let (name, port) = if let Some(rest) = host.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        (format!("[{address}]"), after.strip_prefix(':').or(after.is_empty().then_some(""))?)
    } else {
        let (name, port) = host.split_once(':').unwrap_or((host, ""));
        let fine = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        (!name.is_empty() && fine).then(|| (name.to_owned(), port))?
    };
    (port.is_empty() || port.parse::<u16>().is_ok()).then_some(name)
}

/// An address as a proxy writes it: bare, with a port, or in brackets.
fn hop_address(hop: &str) -> Option<IpAddr> {
    hop.parse::<IpAddr>()
        .ok()
        .or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(
            &["localhost", "127.0.0.1", "[::1]", "chat.example:8443"],
            &["http://localhost:3000"],
            &[IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])],
        )
    }

    #[test]
    fn hosts_are_compared_as_a_whole() {
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:80", "chat.example:8443"]
        {
            assert!(gate().host_allowed(host), "{host}");
        }
        for host in [
            "",
            ":8000",
            "evil.example",
            "localhost.evil.example",
            "evil-localhost",
            "localhost:x",
            "localhost:99999",
            "chat.example",
            "chat.example:80",
            "[::1",
            "::1",
            "localhost/",
            "a@localhost",
            "localhost:80:80",
            "[::1]x",
            "[localhost]",
        ] {
            assert!(!gate().host_allowed(host), "{host}");
        }
    }

    #[test]
    fn origins_are_the_servers_own_or_listed_never_by_suffix() {
        for (origin, host, https) in [
            ("http://localhost:8000", "localhost:8000", false),
            ("http://LOCALHOST:8000", "localhost:8000", false),
            ("https://chat.example", "chat.example", true),
            ("https://chat.example", "chat.example:443", true),
            ("http://chat.example", "chat.example:80", false),
            ("http://localhost:3000", "anything", true),
        ] {
            assert!(gate().origin_allowed(origin, host, https), "{origin} on {host}");
        }
        for (origin, host, https) in [
            ("null", "localhost:8000", false),
            ("", "", false),
            ("http://", "", false),
            ("https://localhost:8000", "localhost:8000", false),
            ("http://chat.example", "chat.example", true),
            ("http://localhost:8001", "localhost:8000", false),
            ("http://evil.localhost:3000", "localhost:8000", false),
            ("http://localhost:3000.evil.example", "localhost:8000", false),
            ("http://localhost:30000", "localhost:8000", false),
            ("http://localhost:3000/", "localhost:8000", false),
        ] {
            assert!(!gate().origin_allowed(origin, host, https), "{origin} on {host}");
        }
    }

    #[test]
    fn only_listed_proxies_are_believed() {
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let stranger = IpAddr::from([203, 0, 113, 9]);
        for (peer, forwarded_for, proto, ip, https) in [
            (stranger, Some("198.51.100.7"), Some("https"), "203.0.113.9", false),
            (proxy, None, None, "10.0.0.1", false),
            (proxy, Some("198.51.100.7"), Some("https"), "198.51.100.7", true),
            (proxy, Some("1.2.3.4, 198.51.100.7, 10.0.0.2"), Some("http"), "198.51.100.7", false),
            (proxy, Some("198.51.100.7:4711"), Some("http, https"), "198.51.100.7", true),
            (proxy, Some("[2001:db8::1]"), Some("HTTPS"), "2001:db8::1", true),
            (proxy, Some("nonsense"), Some("ftp"), "10.0.0.1", false),
            (proxy, Some("1.2.3.4, nonsense"), None, "10.0.0.1", false),
        ] {
            let asker = gate().asker(peer, forwarded_for, proto);
            let wanted = Asker { ip: ip.parse().unwrap_or(peer), https };
            assert_eq!(asker, wanted, "{forwarded_for:?}");
        }
    }
}
