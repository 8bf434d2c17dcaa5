//! Accounts: registration, the check of a password, its change. Called by `http/accounts` and the
//! commands. Starts no login: `logins` does.

use std::net::IpAddr;
use std::sync::Arc;

use garde::rules::email::parse_email;

use super::{Auth, AuthError, passwords};
use crate::domain::names::{NameError, user_key};
use crate::domain::{LoginId, SignedIn, UserId, UserName, clock, ids};
use crate::store::{NewUser, StoreError, UserRow};

/// Longest e-mail address, as mail itself has it.
const EMAIL_MAX: usize = 254;
/// Longest first or last name, in characters.
const PERSON_NAME_MAX: usize = 150;
/// Names tried for an account that was given none, before chance decides.
const NAMES_TRIED: u32 = 20;

/// A registration as filled in. User name or e-mail may be missing, but not both.
#[derive(Clone, Debug, Default)]
pub struct Registration {
    /// Made from the e-mail's local part when missing.
    pub username: Option<String>,
    /// May be missing.
    pub email: Option<String>,
    /// In the clear.
    pub password: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// An admin: from the command line only.
    pub is_superuser: bool,
}

/// The checked part of a registration.
struct Checked {
    username: Option<UserName>,
    email: String,
}

impl Auth {
    /// Makes an account. `from`: where the registration comes from; none for the command line,
    /// which has no rate.
    ///
    /// # Errors
    /// What is wrong with the fields, or why not now.
    pub async fn register(
        &self,
        form: Registration,
        from: Option<IpAddr>,
    ) -> Result<UserRow, AuthError> {
        let checked = check(&form).map_err(AuthError::Fields)?;
        if let Some(ip) = from {
            self.inner.rates.registration(ip).map_err(|l| AuthError::Limited(l.retry_after_s))?;
        }
        self.refuse_taken(&checked).await?;
        let password_hash = self.inner.pool.hash(form.password).await?;
        let new = |username| NewUser {
            username,
            email: checked.email.clone(),
            password_hash: password_hash.clone(),
            first_name: form.first_name.trim().to_owned(),
            last_name: form.last_name.trim().to_owned(),
            is_superuser: form.is_superuser,
        };
        if let Some(username) = checked.username {
            return Ok(self.inner.store.create_user(new(username), clock::now()).await?);
        }
        for attempt in 0..=NAMES_TRIED {
            let username = name_from(&checked.email, attempt);
            match self.inner.store.create_user(new(username), clock::now()).await {
                Err(StoreError::Taken("username")) => {}
                made => return Ok(made?),
            }
        }
        Err(AuthError::Busy)
    }

    /// Both fields are looked at before the password is hashed, so that one answer names both.
    async fn refuse_taken(&self, checked: &Checked) -> Result<(), AuthError> {
        let mut wrong = Vec::new();
        if let Some(name) = &checked.username
            && self.inner.store.user_by_name(name.as_str()).await?.is_some()
        {
            wrong.push(("username", super::taken("username")));
        }
        if !checked.email.is_empty()
            && self.inner.store.user_by_email(&checked.email).await?.is_some()
        {
            wrong.push(("email", super::taken("email")));
        }
        if wrong.is_empty() { Ok(()) } else { Err(AuthError::Fields(wrong)) }
    }

    /// The account that these credentials open; `name` is a user name or an e-mail address. An
    /// unknown account takes as long as a wrong password.
    ///
    /// # Errors
    /// Wrong, too often, or busy.
    pub async fn check_password(
        &self,
        name: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<UserRow, AuthError> {
        let user = self.find(name).await?;
        let key = user_key(user.as_ref().map_or(name, |user| &user.card.username));
        let user = self.verify(&key, user, password, from).await?;
        log::info!("user {} signed in from {from}", user.card.id);
        Ok(user)
    }

    async fn find(&self, name: &str) -> Result<Option<UserRow>, AuthError> {
        // PostgreSQL can't be asked for a text with NUL, and no account has one.
        Ok(if name.contains('\0') {
            None
        } else if name.contains('@') {
            self.inner.store.user_by_email(name.trim()).await?
        } else {
            self.inner.store.user_by_name(name).await?
        })
    }

    async fn verify(
        &self,
        key: &str,
        user: Option<UserRow>,
        password: &str,
        from: IpAddr,
    ) -> Result<UserRow, AuthError> {
        let rates = &self.inner.rates;
        rates.login(key, from).map_err(|limited| AuthError::Limited(limited.retry_after_s))?;
        let delay = rates.delay(key, from, clock::now());
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let fits = password.chars().count() <= passwords::PASSWORD_MAX;
        let phc = user.as_ref().map_or_else(
            || Arc::clone(&self.inner.nobodys),
            |user| Arc::from(user.password_hash.as_str()),
        );
        let password = if fits { password.to_owned() } else { String::new() };
        let right = self.inner.pool.matches(password, phc).await? && fits;
        match user {
            Some(user) if right && user.disabled_at.is_none() => {
                rates.succeeded(key);
                Ok(user)
            }
            user => {
                rates.failed(key, from, clock::now());
                let whose = user.map_or_else(|| "nobody".to_owned(), |u| u.card.id.to_string());
                log::info!("a sign-in for user {whose} from {from} was refused");
                Err(AuthError::WrongCredentials)
            }
        }
    }

    /// A new password for the caller; all his other logins end. Gives those it ended.
    ///
    /// # Errors
    /// The old password is wrong, the new one is weak, or why not now.
    pub async fn change_password(
        &self,
        caller: &SignedIn,
        old: &str,
        new: String,
        from: IpAddr,
    ) -> Result<Vec<LoginId>, AuthError> {
        let card = &caller.card;
        passwords::check(&new, &[&card.username, &card.email])
            .map_err(|weak| AuthError::Fields(vec![("new_password", weak.to_string())]))?;
        let user = self.inner.store.user(UserId(card.id)).await?;
        self.verify(&user_key(&card.username), user, old, from).await.map_err(
            |error| match error {
                AuthError::WrongCredentials => AuthError::Fields(vec![(
                    "old_password",
                    "Your old password was entered incorrectly.".to_owned(),
                )]),
                other => other,
            },
        )?;
        self.store_password(UserId(card.id), new, Some(caller.login)).await
    }

    /// Sets a password without asking for the old one, and ends the user's logins but `keep`:
    /// for the command line. Gives those it ended.
    ///
    /// # Errors
    /// The password is weak, or why not now.
    pub async fn set_password(
        &self,
        user: &UserRow,
        new: String,
    ) -> Result<Vec<LoginId>, AuthError> {
        passwords::check(&new, &[&user.card.username, &user.card.email])
            .map_err(|weak| AuthError::Fields(vec![("password", weak.to_string())]))?;
        self.store_password(UserId(user.card.id), new, None).await
    }

    async fn store_password(
        &self,
        user: UserId,
        new: String,
        keep: Option<LoginId>,
    ) -> Result<Vec<LoginId>, AuthError> {
        let hash = self.inner.pool.hash(new).await?;
        self.inner.store.set_password(user, &hash).await?;
        let ended = self.inner.store.revoke_logins(user, keep, clock::now()).await?;
        log::info!("user {user} has a new password, {} logins ended", ended.len());
        Ok(ended)
    }
}

fn check(form: &Registration) -> Result<Checked, Vec<(&'static str, String)>> {
    let mut wrong: Vec<(&'static str, String)> = Vec::new();
    let email = form.email.as_deref().unwrap_or_default().trim().to_lowercase();
    let given = form.username.as_deref().filter(|name| !name.is_empty() || email.is_empty());
    let mut username = None;
    match given.map(UserName::parse) {
        Some(Ok(name)) => username = Some(name),
        Some(Err(error)) => wrong.push(("username", error.to_string())),
        None if email.is_empty() => {
            wrong.push(("username", "A username or an email address is required.".to_owned()));
        }
        None => {}
    }
    if !email.is_empty() && (email.len() > EMAIL_MAX || parse_email(&email).is_err()) {
        wrong.push(("email", "Enter a valid email address.".to_owned()));
    }
    for (field, name) in [("first_name", &form.first_name), ("last_name", &form.last_name)] {
        if name.chars().count() > PERSON_NAME_MAX {
            wrong.push((field, NameError::UserNameTooLong.to_string()));
        } else if name.chars().any(char::is_control) {
            wrong.push((field, "Control characters are not allowed.".to_owned()));
        }
    }
    let own = [form.username.as_deref().unwrap_or_default().trim(), email.as_str()];
    if let Err(weak) = passwords::check(&form.password, &own) {
        wrong.push(("password", weak.to_string()));
    }
    if wrong.is_empty() { Ok(Checked { username, email }) } else { Err(wrong) }
}

/// A name from an address's local part: as it is, then with a number, at last with a random end.
fn name_from(email: &str, attempt: u32) -> UserName {
    let local = email.split('@').next().unwrap_or_default();
    let base: String =
        local.chars().filter(|c| c.is_alphanumeric() || "_.+-".contains(*c)).take(100).collect();
    let base = if base.is_empty() { "user".to_owned() } else { base };
    let random = || format!("user-{}", ids::random().simple().to_string().split_at(12).0);
    let name = match attempt {
        0 => base,
        NAMES_TRIED => random(),
        n => format!("{base}{n}"),
    };
    UserName::parse(&name)
        .or_else(|_| UserName::parse(&random()))
        .expect("letters, digits and a hyphen are a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(username: Option<&str>, email: Option<&str>, password: &str) -> Registration {
        Registration {
            username: username.map(str::to_owned),
            email: email.map(str::to_owned),
            password: password.to_owned(),
            ..Registration::default()
        }
    }

    #[test]
    fn a_registration_is_read_or_refused_by_field() {
        const GOOD: &str = "down the rabbit hole";
        for (username, email, password, fields) in [
            (Some("alice"), None, GOOD, &[] as &[&str]),
            (None, Some("Alice@Wonder.Land"), GOOD, &[]),
            (Some(""), Some("alice@wonder.land"), GOOD, &[]),
            (None, None, GOOD, &["username"]),
            (Some(""), None, GOOD, &["username"]),
            (Some("a b"), Some("alice"), "short", &["username", "email", "password"]),
            (Some("alice"), Some("a@b@c"), GOOD, &["email"]),
            (Some("al\0ice"), None, GOOD, &["username"]),
            (Some("alice_in"), None, "alice_in", &["password"]),
        ] {
            let wrong = check(&form(username, email, password)).err().unwrap_or_default();
            let named: Vec<&str> = wrong.iter().map(|(field, _)| *field).collect();
            assert_eq!(named, fields, "{username:?} {email:?}");
        }
        let checked = check(&form(None, Some(" Alice@Wonder.Land "), GOOD)).ok();
        assert_eq!(checked.map(|c| c.email).as_deref(), Some("alice@wonder.land"));
    }

    #[test]
    fn a_name_is_made_from_the_address() {
        assert_eq!(name_from("alice.l@wonder.land", 0).as_str(), "alice.l");
        assert_eq!(name_from("alice.l@wonder.land", 2).as_str(), "alice.l2");
        assert_eq!(name_from("\"!\"@wonder.land", 0).as_str(), "user");
        assert!(name_from("alice@wonder.land", NAMES_TRIED).as_str().starts_with("user-"));
        let id_shaped = "0192f7a000007000800000000000000a@wonder.land";
        assert!(name_from(id_shaped, 0).as_str().starts_with("user-"));
    }
}
