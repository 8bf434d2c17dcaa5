//! `hubbub user`: accounts without the server. What the running server must know at once goes
//! into the hidden room of acts, which it reads every few seconds.

use anyhow::{Context, anyhow};
use clap::Subcommand;

use super::{acts, password};
use crate::app;
use crate::auth::{Auth, AuthError, Registration};
use crate::config::Settings;
use crate::domain::{Deed, LoginId, UserId, UserName, clock};
use crate::rooms;
use crate::store::{NewUser, Store, UserRow};

/// Accounts read from the database at a time.
const PAGE: u64 = 500;

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Makes an account
    Create {
        /// Letters, digits and . + - _
        #[arg(long)]
        username: String,
        /// Its address, if any
        #[arg(long)]
        email: Option<String>,
        /// May ask for statistics and carry out the acts of an admin
        #[arg(long)]
        superuser: bool,
        /// Reads the password from the first line of stdin
        #[arg(long)]
        password_stdin: bool,
    },
    /// Lists them: id, name, address, standing
    List,
    /// Sets a new password and ends the account's logins
    SetPassword {
        /// Whose
        #[arg(long)]
        username: String,
        /// Reads the password from the first line of stdin
        #[arg(long)]
        password_stdin: bool,
    },
    /// Turns an account off: nobody signs in with it, its sockets close
    Disable {
        /// Whose
        #[arg(long)]
        username: String,
    },
    /// Turns it on again
    Enable {
        /// Whose
        #[arg(long)]
        username: String,
    },
    /// Makes accounts for a load test, once, and prints a line for each: id, name, access token
    Tokens {
        /// How many
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        count: u32,
        /// What their names begin with
        #[arg(long, default_value = "load")]
        prefix: String,
    },
}

/// Does it.
pub(super) async fn run(settings: Settings, act: Act) -> anyhow::Result<()> {
    let store = super::store(&settings).await?;
    match act {
        Act::Create { username, email, superuser, password_stdin } => {
            let form = Registration {
                username: Some(username),
                email,
                password: password::ask(password_stdin)?,
                is_superuser: superuser,
                ..Registration::default()
            };
            let user = auth(&settings, &store).await?.register(form, None).await.map_err(told)?;
            super::say(&format!("user {} has the id {}", user.card.username, user.card.id))
        }
        Act::List => list(&store).await,
        Act::SetPassword { username, password_stdin } => {
            let user = find(&store, &username).await?;
            let new = password::ask(password_stdin)?;
            let logins =
                auth(&settings, &store).await?.set_password(&user, new).await.map_err(told)?;
            let ended = logins.len();
            sign_out(&store, logins).await?;
            super::say(&format!("user {username} has a new password; logins ended: {ended}"))
        }
        Act::Disable { username } => {
            let user = UserId(find(&store, &username).await?.card.id);
            store.disable_user(user, &deed()).await?;
            acts::record(&store, &rooms::Act::UserDisabled { user }).await?;
            super::say(&format!("user {username} is off"))
        }
        Act::Enable { username } => {
            let user = UserId(find(&store, &username).await?.card.id);
            store.enable_user(user, &deed()).await?;
            acts::record(&store, &rooms::Act::UserEnabled { user }).await?;
            super::say(&format!("user {username} is on"))
        }
        Act::Tokens { count, prefix } => tokens(&settings, &store, count, &prefix).await,
    }
}

async fn list(store: &Store) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let users = store.users(after, None, PAGE).await?;
        let Some(last) = users.last() else { return Ok(()) };
        after = Some(UserId(last.card.id));
        for user in &users {
            super::say(&line(user))?;
        }
    }
}

/// An account as a line: fields between tabs, so that `cut` and `awk` read it.
fn line(user: &UserRow) -> String {
    let card = &user.card;
    let standing = match (user.is_superuser, user.disabled_at) {
        (_, Some(since)) => format!("off since {since}"),
        (true, None) => "superuser".to_owned(),
        (false, None) => "user".to_owned(),
    };
    format!("{}\t{}\t{}\t{standing}", card.id, card.username, card.email)
}

/// Accounts that were made before are used again, so that a second test needs no new ones.
async fn tokens(
    settings: &Settings,
    store: &Store,
    count: u32,
    prefix: &str,
) -> anyhow::Result<()> {
    let auth = auth(settings, store).await?;
    for number in 1..=count {
        let username = UserName::parse(&format!("{prefix}-{number}"))
            .map_err(|why| anyhow!("--prefix {prefix}: {why}"))?;
        let user = match store.user_by_name(username.as_str()).await? {
            Some(user) => user,
            None => store.create_user(nobody(username), clock::now()).await?,
        };
        let login = auth.start_login(UserId(user.card.id)).await.map_err(told)?;
        super::say(&format!("{}\t{}\t{}", user.card.id, user.card.username, login.access))?;
    }
    Ok(())
}

/// An act of whoever can run a command on this machine.
fn deed() -> Deed {
    Deed { by: None, ip: None, at: clock::now() }
}

/// An account that no password opens: its hash is none.
fn nobody(username: UserName) -> NewUser {
    NewUser {
        username,
        email: String::new(),
        password_hash: "!".to_owned(),
        first_name: String::new(),
        last_name: String::new(),
        is_superuser: false,
    }
}

async fn auth(settings: &Settings, store: &Store) -> anyhow::Result<Auth> {
    let key = app::signing_key(settings, store).await?;
    Ok(Auth::new(store.clone(), settings.auth.clone(), &key))
}

async fn find(store: &Store, username: &str) -> anyhow::Result<UserRow> {
    let user = store.user_by_name(username).await?;
    user.with_context(|| format!("there is no user {username}: `hubbub user list` names them all"))
}

async fn sign_out(store: &Store, logins: Vec<LoginId>) -> anyhow::Result<()> {
    if logins.is_empty() {
        return Ok(());
    }
    acts::record(store, &rooms::Act::LoginsEnded { logins }).await
}

/// What went wrong with an account, in one line for a terminal.
fn told(why: AuthError) -> anyhow::Error {
    match why {
        AuthError::Fields(fields) => {
            let texts: Vec<String> =
                fields.into_iter().map(|(field, why)| format!("{field}: {why}")).collect();
            anyhow!(texts.join(" "))
        }
        other => other.into(),
    }
}
