//! Values of settings, read from text: addresses, hosts, origins, URLs, switches. Pure; called by
//! `schema`. Each function gives the value in its one form, or nothing when it is none.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use toml::Value;

/// What stands in place of a secret.
pub(super) const MASK: &str = "***";

/// Longest value that a message shows, in characters.
const SHOWN_MAX: usize = 200;

/// `ADDRESS:PORT`; `localhost` is the loopback address.
pub(super) fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address: SocketAddr = named.as_deref().unwrap_or(text).parse().ok()?;
    Some(address.to_string())
}

/// `on` and `off`, and how else people write them.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Some(true),
        "off" | "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// A list, or a text with commas between its items, each read by `item`.
pub(super) fn list(value: &Value, item: fn(&str) -> Option<String>) -> Option<Value> {
    let read: Option<Vec<Value>> = match value {
        Value::String(text) => text
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| item(text).map(Value::String))
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|value| value.as_str().and_then(|text| item(text.trim())).map(Value::String))
            .collect(),
        _ => None,
    };
    read.map(Value::Array)
}

/// A host name or address as a `Host` header has it: lower case, IPv6 in brackets.
pub(super) fn host(text: &str) -> Option<String> {
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
        return Some(format!("[{address}]"));
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (text.len() <= 253 && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

/// `SCHEME://HOST[:PORT]` as browsers send it: lower case, no default port, no slash at the end.
pub(super) fn origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.strip_suffix('/').unwrap_or(text).split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let (name, port) = match rest.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse::<u16>().ok()?)),
        _ => (rest, None),
    };
    if name.contains(':') && !(name.starts_with('[') && name.ends_with(']')) {
        return None;
    }
    let name = host(name)?;
    match port.filter(|port| *port != default_port) {
        Some(port) => Some(format!("{scheme}://{name}:{port}")),
        None => Some(format!("{scheme}://{name}")),
    }
}

/// An IP address.
pub(super) fn ip(text: &str) -> Option<String> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_string())
}

/// A database that Hubbub can keep things in. Not one in memory: several connections share it.
pub(super) fn database_url(text: &str) -> bool {
    if let Some(file) = text.strip_prefix("sqlite://") {
        let file = file.split('?').next().unwrap_or_default();
        return !file.is_empty() && !file.contains(":memory:") && !text.contains("mode=memory");
    }
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

/// Whether the URL names a PostgreSQL database.
pub(super) fn is_postgres(database_url: &str) -> bool {
    !database_url.starts_with("sqlite:")
}

/// A Redis server.
pub(super) fn redis_url(text: &str) -> bool {
    let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

/// 1 to 64 letters, digits and `-`.
pub(super) fn word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// `level` or `module=level`, commas between them.
pub(super) fn log_filter(text: &str) -> bool {
    let level = |word: &str| {
        ["off", "error", "warn", "info", "debug", "trace"]
            .contains(&word.to_ascii_lowercase().as_str())
    };
    let module = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_:-".contains(c))
    };
    !text.trim().is_empty()
        && text.split(',').map(str::trim).all(|part| match part.split_once('=') {
            Some((name, word)) => module(name.trim()) && level(word.trim()),
            None => level(part) || (module(part) && part.contains("::")) || part == "hubbub",
        })
}

/// A URL without its password, and without the values of its query, which may hold one too.
pub(super) fn masked_url(url: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, ""), |(url, _)| (url, "?…"));
    let masked = match url.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((user, place)) => match user.split_once(':') {
                Some((name, _)) => format!("{scheme}://{name}:{MASK}@{place}"),
                None => format!("{scheme}://{user}@{place}"),
            },
            None => url.to_owned(),
        },
        // Without a scheme nothing says where a password would stand.
        None if url.contains('@') => MASK.to_owned(),
        None => url.to_owned(),
    };
    one_line(&(masked + query))
}

/// A text as part of one line: no control characters, and not endless.
pub(super) fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(SHOWN_MAX)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_without_scheme_port_or_wildcard() {
        for (text, read) in [
            ("localhost", Some("localhost")),
            ("Chat.Example.org", Some("chat.example.org")),
            ("10.0.0.1", Some("10.0.0.1")),
            ("::1", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("*", None),
            ("*.example.org", None),
            (".example.org", None),
            ("http://example.org", None),
            ("example.org:8000", None),
            ("example.org/x", None),
            ("", None),
        ] {
            assert_eq!(host(text).as_deref(), read, "{text}");
        }
    }

    #[test]
    fn origins_are_read_as_browsers_send_them() {
        for (text, read) in [
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("HTTPS://Chat.Example.org:443/", Some("https://chat.example.org")),
            ("http://[::1]:5173", Some("http://[::1]:5173")),
            ("https://[::1]", Some("https://[::1]")),
            ("*", None),
            ("localhost:3000", None),
            ("ftp://example.org", None),
            ("https://example.org/path", None),
            ("https://example.org:port", None),
            ("https://a:b:1", None),
            ("null", None),
        ] {
            assert_eq!(origin(text).as_deref(), read, "{text}");
        }
    }

    #[test]
    fn urls_are_shown_without_their_password() {
        for (url, shown) in [
            ("postgres://u:p@ss@h/db", "postgres://u:***@h/db"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("postgres://h/db?password=x", "postgres://h/db?…"),
            ("sqlite://hubbub.db", "sqlite://hubbub.db"),
            ("redis://:secret@h:6379", "redis://:***@h:6379"),
            ("u:p@h", "***"),
        ] {
            assert_eq!(masked_url(url), shown);
        }
    }

    #[test]
    fn log_filters_are_levels_by_module() {
        for good in ["info", "WARN", "warn,hubbub::rooms=debug", "off", "hubbub=trace", "sqlx=warn"]
        {
            assert!(log_filter(good), "{good}");
        }
        for bad in ["", "loud", "hubbub=loud", "info,,warn", "=info"] {
            assert!(!log_filter(bad), "{bad}");
        }
    }
}
