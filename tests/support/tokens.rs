//! Tokens of every wrong kind, forged with the key that the server under test has.

use jsonwebtoken::{Algorithm, EncodingKey, Header, dangerous, encode};
use serde_json::{Value, json};

use super::setup::SECRET_KEY;

/// The claims of a token, unchecked.
pub fn claims(token: &str) -> Value {
    dangerous::insecure_decode::<Value>(token).expect("a token").claims
}

/// A token with these claims, signed with the right key.
pub fn signed(claims: &Value) -> String {
    signed_with(Algorithm::HS256, SECRET_KEY, claims)
}

/// A token with these claims.
pub fn signed_with(algorithm: Algorithm, key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    encode(&Header::new(algorithm), claims, &key).expect("a token")
}

/// The token with some claims changed (null takes one away), signed with the right key.
pub fn altered(token: &str, changes: &Value) -> String {
    let mut claims = claims(token);
    let fields = claims.as_object_mut().expect("claims");
    for (name, value) in changes.as_object().expect("changes") {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    signed(&claims.take())
}

/// The token, expired a minute before it was made; all else is right.
pub fn expired(token: &str) -> String {
    let made = claims(token)["iat"].as_i64().expect("iat");
    altered(token, &json!({"iat": made - 4_000, "exp": made - 60}))
}

/// Every wrong kind, with a name. None of them may count as a credential anywhere, and none may
/// be read as "expired".
pub fn wrong_kinds(access: &str, refresh: &str, other_access: &str) -> Vec<(&'static str, String)> {
    let real = claims(access);
    let mut parts = access.split('.');
    let (head, body, signature) =
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let flipped: String = signature.chars().rev().collect();
    let stranger = claims(other_access)["user_id"].clone();
    vec![
        ("no token at all", "garbage".to_owned()),
        ("the word null", "null".to_owned()),
        ("the word undefined", "undefined".to_owned()),
        ("two dots", "..".to_owned()),
        ("a signature taken away", format!("{head}.{body}.")),
        ("another signature", format!("{head}.{body}.{flipped}")),
        ("a part too many", format!("{access}.x")),
        ("alg none", format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.")),
        ("another algorithm", signed_with(Algorithm::HS512, SECRET_KEY, &real)),
        ("another key", signed_with(Algorithm::HS256, "some other key, long enough", &real)),
        ("a key with a line end", signed_with(Algorithm::HS256, &format!("{SECRET_KEY}\n"), &real)),
        ("a refresh token", refresh.to_owned()),
        (
            "a refresh token that calls itself type access",
            altered(refresh, &json!({"type": "access"})),
        ),
        ("an unknown token_type", altered(access, &json!({"token_type": "sudo", "type": "sudo"}))),
        ("no token_type", altered(access, &json!({"token_type": null, "type": null}))),
        ("another issuer", altered(access, &json!({"iss": "somebody else"}))),
        ("no issuer", altered(access, &json!({"iss": null}))),
        ("no exp", altered(access, &json!({"exp": null}))),
        ("exp as text", altered(access, &json!({"exp": "tomorrow"}))),
        ("no sid", altered(access, &json!({"sid": null}))),
        ("a sid of nobody", altered(access, &json!({"sid": uuid::Uuid::nil().to_string()}))),
        ("a sid that is no id", altered(access, &json!({"sid": "' OR 1=1 --"}))),
        ("another user", altered(access, &json!({"user_id": stranger, "id": stranger}))),
        ("no user", altered(access, &json!({"user_id": null, "id": null}))),
        ("an expired refresh token", expired(refresh)),
        (
            "a guest's token",
            signed(&json!({"iss": real["iss"], "iat": real["iat"], "exp": real["exp"],
                "sub": real["jti"], "token_type": "guest"})),
        ),
        ("a token that calls itself a guest's", altered(access, &json!({"token_type": "guest"}))),
    ]
}
