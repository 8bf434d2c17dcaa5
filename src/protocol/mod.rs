//! What goes over a socket: frames as RFC 6455 has them, the dialects of CONTRACT section 3, the
//! native protocol `hubbub.v1`, and the one list of close codes. Pure: no actor, no socket, no clock.

pub mod close;
pub mod decode;
pub mod dialect;
pub mod frame;
pub mod gate;
pub mod inbound;
pub mod json;
pub mod native;

pub use close::{Band, CloseCode};
pub use decode::{Decoder, Incoming, Violation};
pub use dialect::{Dialect, Opening};
pub use frame::Frame;
pub use gate::Gate;
