//! One WebSocket, from the knock on the door to the last frame. [`door`] and [`state`] are pure;
//! [`entry`] asks who comes and where he wants to go; two engines host the same [`relay`]:
//! [`direct`] owns its socket, which [`upgrade`] and [`newcomer`] bring it; [`web_actors`] lives in
//! an actix-web response body. Must not know
//! how rooms keep order, nor REST.

mod behind;
pub mod capacity;
pub mod direct;
pub mod door;
pub mod entry;
pub mod handshake;
pub mod hosted;
mod link;
pub mod lookup;
pub mod native;
pub mod newcomer;
pub mod note;
mod pair_names;
pub mod place;
pub mod proof;
pub mod relay;
pub mod state;
pub mod upgrade;
pub mod web_actors;
pub mod wire;

pub use entry::Porter;
