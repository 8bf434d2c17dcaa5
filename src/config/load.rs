//! Fetches the sources of settings: files in the working directory, `.env`, the environment. The
//! one place that reads them; called by `cli` once at the start.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::{env, fs};

use super::layers::{self, ConfigError, Overrides, Sources};
use super::schema::SETTINGS;
use super::{Settings, values};

/// Longest file that is read as settings, bytes.
const FILE_MAX: u64 = 1 << 20;

/// Reads the settings: built-in defaults, `config/default.toml` in the working directory,
/// `config/{HUBBUB_ENV}.toml`, `.env`, the environment, `flags`; what comes later wins.
///
/// # Errors
/// The first setting that is wrong, in one line, with secrets masked.
pub fn load(flags: Overrides) -> Result<Settings, ConfigError> {
    let dotenv = dotenv()?;
    let environment = environment()?;
    let mut files = Vec::new();
    add(&mut files, "config/default.toml")?;
    if let Some(name) = layers::environment_name(&dotenv, &environment) {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(ConfigError::Value {
                source_name: "HUBBUB_ENV".into(),
                setting: "the environment's name".into(),
                was: values::one_line(&format!("{name:?}")),
                may_be: "letters, digits, - and _, such as production".into(),
            });
        }
        if name != "default" {
            add(&mut files, &format!("config/{name}.toml"))?;
        }
    }
    layers::settings(&Sources { files, dotenv, environment, flags })
}

/// Adds a file when there is one.
fn add(files: &mut Vec<(String, String)>, path: &str) -> Result<(), ConfigError> {
    if let Some(text) = read(path)? {
        files.push((path.to_owned(), text));
    }
    Ok(())
}

fn read(path: &str) -> Result<Option<String>, ConfigError> {
    let failed = |why: String| ConfigError::File { path: path.to_owned(), why };
    match fs::metadata(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(failed(format!("can't be read: {why}"))),
        Ok(data) if data.len() > FILE_MAX => {
            return Err(failed(format!("is longer than {FILE_MAX} bytes")));
        }
        Ok(_) => {}
    }
    fs::read_to_string(path).map(Some).map_err(|why| failed(format!("can't be read: {why}")))
}

/// The pairs of `.env`; nothing of it gets into the environment.
fn dotenv() -> Result<Vec<(String, String)>, ConfigError> {
    let Some(text) = read(".env")? else { return Ok(Vec::new()) };
    dotenvy::from_read_iter(text.as_bytes())
        .map(|pair| {
            // The parser's own text would show the line, and with it perhaps a secret.
            pair.map_err(|_| ConfigError::File {
                path: ".env".into(),
                why: "has a line that is not NAME=value (quote values that hold spaces or #)"
                    .into(),
            })
        })
        .collect()
}

/// The variables that name settings; others are none of our business.
fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    let ours = |name: &str| {
        name.starts_with("HUBBUB_")
            || ["REDIS_HOST", "REDIS_PORT"].contains(&name)
            || SETTINGS.iter().any(|setting| setting.short == Some(name))
    };
    env::vars_os()
        .filter_map(|(name, value)| {
            Some((name.into_string().ok().filter(|name| ours(name))?, value))
        })
        .map(|(name, value): (String, OsString)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(ConfigError::Value {
                source_name: "environment".into(),
                setting: name,
                was: "not UTF-8".into(),
                may_be: "text in UTF-8".into(),
            }),
        })
        .collect()
}
