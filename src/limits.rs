//! Every bound of the system in one place, each with its reason.
//!
//! A queue, loop or buffer without a bound here is a defect.

/// Longest user, item, source or event id, in bytes (inclusive).
pub const ID_BYTES: usize = 256;

/// Largest event as stored in the log, in bytes (inclusive): a WAL record holds at least two.
pub const EVENT_BYTES: usize = 32 * 1024;

/// Largest WAL record, in bytes: past a quarter of a segment sled moves a value to a file it never syncs.
pub const WAL_RECORD_BYTES: usize = 64 * 1024;

/// Most items in one answer: what the reads' `limit` may ask for.
pub const RECOMMENDATIONS: usize = 1000;

/// Touches of a user that are read to know what it has seen: past that, older items may be shown again.
/// 16,384 random reads are a third of a millisecond, and no person views more.
pub const SEEN_TOUCHES: usize = 16_384;

/// Distinct newest items of a user that may lead to a recommendation.
pub const HISTORY_ITEMS: usize = 128;

/// Items of a user from which neighbours are looked for: the strongest of its history.
pub const SEED_ITEMS: usize = 48;

/// Neighbours visited for one answer, over all seeds. With `WINDOW_TOUCHES` on both sides of each, an
/// answer reads about 18,000 touches, most of them at random: 1 to 2 ms of one core at a million edges.
pub const NEIGHBOURS: usize = 1000;

/// Neighbours visited for one seed: more of a hot item's users change the answer no further.
pub const SEED_NEIGHBOURS: usize = 400;

/// Touches read before and after the moment at which a neighbour met a seed.
pub const WINDOW_TOUCHES: usize = 8;

/// Items named as the reason for one recommendation.
pub const REASONS: usize = 3;

/// Items that a store must be able to name as popular: an answer full of them, and as many left out.
pub const POPULAR_ITEMS: usize = 2 * RECOMMENDATIONS;

/// Touches of an item that are searched for those of the asked kind.
pub const ALSO_TOUCHES: usize = 4000;

/// Distinct users of an item whose other items are counted.
pub const ALSO_USERS: usize = 300;

/// Touches of such a user read before and after it met the item: with `ALSO_USERS`, 30,000 in all.
pub const ALSO_WINDOW_TOUCHES: usize = 50;
