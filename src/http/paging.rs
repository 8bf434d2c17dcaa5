//! Pages of lists: `?limit=`, `?before=`, `?after=`, and the `Link` to the next one (CONTRACT
//! section 1). The arithmetic is pure; the extractor reads nothing until a handler asks.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use uuid::Uuid;

use super::body::NOT_AN_INTEGER;
use super::error::ApiError;
use crate::domain::{Event, RoomId, RoomKind, RoomRow, UserId};
use crate::store::{Store, StoreError};

/// Rows without `?limit=`.
pub const LIMIT_DEFAULT: u32 = 200;
/// Rows at most; a greater `?limit=` means this many.
pub const LIMIT_MAX: u32 = 500;

/// The query string and path of a request.
#[derive(Clone, Debug)]
pub struct Query {
    path: String,
    pairs: Vec<(String, String)>,
}

impl FromRequest for Query {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::new(request.path(), request.query_string())))
    }
}

impl Query {
    /// From a path and what follows its `?`; what is no query counts as empty.
    #[must_use]
    pub fn new(path: &str, query: &str) -> Self {
        let pairs = serde_urlencoded::from_str(query).unwrap_or_default();
        Self { path: path.to_owned(), pairs }
    }

    /// The last value under a name; an empty one counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// How many rows are wanted.
    ///
    /// # Errors
    /// It is no number from 1 on.
    pub fn limit(&self) -> Result<u32, ApiError> {
        match self.get("limit").map(str::parse::<i64>) {
            None => Ok(LIMIT_DEFAULT),
            Some(Ok(limit)) if limit >= 1 => {
                Ok(u32::try_from(limit).unwrap_or(LIMIT_MAX).min(LIMIT_MAX))
            }
            Some(Ok(_)) => {
                Err(ApiError::field("limit", "Ensure this value is greater than or equal to 1."))
            }
            Some(Err(_)) => Err(ApiError::field("limit", NOT_AN_INTEGER)),
        }
    }

    /// A number from the query, such as a `seq`.
    ///
    /// # Errors
    /// It is no whole number.
    pub fn number(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        self.get(name)
            .map(|text| text.parse().map_err(|_| ApiError::field(name, NOT_AN_INTEGER)))
            .transpose()
    }

    /// A page of the rooms of these kinds that a user is a member of, most recently active first.
    ///
    /// # Errors
    /// A bad query, or the store's.
    pub async fn rooms_of(
        &self,
        store: &Store,
        user: UserId,
        kinds: &[RoomKind],
    ) -> Result<Page<RoomRow>, ApiError> {
        let limit = self.limit()?;
        let after = self.get("after").map(Uuid::try_parse).transpose();
        let after = after.map_err(|_| ApiError::field("after", "Invalid cursor."))?.map(RoomId);
        let rows = store.rooms_of(user, kinds, after, u64::from(limit) + 1).await?;
        Ok(Page::cut(self, rows, limit, |room| room.id.to_string()))
    }

    /// The address of the same list from another point: `name=value` in place of where this one
    /// began.
    fn link(&self, name: &str, value: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let kept = self.pairs.iter().filter(|(n, _)| n != "before" && n != "after");
        let mut pairs: Vec<String> =
            kept.map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
        pairs.push(format!("{name}={}", encode(value)));
        format!("<{}?{}>; rel=\"next\"", self.path, pairs.join("&"))
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Value of `Link` when the list was cut.
    pub link: Option<String>,
}

impl<T> Page<T> {
    /// From one row more than were wanted, when there are as many. `cursor` names the place after
    /// a row.
    #[must_use]
    pub fn cut(query: &Query, mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let limit = limit as usize;
        let cut = rows.len() > limit;
        rows.truncate(limit);
        let link = rows.last().filter(|_| cut).map(|row| query.link("after", &cursor(row)));
        Self { rows, link }
    }

    /// The same of a list that is newest first: its link leads to what lies before.
    #[must_use]
    pub fn newest_first(
        query: &Query,
        mut rows: Vec<T>,
        limit: u32,
        cursor: impl Fn(&T) -> String,
    ) -> Self {
        let cut = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let link = rows.last().filter(|_| cut).map(|row| query.link("before", &cursor(row)));
        Self { rows, link }
    }

    /// Its rows as something else.
    #[must_use]
    pub fn map<U>(self, shape: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(shape).collect(), link: self.link }
    }
}

impl<T: Serialize> Page<T> {
    /// 200 with the rows as a bare array.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        self.respond_as(&self.rows)
    }

    /// 200 with another body that holds the rows.
    #[must_use]
    pub fn respond_as(&self, body: &impl Serialize) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if let Some(link) = &self.link {
            response.insert_header(("Link", link.as_str()));
        }
        response.json(body)
    }
}

/// A page of a room's messages, oldest first: the latest, those before a `seq`, or those after
/// one. Its `Link` leads to older ones, after `?after=` to newer ones.
///
/// # Errors
/// A bad query, or the store's.
pub async fn messages(store: &Store, room: RoomId, query: &Query) -> Result<Page<Event>, ApiError> {
    let limit = query.limit()?;
    let (before, after) = (query.number("before")?, query.number("after")?);
    Ok(fetch(store, room, query, limit, before, after).await?)
}

async fn fetch(
    store: &Store,
    room: RoomId,
    query: &Query,
    limit: u32,
    before: Option<i64>,
    after: Option<i64>,
) -> Result<Page<Event>, StoreError> {
    let wanted = u64::from(limit) + 1;
    if let Some(after) = after {
        let mut rows = store.messages_after(room, after, wanted).await?;
        rows.retain(|event| before.is_none_or(|before| event.seq < before));
        return Ok(Page::cut(query, rows, limit, |event| event.seq.to_string()));
    }
    let rows = match before {
        Some(before) => store.messages_before(room, before, wanted).await?,
        None => store.latest_messages(room, wanted).await?,
    };
    Ok(newest(query, rows, limit))
}

/// The newest `limit` of rows that are oldest first, with a link to what lies before them.
fn newest(query: &Query, mut rows: Vec<Event>, limit: u32) -> Page<Event> {
    let over = rows.len().saturating_sub(limit as usize);
    rows.drain(..over);
    let link = rows.first().filter(|_| over > 0).map(|e| query.link("before", &e.seq.to_string()));
    Page { rows, link }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_at_least_one_and_at_most_the_bound() {
        for (query, wanted) in [
            ("", Some(200)),
            ("limit=", Some(200)),
            ("limit=1", Some(1)),
            ("limit=500", Some(500)),
            ("limit=501", Some(500)),
            ("limit=99999999999", Some(500)),
            ("limit=0", None),
            ("limit=-1", None),
            ("limit=x", None),
            ("limit=1&limit=2", Some(2)),
            ("%zz=1&limit=3", Some(3)),
        ] {
            assert_eq!(Query::new("/x/", query).limit().ok(), wanted, "{query}");
        }
    }

    #[test]
    fn a_cut_list_links_to_its_rest_and_keeps_the_rest_of_its_query() {
        let query = Query::new("/list_rooms/", "limit=2&after=a%26b&q=50%25");
        let page = Page::cut(&query, vec!["é", "f/g", "h"], 2, |row| (*row).to_owned());
        let link = "</list_rooms/?limit=2&q=50%25&after=f%2Fg>; rel=\"next\"";
        assert_eq!(page, Page { rows: vec!["é", "f/g"], link: Some(link.to_owned()) });
        let whole = Page::cut(&query, vec!["é", "f"], 2, |row| (*row).to_owned());
        assert_eq!(whole.link, None);
    }

    #[test]
    fn a_number_is_a_number() {
        assert_eq!(Query::new("/", "before=7").number("before").ok(), Some(Some(7)));
        assert_eq!(Query::new("/", "").number("before").ok(), Some(None));
        assert!(Query::new("/", "before=x").number("before").is_err());
    }
}
