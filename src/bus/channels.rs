//! Names of channels and keys. Pure.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{NodeId, RoomId};

/// Names below one prefix: several chats may share a Redis.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    prefix: Arc<str>,
}

/// Whose channel it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// A room's.
    Room(RoomId),
    /// Every node's, or one's own.
    Nodes,
}

impl Channels {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: format!("hubbub:{prefix}:").into() }
    }

    /// A room's channel.
    pub fn room(&self, room: RoomId) -> Arc<str> {
        format!("{}room:{room}", self.prefix).into()
    }

    /// The channel that every node follows.
    pub fn nodes(&self) -> Arc<str> {
        format!("{}nodes", self.prefix).into()
    }

    /// A node's own channel.
    pub fn node(&self, node: &NodeId) -> Arc<str> {
        format!("{}node:{node}", self.prefix).into()
    }

    /// The key of what a node keeps.
    pub fn kept(&self, node: &NodeId) -> String {
        format!("{}kept:{node}", self.prefix)
    }

    /// Whose channel this is; none when it is no channel of ours.
    pub fn whose(&self, channel: &str) -> Option<Whose> {
        let rest = channel.strip_prefix(&*self.prefix)?;
        match rest.split_once(':') {
            Some(("room", id)) => Some(Whose::Room(RoomId(Uuid::try_parse(id).ok()?))),
            Some(("node", _)) => Some(Whose::Nodes),
            _ => (rest == "nodes").then_some(Whose::Nodes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_told_apart_and_no_two_chats_share_one() {
        let channels = Channels::new("main");
        let room = RoomId(Uuid::from_u128(7));
        let name = channels.room(room);
        assert_eq!(&*name, "hubbub:main:room:00000000-0000-0000-0000-000000000007");
        assert_eq!(channels.whose(&name), Some(Whose::Room(room)));
        assert_eq!(channels.whose(&channels.nodes()), Some(Whose::Nodes));
        assert_eq!(channels.whose(&channels.node(&NodeId::from("a:b"))), Some(Whose::Nodes));
        for other in ["", "hubbub:main:room:x", "hubbub:main:", "hubbub:test:nodes", &name[1..]] {
            assert_eq!(channels.whose(other), None, "{other}");
        }
    }
}
