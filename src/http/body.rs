//! A request's body: read within its bounds, as JSON or as a form, into [`Fields`], which hand out
//! values as Django REST Framework would take them. Handlers only. The body is read when a handler
//! asks for it, so that nobody without a credential makes the server read one.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use serde_json::{Map, Value};

use super::error::ApiError;

/// Deepest nesting of a JSON body.
const DEPTH_MAX: usize = 16;

/// Longest `client_id`, in bytes.
const CLIENT_ID_MAX: usize = 64;

/// The bounds of a body; one for the whole App.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes.
    pub max_bytes: usize,
    /// Time within which it must have come.
    pub within: Duration,
}

/// A body that was not read yet.
pub struct Body {
    payload: Payload,
    kind: String,
    limits: BodyLimits,
}

impl FromRequest for Body {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let Some(limits) = request.app_data::<web::Data<BodyLimits>>() else {
            return ready(Err(ApiError::Internal));
        };
        ready(Ok(Self {
            payload: payload.take(),
            kind: kind.unwrap_or_default().trim().to_owned(),
            limits: ***limits,
        }))
    }
}

impl Body {
    /// Reads it all.
    ///
    /// # Errors
    /// Too large, too slow, of a type that is not read here, or not of its type.
    pub async fn fields(mut self) -> Result<Fields, ApiError> {
        let bytes = tokio::time::timeout(self.limits.within, self.bytes())
            .await
            .map_err(|_| ApiError::Slow)??;
        parse(&self.kind, &bytes)
    }

    async fn bytes(&mut self) -> Result<Vec<u8>, ApiError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.payload.next().await {
            let chunk = chunk.map_err(|_| {
                ApiError::Parse("Parse error - the request's body was cut short".to_owned())
            })?;
            if bytes.len() + chunk.len() > self.limits.max_bytes {
                return Err(ApiError::TooLarge(self.limits.max_bytes));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn parse(kind: &str, bytes: &[u8]) -> Result<Fields, ApiError> {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        _ if bytes.is_empty() => Ok(Fields::default()),
        "application/json" => json(bytes),
        "application/x-www-form-urlencoded" => Ok(form(bytes)),
        _ => Err(ApiError::MediaType(kind.chars().filter(|c| !c.is_control()).take(100).collect())),
    }
}

fn json(bytes: &[u8]) -> Result<Fields, ApiError> {
    let refused = |why: String| ApiError::Parse(format!("JSON parse error - {why}"));
    if deeper_than(bytes, DEPTH_MAX) {
        return Err(refused(format!("nested deeper than {DEPTH_MAX}")));
    }
    match serde_json::from_slice(bytes).map_err(|error| refused(error.to_string()))? {
        Value::Object(values) => Ok(Fields { values, form: false }),
        other => Err(ApiError::field(
            "non_field_errors",
            format!("Invalid data. Expected a dictionary, but got {}.", type_name(&other)),
        )),
    }
}

/// Whether a JSON text opens more than `limit` brackets within one another.
fn deeper_than(bytes: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

/// A form's values are texts; a name that comes several times is a list.
fn form(bytes: &[u8]) -> Fields {
    let mut values = Map::new();
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes).unwrap_or_default();
    for (name, text) in pairs {
        let list = values.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = list.as_array_mut() {
            list.push(Value::String(text));
        }
    }
    Fields { values, form: true }
}

/// A body's values by name.
#[derive(Debug, Default)]
pub struct Fields {
    values: Map<String, Value>,
    form: bool,
}

/// What DRF says of a field that is missing.
pub const REQUIRED: &str = "This field is required.";
/// What DRF says of a field that is null.
pub const NULL: &str = "This field may not be null.";
/// What DRF says of a number that is none.
pub const NOT_AN_INTEGER: &str = "A valid integer is required.";

impl Fields {
    /// The value under a name; of a form's list the last.
    fn value(&self, name: &str) -> Option<&Value> {
        match self.values.get(name)? {
            Value::Array(list) if self.form => list.last(),
            value => Some(value),
        }
    }

    /// Whether a field came at all, null or not.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A text, as it came; numbers become texts. Absent and null are `None`.
    ///
    /// # Errors
    /// It is of another kind, or holds NUL.
    pub fn text(&self, name: &str) -> Result<Option<String>, &'static str> {
        let text = match self.value(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err("Not a valid string."),
        };
        if text.contains('\0') {
            return Err("Null characters are not allowed.");
        }
        Ok(Some(text))
    }

    /// A text that must be there; it may be blank.
    ///
    /// # Errors
    /// As for [`Fields::text`], or it is absent or null.
    pub fn required(&self, name: &str) -> Result<String, &'static str> {
        let absent = if self.has(name) { NULL } else { REQUIRED };
        self.text(name)?.ok_or(absent)
    }

    /// A whole number, or a text that is one. Absent and null are `None`.
    ///
    /// # Errors
    /// It is something else.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, &'static str> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => integer(value).map(Some).ok_or(NOT_AN_INTEGER),
        }
    }

    /// The sender's own id of a message, if he gave one.
    ///
    /// # Errors
    /// It is no text, or too long.
    pub fn client_id(&self) -> Result<Option<String>, ApiError> {
        let given = self.text("client_id").map_err(|error| ApiError::field("client_id", error))?;
        match given.filter(|id| !id.is_empty()) {
            Some(id) if id.len() > CLIENT_ID_MAX => Err(ApiError::field(
                "client_id",
                format!("Ensure this field has no more than {CLIENT_ID_MAX} bytes."),
            )),
            given => Ok(given),
        }
    }

    /// A list of whole numbers; none when absent or null.
    ///
    /// # Errors
    /// It is no list, or not of whole numbers.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>, String> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => list
                .iter()
                .map(|value| integer(value).ok_or_else(|| NOT_AN_INTEGER.to_owned()))
                .collect(),
            Some(other) => {
                Err(format!("Expected a list of items but got type \"{}\".", type_name(other)))
            }
        }
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => {
            number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A value's type in the words of the systems that the texts come from.
const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// Gathers what is wrong in several fields, so that one answer names them all.
#[derive(Debug, Default)]
pub struct Problems(Vec<(&'static str, String)>);

impl Problems {
    /// The value, or a note of what is wrong with it and the type's empty value.
    pub fn take<T: Default, E: Into<String>>(
        &mut self,
        field: &'static str,
        value: Result<T, E>,
    ) -> T {
        value.unwrap_or_else(|wrong| {
            self.0.push((field, wrong.into()));
            T::default()
        })
    }

    /// The refusal, when anything was wrong.
    ///
    /// # Errors
    /// The fields with what is wrong in them.
    pub fn done(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::Fields(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json; charset=utf-8";
    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_body_is_read_by_its_type_or_refused() {
        let deep = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        for (kind, body, code) in [
            (JSON, "{\"a\":1}", None),
            (JSON, "", None),
            ("", "", None),
            (FORM, "a=1&b=%zz&c", None),
            (JSON, "{", Some("parse_error")),
            (JSON, "nonsense", Some("parse_error")),
            (JSON, "[1]", Some("invalid")),
            (JSON, "\"a\"", Some("invalid")),
            ("text/plain", "a", Some("unsupported_media_type")),
            ("", "{}", Some("unsupported_media_type")),
            (JSON, &deep(DEPTH_MAX - 1), None),
            (JSON, &deep(DEPTH_MAX), Some("parse_error")),
            (JSON, &deep(100_000), Some("parse_error")),
            (JSON, "{\"a\":\"[[[[[[[[[[[[[[[[[[\\\"[[[[\"}", None),
        ] {
            let read = parse(kind, body.as_bytes());
            assert_eq!(read.err().map(|e| e.code()), code, "{kind} {body:.20}");
        }
        assert!(parse(JSON, b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn values_are_taken_as_the_framework_takes_them() {
        let read = |kind, text: &str| parse(kind, text.as_bytes()).unwrap_or_default();
        let fields = read(
            JSON,
            r#"{"t":" a ","n":5,"f":1.5,"b":true,"z":null,"o":{},"s":"7","w":7.0,"x":"7x",
                "l":[1,"2"],"m":["x"],"u":"a\u0000b"}"#,
        );
        assert_eq!(fields.text("t"), Ok(Some(" a ".to_owned())));
        assert_eq!(fields.text("n"), Ok(Some("5".to_owned())));
        assert_eq!(fields.text("f"), Ok(Some("1.5".to_owned())));
        assert_eq!(fields.text("b"), Err("Not a valid string."));
        assert_eq!(fields.text("u"), Err("Null characters are not allowed."));
        assert_eq!(fields.required("z"), Err(NULL));
        assert_eq!(fields.required("missing"), Err(REQUIRED));
        assert_eq!(fields.integer("n"), Ok(Some(5)));
        assert_eq!(fields.integer("s"), Ok(Some(7)));
        assert_eq!(fields.integer("w"), Ok(Some(7)));
        for wrong in ["f", "b", "o", "x", "l"] {
            assert_eq!(fields.integer(wrong), Err(NOT_AN_INTEGER), "{wrong}");
        }
        assert_eq!(fields.integers("l"), Ok(vec![1, 2]));
        assert!(fields.integers("m").is_err() && fields.integers("t").is_err());

        let form = read(FORM, "t=a+b&n=5&l=1&l=2&t=%C3%A9");
        assert_eq!(form.text("t"), Ok(Some("é".to_owned())));
        assert_eq!(form.integer("n"), Ok(Some(5)));
        assert_eq!(form.integers("l"), Ok(vec![1, 2]));
    }
}
