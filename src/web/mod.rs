//! The page on `/`: its files, inside the binary. `http` asks for them by name and sends them.
//! Knows nothing of requests.

use std::borrow::Cow;
use std::fmt::Write;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "src/web/assets"]
struct Assets;

/// A file of the page.
#[derive(Clone, Debug)]
pub struct Asset {
    /// What it holds.
    pub bytes: Cow<'static, [u8]>,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Value of `ETag`, with its quotes: changes when the bytes do.
    pub etag: String,
}

/// The file of that name, such as `index.html` or `page.js`; none when there is no such file.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let content_type = content_type(path)?;
    let file = Assets::get(path)?;
    let mut etag = String::from("\"");
    for byte in &file.metadata.sha256_hash()[..16] {
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    Some(Asset { bytes: file.data, content_type, etag })
}

/// By the end of a name; none for what the page has no file of.
fn content_type(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_files_are_there_and_no_others() {
        for (name, kind) in [("index.html", "text/html"), ("page.js", "text/javascript")] {
            let asset = asset(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert!(asset.content_type.starts_with(kind) && !asset.bytes.is_empty());
            assert!(asset.etag.starts_with('"') && asset.etag.len() == 34, "{}", asset.etag);
        }
        assert!(asset("page.css").is_some_and(|css| css.etag != asset("page.js").unwrap().etag));
        for name in ["", "index", "../mod.rs", "../../../Cargo.toml", "..", "none.html"] {
            assert!(asset(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_page_holds_nothing_that_its_policy_forbids() {
        let page = asset("index.html").map(|page| page.bytes.into_owned()).unwrap_or_default();
        let page = String::from_utf8(page).unwrap_or_default();
        for forbidden in [" style=", "<style", " onclick=", " onload=", "src=\"http", "javascript:"]
        {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/assets/").count());
        assert!(!page.contains("href=\"http"), "the page asks another host");
        let script = asset("page.js").map(|script| script.bytes.into_owned()).unwrap_or_default();
        let script = String::from_utf8(script).unwrap_or_default();
        for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
        {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
    }
}
