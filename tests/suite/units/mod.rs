//! What systemd and weir tell each other, without systemd, and the units of `packer/units`.

mod files;
mod restarts;
mod signs;
