//! The pages' files, inside the binary, with what they are compressed to. `http` asks for them by
//! name and sends them. Knows nothing of requests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::LazyLock;

use flate2::{Compression, write::GzEncoder};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "src/web/assets"]
struct Assets;

/// What stands in the page for the release that it belongs to.
const RELEASE: &str = "@release@";

/// A file of the pages.
#[derive(Debug)]
pub struct Asset {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The same through gzip.
    pub gzip: Vec<u8>,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// What changes when the bytes do.
    pub hash: String,
}

struct Files {
    release: String,
    by_name: BTreeMap<String, Asset>,
}

/// Read and compressed once, when the first page is asked for.
static FILES: LazyLock<Files> = LazyLock::new(|| {
    let mut found = BTreeMap::new();
    for name in Assets::iter() {
        if let (Some(file), Some(kind)) = (Assets::get(&name), content_type(&name)) {
            found.insert(name.into_owned(), (file.data.into_owned(), kind));
        }
    }
    let mut all = Sha256::new();
    for (name, (bytes, _)) in &found {
        all.update(name);
        all.update(bytes);
    }
    let release = hex(&all.finalize());
    let finish = |(name, (bytes, kind)): (String, (Vec<u8>, &'static str))| {
        let bytes = if kind.starts_with("text/html") {
            String::from_utf8_lossy(&bytes).replace(RELEASE, &release).into_bytes()
        } else {
            bytes
        };
        (name, Asset::new(bytes, kind))
    };
    let by_name = found.into_iter().map(finish).collect();
    Files { release, by_name }
});

impl Asset {
    fn new(bytes: Vec<u8>, content_type: &'static str) -> Self {
        let hash = hex(&Sha256::digest(&bytes));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let done = encoder.write_all(&bytes).and_then(|()| encoder.finish());
        // Writing into memory does not fail; an empty one would be sent as it is.
        Self { gzip: done.unwrap_or_default(), bytes, content_type, hash }
    }
}

/// The file of that name, such as `index.html` or `app.js`; none when there is no such file.
#[must_use]
pub fn asset(name: &str) -> Option<&'static Asset> {
    FILES.by_name.get(name)
}

/// What changes when any of the files does.
#[must_use]
pub fn release() -> &'static str {
    &FILES.release
}

fn hex(hash: &[u8]) -> String {
    hash.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// By the end of a name; none for what the pages have no file of.
fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a module at most, as of every other source.
    const LINES_MAX: usize = 400;
    /// What all of it may weigh on its way to a browser; the promise is 100 KB.
    const BYTES_MAX: usize = 60 * 1024;
    /// Of that, the chat client without the control room.
    const CHAT_MAX: usize = 45 * 1024;
    /// The same as it is written; it is not to grow unnoticed.
    const CHAT_WRITTEN_MAX: usize = 115 * 1024;

    fn text(name: &str) -> String {
        let asset = asset(name).unwrap_or_else(|| panic!("{name} is missing"));
        String::from_utf8(asset.bytes.clone()).unwrap_or_default()
    }

    fn names(end: &str) -> Vec<&'static String> {
        FILES.by_name.keys().filter(|name| name.ends_with(end)).collect()
    }

    #[test]
    fn the_pages_files_are_there_and_no_others() {
        for name in ["index.html", "page.css", "app.js", "hubbub.js"] {
            let asset = asset(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert!(!asset.bytes.is_empty() && asset.hash.len() == 16, "{}", asset.hash);
            assert!(asset.gzip.starts_with(&[0x1f, 0x8b]) && asset.gzip.len() < asset.bytes.len());
        }
        assert!(asset("page.css").is_some_and(|css| css.hash != asset("app.js").unwrap().hash));
        for name in ["", "index", "../mod.rs", "../../../Cargo.toml", "..", "none.html"] {
            assert!(asset(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_page_holds_nothing_that_its_policy_forbids() {
        let page = text("index.html") + &text("admin.html");
        for forbidden in [" style=", "<style", " onclick=", " onload=", "src=\"http", "javascript:"]
        {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        let own = |kind: &str| {
            page.matches(&format!("<script {kind}src=\"/assets/{}/", release())).count()
        };
        assert_eq!(page.matches("<script").count(), own("") + own("type=\"module\" "));
        assert!(!page.contains("href=\"http"), "the page asks another host");
        assert!(!page.contains(RELEASE));
        for name in names(".js") {
            let script = text(name);
            for forbidden in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                ".style",
            ] {
                assert!(!script.contains(forbidden), "{name}: {forbidden}");
            }
        }
    }

    #[test]
    fn every_module_is_asked_for_by_the_page_itself_says_what_it_is_and_is_short() {
        let page = text("index.html") + &text("admin.html");
        for name in names(".js") {
            let asked = format!("=\"/assets/{}/{name}\"", release());
            assert!(page.contains(&asked), "{name} would be a round trip of its own");
            let script = text(name);
            assert!(script.starts_with("// "), "{name} does not say what it is");
            assert!(script.lines().count() <= LINES_MAX, "{name} is too long");
        }
    }

    #[test]
    fn all_of_it_is_light() {
        let bytes: usize = FILES.by_name.values().map(|asset| asset.gzip.len()).sum();
        assert!(bytes < BYTES_MAX, "{bytes} bytes");
        let chat = || FILES.by_name.iter().filter(|(name, _)| !name.starts_with("admin"));
        let sent: usize = chat().map(|(_, asset)| asset.gzip.len()).sum();
        let written: usize = chat().map(|(_, asset)| asset.bytes.len()).sum();
        assert!(sent < CHAT_MAX && written < CHAT_WRITTEN_MAX, "{sent} of {written} bytes");
    }
}
