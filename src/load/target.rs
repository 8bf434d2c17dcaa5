//! Where a run goes to and where it comes from: URLs become addresses once, before anything is
//! measured. Called by `run`.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What `Host` says.
    pub host: String,
    /// Path before the scenario's own; empty or beginning with `/`.
    pub base: String,
}

impl Target {
    /// Reads a URL and looks its host up.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = match url.split_once("://") {
            Some(("ws" | "http", rest)) => rest,
            Some(("wss" | "https", _)) => {
                return Err(format!(
                    "{url}: no TLS here; give the address behind the proxy, as ws://host:port"
                ));
            }
            _ => return Err(format!("{url:?} is no URL: write ws://host:port")),
        };
        let (host, base) = match rest.find('/') {
            Some(at) => (&rest[..at], rest[at..].trim_end_matches('/')),
            None => (rest, ""),
        };
        let named = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let mut found =
            named.to_socket_addrs().map_err(|why| format!("{url}: {host} is not known: {why}"))?;
        let addr = found.next().ok_or_else(|| format!("{url}: {host} has no address"))?;
        Ok(Self { addr, host: host.to_owned(), base: base.to_owned() })
    }

    /// Whether a socket can go there from here.
    #[must_use]
    pub const fn suits(&self, source: IpAddr) -> bool {
        source.is_ipv4() == self.addr.is_ipv4()
    }
}

/// How many files this process may hold open; none where that can't be known.
#[must_use]
pub fn open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // As many as the machine's administrator allows: no flag of ours is needed for that.
    let raised = Rlimit { current: limit.maximum, ..limit };
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_wrong_ones_say_what_to_write() {
        let target = Target::parse("ws://127.0.0.1:8000/chat/").expect("right");
        assert_eq!((target.addr.port(), target.base.as_str()), (8_000, "/chat"));
        assert_eq!(Target::parse("http://127.0.0.1").expect("right").addr.port(), 80);
        let six = Target::parse("ws://[::1]:9").expect("right");
        assert!(six.suits(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
        assert!(!six.suits(IpAddr::from([127, 0, 0, 1])));
        assert!(Target::parse("wss://x").expect_err("TLS").contains("behind the proxy"));
        assert!(Target::parse("localhost:80").expect_err("no scheme").contains("ws://host:port"));
    }
}
