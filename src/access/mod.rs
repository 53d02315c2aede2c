//! Who may write, read and operate: keys, tokens of others (JWT), and how much each may send.
//!
//! `gate` decides on a copy in memory, without I/O; `keys` keeps the keys in a bucket that every process
//! follows. Only hashes of secrets are kept anywhere.

mod denied;
mod gate;
mod grant;
mod jwt;
mod key;
mod keyring;
mod keys;
mod rate;
mod secret_text;
mod shown;

pub use denied::Denied;
pub use gate::Access;
pub use grant::{Grant, Quota};
pub use jwt::{JwksSource, JwtOptions, Tokens};
pub use key::{IpMode, Key, NewKey, Privacy, Rate, Rules, Scope};
pub use keys::{Keys, KeysError, Made};
pub use shown::Shown;
