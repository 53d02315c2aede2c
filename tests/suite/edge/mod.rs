//! What producers may ask of the gateway, and what it keeps of what they send.

mod answers;
mod bodies;
mod browsers;
mod privacy;
mod repeated;
