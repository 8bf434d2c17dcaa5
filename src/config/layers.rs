//! The sources of settings laid over one another, and what must hold of them together. Pure: it
//! gets texts and pairs, `load` fetches them. Called by `load` and by tests.

use std::fmt;

use toml::{Table, Value};

use super::schema::{SETTINGS, Setting};
use super::{Settings, values};

/// The defaults, built in so that the binary runs anywhere.
pub(super) const DEFAULTS: &str = include_str!("../../config/default.toml");

/// What every variable of a setting begins with.
const PREFIX: &str = "HUBBUB__";

/// Shortest key that production signs tokens with, bytes: as long as what HS256 makes of it.
const SECRET_MIN: usize = 32;

/// Why the settings can't be used: one line that says what to change.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value that the setting may not have; secrets are masked.
    #[error("{source_name}: {setting} is {was}; it may be {may_be}")]
    Value {
        /// The file, variable or flag.
        source_name: String,
        /// The setting.
        setting: String,
        /// Its value, masked when it is a secret.
        was: String,
        /// What it may be.
        may_be: String,
    },
    /// A name that no setting has.
    #[error("{source_name}: there is no setting {name}; `hubbub config` lists them all")]
    Unknown {
        /// The file or variable.
        source_name: String,
        /// The name.
        name: String,
    },
    /// A file that can't be read or understood.
    #[error("{path}: {why}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong, and where.
        why: String,
    },
    /// Production without a key that is long enough.
    #[error(
        "SECRET_KEY (auth.secret_key) is {was}; in production ({because}) it must be at least \
         32 bytes, for example the output of `openssl rand -base64 48`"
    )]
    Secret {
        /// `empty`, or how long it is.
        was: String,
        /// Why this is production.
        because: &'static str,
    },
    /// Two settings that don't go together.
    #[error("{0}")]
    Together(&'static str),
}

/// What flags of the command line say.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--bind`.
    pub bind: Option<String>,
    /// `--database-url`.
    pub database_url: Option<String>,
    /// `--chaos`.
    pub chaos: Option<String>,
}

/// All sources, fetched.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// Name and text of files, the strongest last.
    pub files: Vec<(String, String)>,
    /// What `.env` says.
    pub dotenv: Vec<(String, String)>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Flags.
    pub flags: Overrides,
}

/// The settings that come of it.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn settings(sources: &Sources) -> Result<Settings, ConfigError> {
    let mut all = Table::new();
    lay_file(&mut all, "config/default.toml (built in)", DEFAULTS)?;
    for (name, text) in &sources.files {
        lay_file(&mut all, name, text)?;
    }
    lay_variables(&mut all, " in .env", &sources.dotenv)?;
    lay_variables(&mut all, "", &sources.environment)?;
    for (flag, section, name, text) in [
        ("--bind", "server", "bind", &sources.flags.bind),
        ("--database-url", "store", "database_url", &sources.flags.database_url),
        ("--chaos", "bus", "chaos", &sources.flags.chaos),
    ] {
        if let (Some(setting), Some(text)) = (Setting::find(section, name), text) {
            lay(&mut all, flag, setting, &Value::String(text.clone()))?;
        }
    }
    let settings = Value::Table(all).try_into().map_err(|why: toml::de::Error| {
        ConfigError::File { path: "settings".into(), why: values::one_line(why.message()) }
    })?;
    let name = environment_name(&sources.dotenv, &sources.environment);
    checked(settings, name == Some("production"))
}

/// The value of `HUBBUB_ENV`, the environment's before that of `.env`.
pub(super) fn environment_name<'a>(
    dotenv: &'a [(String, String)],
    environment: &'a [(String, String)],
) -> Option<&'a str> {
    let of = |pairs: &'a [(String, String)]| {
        pairs.iter().find(|(name, value)| name == "HUBBUB_ENV" && !value.is_empty())
    };
    of(environment).or_else(|| of(dotenv)).map(|(_, value)| value.as_str())
}

fn lay_file(all: &mut Table, file: &str, text: &str) -> Result<(), ConfigError> {
    let table: Table = toml::from_str(text).map_err(|why| {
        // The parser's own text would show the line, and with it perhaps a secret.
        let line = why.span().map_or(1, |span| {
            text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
        });
        let why = format!("line {line} is no TOML: {}", values::one_line(why.message()));
        ConfigError::File { path: file.to_owned(), why }
    })?;
    for (section, names) in table {
        let unknown = |name: String| ConfigError::Unknown { source_name: file.to_owned(), name };
        let Value::Table(names) = names else { return Err(unknown(values::one_line(&section))) };
        if !SETTINGS.iter().any(|setting| setting.section == section) {
            return Err(unknown(values::one_line(&section)));
        }
        for (name, value) in names {
            let setting = Setting::find(&section, &name)
                .ok_or_else(|| unknown(values::one_line(&format!("{section}.{name}"))))?;
            lay(all, file, setting, &value)?;
        }
    }
    Ok(())
}

fn lay_variables(
    all: &mut Table,
    place: &str,
    pairs: &[(String, String)],
) -> Result<(), ConfigError> {
    let given = |name: &str| {
        pairs.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value)
    };
    // A variable that is empty counts as not set: compose files pass on what nobody gave.
    if let (Some(host), Some(setting)) = (given("REDIS_HOST"), Setting::find("bus", "redis_url")) {
        let port = given("REDIS_PORT").map_or("6379", String::as_str);
        let url = if port.parse::<u16>().is_ok() {
            format!("redis://{host}:{port}")
        } else {
            format!("{host}:{port}")
        };
        lay(all, &format!("REDIS_HOST and REDIS_PORT{place}"), setting, &Value::String(url))?;
    }
    for setting in SETTINGS {
        if let Some((short, value)) = setting.short.and_then(|name| Some((name, given(name)?))) {
            lay(all, &format!("{short}{place}"), setting, &Value::String(value.clone()))?;
        }
    }
    for (variable, value) in pairs {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let source = format!("{}{place}", values::one_line(variable));
        let path = rest.to_ascii_lowercase();
        let setting = path.split_once("__").and_then(|(part, name)| Setting::find(part, name));
        let Some(setting) = setting else {
            let name = values::one_line(&path.replace("__", "."));
            return Err(ConfigError::Unknown { source_name: source, name });
        };
        lay(all, &source, setting, &Value::String(value.clone()))?;
    }
    Ok(())
}

fn lay(
    all: &mut Table,
    source: &str,
    setting: &'static Setting,
    value: &Value,
) -> Result<(), ConfigError> {
    let read = setting.read(value).ok_or_else(|| ConfigError::Value {
        source_name: source.to_owned(),
        setting: setting.path(),
        was: setting.shown(value),
        may_be: setting.may_be(),
    })?;
    let section = all.entry(setting.section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(setting.name.to_owned(), read);
    }
    Ok(())
}

/// Why a node that is not alone counts as production.
const SEVERAL_NODES: &str = "REDIS_URL beside PostgreSQL means several nodes";

/// What must hold of all together.
fn checked(mut settings: Settings, named_production: bool) -> Result<Settings, ConfigError> {
    let because = if named_production {
        Some("HUBBUB_ENV is production")
    } else if settings.server.production {
        Some("server.production is on")
    } else if !settings.server.bind.ip().is_loopback() {
        Some("BIND is not loopback")
    } else if settings.has_other_nodes() {
        Some(SEVERAL_NODES)
    } else {
        None
    };
    settings.server.production = because.is_some();
    let length = settings.auth.secret_key.len();
    if let Some(because) = because.filter(|_| length < SECRET_MIN) {
        let was = if length == 0 { "empty".to_owned() } else { format!("{length} bytes long") };
        return Err(ConfigError::Secret { was, because });
    }
    if because.is_some() && !settings.faults.room_panics_on.is_empty() {
        return Err(ConfigError::Together(
            "faults.room_panics_on is set in production; it may be set only in development",
        ));
    }
    // Several nodes on one developer's machine are what chaos is for.
    let is_development = cfg!(debug_assertions) && because.is_none_or(|why| why == SEVERAL_NODES);
    if !settings.bus.chaos.is_off() && !is_development && !settings.bus.allow_chaos {
        return Err(ConfigError::Together(
            "bus.chaos (--chaos) is set; outside a development build on loopback it may be set \
             only beside bus.allow_chaos = true",
        ));
    }
    if settings.auth.refresh_ttl_s < settings.auth.access_ttl_s {
        return Err(ConfigError::Together(
            "auth.refresh_ttl_s is less than auth.access_ttl_s; it may be as long or longer",
        ));
    }
    let own = values::host(&settings.server.bind.ip().to_string());
    if let Some(own) = own.filter(|own| !settings.server.allowed_hosts.contains(own)) {
        settings.server.allowed_hosts.push(own);
    }
    Ok(settings)
}

impl Settings {
    /// The defaults alone, as a node without any configuration has them.
    ///
    /// # Panics
    /// Never: a test reads the defaults that are built in.
    #[must_use]
    pub fn defaults() -> Self {
        settings(&Sources::default()).expect("the built-in defaults are settings")
    }

    /// Whether this node is one of several: they share a database and meet in Redis.
    #[must_use]
    pub fn has_other_nodes(&self) -> bool {
        !self.bus.redis_url.is_empty() && values::is_postgres(&self.store.database_url)
    }

    /// What the operator should know about settings that are legal but do not do what they seem to.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if !self.bus.redis_url.is_empty() && !self.has_other_nodes() {
            warnings.push(
                "REDIS_URL is set, but the database is SQLite, which only one node can use: this \
                 node runs alone and does not connect to Redis",
            );
        }
        if !self.bus.chaos.is_off() {
            warnings.push(
                "bus.chaos is set: what comes from other nodes is lost, doubled and late on purpose",
            );
        }
        warnings
    }

    /// The same with secrets masked, to be shown.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut shown = self.clone();
        if !shown.auth.secret_key.is_empty() {
            values::MASK.clone_into(&mut shown.auth.secret_key);
        }
        shown.store.database_url = values::masked_url(&shown.store.database_url);
        shown.bus.redis_url = values::masked_url(&shown.bus.redis_url);
        shown
    }
}

impl fmt::Display for Settings {
    /// As TOML, secrets masked.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = toml::to_string(&self.masked()).map_err(|_| fmt::Error)?;
        out.write_str(&text)
    }
}
