//! The pages in a real browser against the real server, and `hubbub.js` under Node. Needs Debian's
//! chromium and chromium-driver, nodejs and npm; a run leaves its pictures in `target/tmp/pages/`.

#[allow(dead_code, unused_imports, unused_macros, reason = "of tests/api, which uses all of it")]
#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod away;
mod browser;
mod control_messages;
mod control_more;
mod control_room;
mod conversation;
mod crowd;
mod facts;
mod hostile;
mod keyboard;
mod looks;
mod members;
mod node;
mod notices;
mod page;
mod stranger;
