//! JSON Web Tokens: what stands in one, how it is signed and read. Pure: no store, no clock; the
//! time comes as an argument. Called by this layer only; whether a login still lives is not
//! decided here.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{LoginId, Timestamp, UserId};

/// Longest text that is looked at as a token, in bytes; ours have about 500.
const TOKEN_MAX_BYTES: usize = 4 * 1024;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A credential.
    Access,
    /// Buys new access tokens; never a credential.
    Refresh,
}

/// How a refresh token was handed out, and so where alone it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// In a body: used again and again, unless a setting makes it rotate.
    Body,
    /// In a cookie: rotates.
    Cookie,
}

/// The claims of a token (CONTRACT section 1). Some say one thing twice, since clients of several
/// systems look for it under different names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it.
    pub iss: String,
    /// The login that it belongs to.
    pub sid: LoginId,
    /// Whose, as a string.
    pub user_id: String,
    /// Whose, as a number.
    pub id: i64,
    /// Access or refresh.
    pub token_type: Kind,
    /// The same.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Its own id.
    pub jti: Uuid,
    /// Seconds since the epoch.
    pub iat: i64,
    /// Seconds since the epoch; no credential from this second on.
    pub exp: i64,
    /// Of refresh tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

impl Claims {
    /// The user it names.
    #[must_use]
    pub const fn user(&self) -> UserId {
        UserId(self.id)
    }

    /// Whether its time is over at `now`. There is no leeway.
    #[must_use]
    pub const fn expired(&self, now: Timestamp) -> bool {
        now.secs() >= self.exp
    }
}

/// The one `token_type` of [`GuestClaims`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestKind {
    /// Says who a guest is; never a credential.
    Guest,
}

/// The claims of a guest's token. Neither these nor [`Claims`] have all that the other ones need,
/// so that no token is ever read as both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestClaims {
    /// Who signed it.
    pub iss: String,
    /// The guest.
    pub sub: Uuid,
    /// Guest.
    pub token_type: GuestKind,
    /// Seconds since the epoch.
    pub iat: i64,
    /// Seconds since the epoch; nobody's token from this second on.
    pub exp: i64,
}

impl GuestClaims {
    /// Whether its time is over at `now`. There is no leeway.
    #[must_use]
    pub const fn expired(&self, now: Timestamp) -> bool {
        now.secs() >= self.exp
    }
}

/// What a token to be signed says; the rest of its claims follows.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    /// Access or refresh.
    pub kind: Kind,
    /// Of refresh tokens.
    pub via: Option<Via>,
    /// Its own id.
    pub jti: Uuid,
    /// Whose.
    pub user: UserId,
    /// By which login.
    pub login: LoginId,
    /// From when.
    pub issued_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// The text is no token of ours: another signature, algorithm, issuer or shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token of this server")]
pub struct Foreign;

/// The key that signs and checks, and the one algorithm it is used with.
pub struct Keys {
    signing: EncodingKey,
    checking: DecodingKey,
    rules: Validation,
    issuer: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Keys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Keys {
    /// From the bytes of the secret, unchanged.
    #[must_use]
    pub fn new(secret: &str, issuer: &str) -> Self {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[issuer]);
        rules.set_required_spec_claims(&["iss", "exp"]);
        // The time is an argument here: `Claims::expired` compares it.
        rules.validate_exp = false;
        rules.leeway = 0;
        Self {
            signing: EncodingKey::from_secret(secret.as_bytes()),
            checking: DecodingKey::from_secret(secret.as_bytes()),
            rules,
            issuer: issuer.to_owned(),
        }
    }

    /// A signed token. The same ticket gives the same text each time.
    ///
    /// # Errors
    /// When the signing library fails, which no input of ours makes it do.
    pub fn sign(&self, ticket: &Ticket) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: self.issuer.clone(),
            sid: ticket.login,
            user_id: ticket.user.to_string(),
            id: ticket.user.0,
            token_type: ticket.kind,
            kind: ticket.kind,
            jti: ticket.jti,
            iat: ticket.issued_at.secs(),
            exp: ticket.expires_at.secs(),
            via: ticket.via,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }

    /// What a token says, when it is rightly signed; expired ones are read too.
    ///
    /// # Errors
    /// It is not one of ours.
    pub fn read(&self, token: &str) -> Result<Claims, Foreign> {
        let claims: Claims = self.open(token)?;
        let consistent =
            claims.kind == claims.token_type && claims.user_id == claims.id.to_string();
        if consistent { Ok(claims) } else { Err(Foreign) }
    }

    /// A guest's token.
    ///
    /// # Errors
    /// As [`Keys::sign`].
    pub fn sign_guest(
        &self,
        guest: Uuid,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = GuestClaims {
            iss: self.issuer.clone(),
            sub: guest,
            token_type: GuestKind::Guest,
            iat: issued_at.secs(),
            exp: expires_at.secs(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }

    /// What a guest's token says, when it is rightly signed; expired ones are read too.
    ///
    /// # Errors
    /// It is not one of ours, or not a guest's.
    pub fn read_guest(&self, token: &str) -> Result<GuestClaims, Foreign> {
        self.open(token)
    }

    /// 32 bytes in base64url, as hard to guess as `seed` is.
    ///
    /// # Errors
    /// As [`Keys::sign`].
    pub fn opaque(&self, seed: &[u8]) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::crypto::sign(seed, &self.signing, Algorithm::HS256)
    }

    fn open<C: DeserializeOwned + Clone>(&self, token: &str) -> Result<C, Foreign> {
        if token.is_empty() || token.len() > TOKEN_MAX_BYTES {
            return Err(Foreign);
        }
        Ok(decode::<C>(token, &self.checking, &self.rules).map_err(|_| Foreign)?.claims)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::ids;

    const NOW: Timestamp = Timestamp::from_secs(1_735_732_800);

    fn keys() -> Keys {
        Keys::new("a secret of at least thirty-two bytes", "hubbub")
    }

    fn ticket(kind: Kind) -> Ticket {
        Ticket {
            kind,
            via: None,
            jti: ids::random(),
            user: UserId(7),
            login: LoginId(ids::random()),
            issued_at: NOW,
            expires_at: NOW.plus_secs(3600),
        }
    }

    fn signed(header: &Header, claims: &serde_json::Value, secret: &str) -> String {
        encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap_or_default()
    }

    fn claims() -> serde_json::Value {
        json!({"iss": "hubbub", "sid": ids::random(), "user_id": "7", "id": 7,
               "token_type": "access", "type": "access", "jti": ids::random(),
               "iat": NOW.secs(), "exp": NOW.secs() + 3600})
    }

    #[test]
    fn a_token_reads_back_what_was_signed_until_its_last_second() {
        let ticket = ticket(Kind::Access);
        let token = keys().sign(&ticket).unwrap_or_default();
        let read = keys().read(&token).ok();
        assert!(read.as_ref().is_some_and(|claims| {
            claims.user() == UserId(7)
                && claims.sid == ticket.login
                && claims.kind == Kind::Access
                && !claims.expired(NOW.plus_secs(3599))
                && claims.expired(NOW.plus_secs(3600))
        }));
        assert_eq!(keys().sign(&ticket).ok(), Some(token), "the same ticket, the same text");
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let secret = "a secret of at least thirty-two bytes";
        let hs256 = Header::new(Algorithm::HS256);
        let good = claims();
        assert!(keys().read(&signed(&hs256, &good, secret)).is_ok());
        let without = |field: &str| {
            let mut claims = claims();
            if let Some(map) = claims.as_object_mut() {
                map.remove(field);
            }
            signed(&hs256, &claims, secret)
        };
        let with = |field: &str, value: serde_json::Value| {
            let mut claims = claims();
            claims[field] = value;
            signed(&hs256, &claims, secret)
        };
        let whole = signed(&hs256, &good, secret);
        let (head, rest) = whole.split_once('.').unwrap_or_default();
        let (body, signature) = rest.split_once('.').unwrap_or_default();
        // {"alg":"none","typ":"JWT"}
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        for (why, token) in [
            ("empty", String::new()),
            ("a word", "null".to_owned()),
            ("dots", "..".to_owned()),
            ("another key", signed(&hs256, &good, "another secret of thirty-two bytes!!")),
            ("another algorithm", signed(&Header::new(Algorithm::HS512), &good, secret)),
            ("no algorithm", format!("{none}.{body}.")),
            ("no algorithm, a signature", format!("{none}.{body}.{signature}")),
            ("no signature", format!("{head}.{body}.")),
            ("a cut signature", whole[..whole.len() - 2].to_owned()),
            ("another issuer", with("iss", json!("elsewhere"))),
            ("no issuer", without("iss")),
            ("no end", without("exp")),
            ("no login", without("sid")),
            ("a login that is no id", with("sid", json!("1"))),
            ("no kind", without("token_type")),
            ("an unknown kind", with("token_type", json!("admin"))),
            ("a guest's", keys().sign_guest(ids::random(), NOW, NOW).unwrap_or_default()),
            ("calls itself a guest's", with("token_type", json!("guest"))),
            ("two kinds", with("type", json!("refresh"))),
            ("two users", with("id", json!(8))),
            ("too long", "a".repeat(TOKEN_MAX_BYTES + 1)),
        ] {
            assert_eq!(keys().read(&token), Err(Foreign), "{why}");
        }
    }

    #[test]
    fn a_guests_token_says_who_until_its_last_second_and_no_other_token_does() {
        let (guest, secret) = (ids::random(), "a secret of at least thirty-two bytes");
        let token = keys().sign_guest(guest, NOW, NOW.plus_secs(60)).unwrap_or_default();
        let read = keys().read_guest(&token).ok();
        assert!(read.is_some_and(|claims| {
            claims.sub == guest
                && !claims.expired(NOW.plus_secs(59))
                && claims.expired(NOW.plus_secs(60))
        }));
        let good = json!({"iss": "hubbub", "sub": guest, "token_type": "guest",
                          "iat": NOW.secs(), "exp": NOW.secs() + 60});
        let hs256 = Header::new(Algorithm::HS256);
        assert!(keys().read_guest(&signed(&hs256, &good, secret)).is_ok());
        let with = |field: &str, value: serde_json::Value| {
            let mut claims = good.clone();
            claims[field] = value;
            signed(&hs256, &claims, secret)
        };
        let mut all = claims();
        all["sub"] = json!(guest);
        for (why, token) in [
            ("an access token", keys().sign(&ticket(Kind::Access)).unwrap_or_default()),
            ("a refresh token", keys().sign(&ticket(Kind::Refresh)).unwrap_or_default()),
            ("an access token with a guest's name", signed(&hs256, &all, secret)),
            ("another key", signed(&hs256, &good, "another secret of thirty-two bytes!!")),
            ("another algorithm", signed(&Header::new(Algorithm::HS512), &good, secret)),
            ("another issuer", with("iss", json!("elsewhere"))),
            ("no guest", with("sub", json!(null))),
            ("a guest that is no id", with("sub", json!("u:7"))),
            ("no end", with("exp", json!(null))),
            ("another kind", with("token_type", json!("access"))),
            ("no kind", with("token_type", json!(null))),
            ("empty", String::new()),
        ] {
            assert_eq!(keys().read_guest(&token), Err(Foreign), "{why}");
        }
    }

    #[test]
    fn what_is_opaque_is_of_the_seed_and_the_key() {
        let text = keys().opaque(b"seed").unwrap_or_default();
        assert!(text.len() == 43 && text.chars().all(|c| c.is_alphanumeric() || "-_".contains(c)));
        assert_ne!(keys().opaque(b"another").ok(), Some(text.clone()));
        let other = Keys::new("another secret of thirty-two bytes!!", "hubbub");
        assert_ne!(other.opaque(b"seed").ok(), Some(text));
    }
}
