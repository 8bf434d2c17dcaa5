//! Settings as an operator meets them: which source wins, and what each refusal says.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::layers::{DEFAULTS, Sources, settings};
use super::schema::SETTINGS;
use super::*;

fn pairs(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_environment(given: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    settings(&Sources { environment: pairs(given), ..Sources::default() })
}

fn with_file(text: &str) -> Result<Settings, ConfigError> {
    let files = vec![("config/default.toml".to_owned(), text.to_owned())];
    settings(&Sources { files, ..Sources::default() })
}

fn paths(table: &Table) -> BTreeSet<String> {
    table
        .iter()
        .flat_map(|(section, names)| {
            let names = names.as_table().into_iter().flat_map(Table::keys);
            names.map(move |name| format!("{section}.{name}"))
        })
        .collect()
}

#[test]
fn every_field_has_a_default_and_every_default_a_field() {
    let defaults: Table = toml::from_str(DEFAULTS).unwrap();
    let fields: Table = toml::from_str(&toml::to_string(&Settings::defaults()).unwrap()).unwrap();
    let table: BTreeSet<String> = SETTINGS.iter().map(schema::Setting::path).collect();
    assert_eq!(paths(&defaults), paths(&fields));
    assert_eq!(paths(&defaults), table);
}

#[test]
fn every_default_has_a_comment() {
    let mut before = "";
    for line in DEFAULTS.lines() {
        if !line.starts_with('#') && !line.is_empty() {
            assert!(before.starts_with("# "), "no comment above {line:?}");
        }
        before = line;
    }
}

#[test]
fn every_default_is_one_that_its_setting_may_have() {
    let defaults: Table = toml::from_str(DEFAULTS).unwrap();
    for setting in SETTINGS {
        let value = &defaults[setting.section][setting.name];
        assert!(setting.read(value).is_some(), "{}", setting.path());
    }
}

#[test]
fn what_comes_later_wins_key_by_key() {
    let mut sources = Sources {
        files: vec![
            ("config/default.toml".into(), "[rooms]\npermits = 1\nlinger_s = 1".into()),
            ("config/staging.toml".into(), "[rooms]\npermits = 2\nmax_members = 2".into()),
        ],
        ..Sources::default()
    };
    let read = settings(&sources).unwrap();
    assert_eq!((read.rooms.permits, read.rooms.linger_s, read.rooms.max_members), (2, 1, 2));
    assert_eq!(read.rooms.window_events, 500);

    sources.dotenv = pairs(&[("HUBBUB__ROOMS__PERMITS", "3"), ("BIND", "127.0.0.1:3")]);
    let read = settings(&sources).unwrap();
    assert_eq!((read.rooms.permits, read.server.bind.port()), (3, 3));

    sources.environment = pairs(&[("HUBBUB__ROOMS__PERMITS", "4"), ("BIND", "127.0.0.1:4")]);
    let read = settings(&sources).unwrap();
    assert_eq!((read.rooms.permits, read.server.bind.port()), (4, 4));

    sources.flags = Overrides { bind: Some("localhost:5".into()), database_url: None, chaos: None };
    assert_eq!(settings(&sources).unwrap().server.bind.to_string(), "127.0.0.1:5");
}

#[test]
fn every_setting_can_be_given_in_the_environment() {
    for setting in SETTINGS {
        let default = &toml::from_str::<Table>(DEFAULTS).unwrap()[setting.section][setting.name];
        let text = match default {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        let long = format!("HUBBUB__{}__{}", setting.section, setting.name).to_ascii_uppercase();
        for name in [Some(long.as_str()), setting.short].into_iter().flatten() {
            let read = with_environment(&[(name, &text)]).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(read.to_string(), Settings::defaults().to_string(), "{name}");
        }
    }
}

#[test]
fn short_names_mean_what_deployers_expect() {
    let read = with_environment(&[
        ("ALLOWED_HOSTS", "Chat.example.org, 10.0.0.1"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example/,http://b.example:8080"),
        ("ALLOW_GUESTS", "off"),
        ("RATE_LIMITS", "OFF"),
        ("METRICS_BIND", "127.0.0.1:9100"),
        ("RUST_LOG", "warn,hubbub=debug"),
        ("REDIS_HOST", "cache"),
        ("SECRET_KEY", " kept as it is "),
        ("DATABASE_URL", "sqlite:///tmp/x.db"),
    ])
    .unwrap();
    assert_eq!(read.server.allowed_hosts, ["chat.example.org", "10.0.0.1", "127.0.0.1"]);
    assert_eq!(read.server.cors_allowed_origins, ["https://a.example", "http://b.example:8080"]);
    assert!(!read.auth.allow_guests && !read.auth.rate_limits);
    assert_eq!(read.server.metrics_bind.map(|at| at.port()), Some(9100));
    assert_eq!(read.log.filter, "warn,hubbub=debug");
    assert_eq!(read.bus.redis_url, "redis://cache:6379");
    assert_eq!(read.auth.secret_key, " kept as it is ");
    assert_eq!(read.warnings().len(), 1);
    let both = [("REDIS_HOST", "cache"), ("REDIS_URL", "redis://other:1")];
    assert_eq!(with_environment(&both).unwrap().bus.redis_url, "redis://other:1");
}

#[test]
fn an_empty_short_name_counts_as_not_set() {
    for setting in SETTINGS {
        if let Some(short) = setting.short {
            assert!(with_environment(&[(short, "")]).is_ok(), "{short}");
        }
    }
    // Orchestrators set REDIS_PORT to an address of their own for a service of that name.
    assert!(with_environment(&[("REDIS_PORT", "tcp://10.0.0.1:6379")]).is_ok());
}

#[test]
fn a_bad_setting_is_named_with_what_it_was_and_what_it_may_be() {
    for (name, value, said) in [
        ("BIND", "8000", "BIND: server.bind is \"8000\"; it may be an address and a port"),
        ("BIND", "example.org:80", "it may be an address and a port"),
        (
            "METRICS_BIND",
            "yes",
            "METRICS_BIND: server.metrics_bind is \"yes\"; it may be empty, or",
        ),
        ("DATABASE_URL", "mysql://u:hush@h/db", "is \"mysql://u:***@h/db\"; it may be sqlite://"),
        ("DATABASE_URL", "sqlite::memory:", "it may be sqlite://FILE"),
        ("DATABASE_URL", "sqlite://:memory:", "it may be sqlite://FILE"),
        ("REDIS_URL", "cache:6379", "it may be empty, redis://HOST:PORT"),
        ("ALLOWED_HOSTS", "a.example,*", "without scheme, port, path or wildcard"),
        ("CORS_ALLOWED_ORIGINS", "*", "it may be origins without path or wildcard"),
        ("ALLOW_GUESTS", "perhaps", "auth.allow_guests is \"perhaps\"; it may be on or off"),
        ("RUST_LOG", "loud", "log.filter is \"loud\"; it may be off, error,"),
        ("HUBBUB__ROOMS__PERMITS", "0", "is \"0\"; it may be a whole number from 1 to 1000000"),
        ("HUBBUB__ROOMS__PERMITS", "", "it may be a whole number"),
        ("HUBBUB__SERVER__DRAIN_S", "31", "it may be a whole number from 1 to 30"),
        ("HUBBUB__SESSION__ENGINE", "fast", "it may be direct or actix-web-actors"),
        ("HUBBUB__AUTH__ISSUER", " ", "it may be a text that is not empty"),
        ("HUBBUB__SERVER__TRUSTED_PROXIES", "10.0.0.0/8", "it may be IP addresses"),
        ("HUBBUB__ROOM__PERMITS", "1", "there is no setting room.permits"),
        ("HUBBUB__PERMITS", "1", "there is no setting permits"),
        ("HUBBUB__ROOMS__PERMITS\n", "1", "there is no setting rooms.permits"),
        ("HUBBUB__AUTH__REFRESH_TTL_S", "60", "auth.refresh_ttl_s is less than"),
    ] {
        let line = with_environment(&[(name, value)]).unwrap_err().to_string();
        assert!(line.contains(said), "{line}");
        assert!(!line.contains('\n') && !line.contains("hush"), "{line}");
    }
}

#[test]
fn a_bad_file_is_refused_without_showing_what_stands_in_it() {
    for (text, said) in [
        ("[rooms]\npermits = many", "config/default.toml: line 2 is no TOML"),
        ("[auth]\nsecret_key = hush", "line 2 is no TOML"),
        ("[auth]\nsecret_key = [\"hush\"]", "auth.secret_key is not a text; it may be a text"),
        ("[rooms]\npermit = 1", "there is no setting rooms.permit"),
        ("[room]", "there is no setting room;"),
        ("permits = 1", "there is no setting permits"),
        ("[rooms]\npermits = 1.5", "rooms.permits is 1.5; it may be a whole number"),
        ("[rooms]\npermits = [1]", "rooms.permits is [1]; it may be"),
        ("[server]\nallowed_hosts = [1]", "server.allowed_hosts is [1]; it may be"),
    ] {
        let line = with_file(text).unwrap_err().to_string();
        assert!(line.contains(said), "{line}");
        assert!(!line.contains('\n') && !line.contains("hush"), "{line}");
    }
}

#[test]
fn production_needs_a_key_of_32_bytes() {
    let long = "k".repeat(32);
    let short = "k".repeat(31);
    for (given, refused) in [
        (vec![], false),
        (vec![("BIND", "[::1]:80")], false),
        (vec![("BIND", "0.0.0.0:80")], true),
        (vec![("BIND", "192.168.1.5:80"), ("SECRET_KEY", &short)], true),
        (vec![("BIND", "0.0.0.0:80"), ("SECRET_KEY", &long)], false),
        (vec![("HUBBUB_ENV", "production")], true),
        (vec![("HUBBUB_ENV", "production"), ("SECRET_KEY", &long)], false),
        (vec![("HUBBUB_ENV", "staging")], false),
        (vec![("HUBBUB__SERVER__PRODUCTION", "on")], true),
        (vec![("SECRET_KEY", &short)], false),
    ] {
        let read = with_environment(&given);
        assert_eq!(matches!(read, Err(ConfigError::Secret { .. })), refused, "{given:?}");
        if let Err(why) = read {
            assert!(!why.to_string().contains("kkk"), "{why}");
        }
    }
    let read = with_environment(&[("BIND", "0.0.0.0:80"), ("SECRET_KEY", &long)]).unwrap();
    assert!(read.server.production && read.server.allowed_hosts.contains(&"0.0.0.0".to_owned()));
    assert!(!Settings::defaults().server.production);
}

#[test]
fn chaos_is_for_development_unless_it_is_allowed_by_name() {
    let chaos = ("HUBBUB__BUS__CHAOS", "drop=5%");
    let key = ("SECRET_KEY", "a key of thirty-two bytes or more of it");
    let several = [("DATABASE_URL", "postgres://h/db"), ("REDIS_URL", "redis://h"), key];
    let read = with_environment(&[&several[..], &[chaos]].concat());
    assert_eq!(read.is_ok(), cfg!(debug_assertions), "a development build alone");
    for production in [("HUBBUB_ENV", "production"), ("BIND", "0.0.0.0:80")] {
        let given = [production, key, chaos];
        let why = with_environment(&given).unwrap_err().to_string();
        assert!(why.contains("bus.allow_chaos"), "{why}");
        let allowed = ("HUBBUB__BUS__ALLOW_CHAOS", "on");
        let read = with_environment(&[&given[..], &[allowed]].concat()).unwrap();
        assert_eq!(read.warnings().len(), 1, "the log says so");
    }
    let flags = Overrides { chaos: Some("double=2%".into()), ..Overrides::default() };
    let environment = pairs(&[chaos, ("HUBBUB__BUS__ALLOW_CHAOS", "on")]);
    let read = settings(&Sources { environment, flags, ..Sources::default() }).unwrap();
    assert_eq!((read.bus.chaos.drop_percent, read.bus.chaos.double_percent), (0, 2));
    let flags = Overrides { chaos: Some("much".into()), ..Overrides::default() };
    let why = settings(&Sources { flags, ..Sources::default() }).unwrap_err().to_string();
    assert!(why.starts_with("--chaos: bus.chaos is"), "{why}");
}

#[test]
fn faults_on_purpose_are_for_development_alone() {
    let fault = ("HUBBUB__FAULTS__ROOM_PANICS_ON", "boom");
    let read = with_environment(&[fault]).unwrap();
    assert_eq!(read.faults.room_panics_on, "boom");
    let key = "k".repeat(32);
    let read = with_environment(&[fault, ("SECRET_KEY", &key), ("HUBBUB_ENV", "production")]);
    assert!(read.is_err_and(|why| why.to_string().contains("faults.room_panics_on")));
}

#[test]
fn several_nodes_need_a_key_and_redis_beside_sqlite_is_warned_of() {
    let redis = ("REDIS_URL", "redis://cache:6379");
    let several = [redis, ("DATABASE_URL", "postgres://u:hush@h/db")];
    let line = with_environment(&several).unwrap_err().to_string();
    assert!(line.contains("SECRET_KEY") && line.contains("several nodes"), "{line}");
    let key = "k".repeat(32);
    let read = with_environment(&[several[0], several[1], ("SECRET_KEY", &key)]).unwrap();
    assert!(read.has_other_nodes() && read.warnings().is_empty());
    let alone = with_environment(&[redis]).unwrap();
    assert!(!alone.has_other_nodes());
    assert_eq!(alone.warnings().len(), 1);
    assert!(Settings::defaults().warnings().is_empty());
}

#[test]
fn secrets_are_shown_nowhere() {
    let read = with_environment(&[
        ("SECRET_KEY", "hush"),
        ("DATABASE_URL", "postgres://u:hush@h/db?password=hush"),
    ])
    .unwrap();
    for shown in [read.to_string(), format!("{read:?}")] {
        assert!(!shown.contains("hush"), "{shown}");
    }
    assert!(read.to_string().contains("secret_key = \"***\""));
    assert!(read.to_string().contains("postgres://u:***@h/db?…"));
}
