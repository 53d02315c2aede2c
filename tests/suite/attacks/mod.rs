//! What attackers send, to a real weir on raw sockets: it answers or closes, goes on, and keeps nothing of it.

mod corpus;
mod floods;
mod http2;
mod raw;
mod silent;
