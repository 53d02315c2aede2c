//! Where secrets are written: a folder in memory, in which a set of them changes as one.
//!
//! The values lie in a folder of their own, `..<number>`; `..data` points to the one that counts, and each name
//! points through it. So the whole set is replaced by one rename, and whoever opens a file meets the old set or
//! the new one. The set before the last stays until the next change, for whoever is just opening a file of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink,
};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::secret::{Secret, SecretSource};

const DATA: &str = "..data";
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;

/// A folder for secrets.
#[derive(Clone, Debug)]
pub struct Target {
    folder: PathBuf,
}

/// Why secrets cannot be written.
#[derive(Debug, Error)]
pub enum TargetError {
    #[error(
        "{0} is on a disk, where secrets would outlive the machine: choose a folder in a tmpfs, as \
         /run/weir/secrets, or say --allow-disk"
    )]
    Disk(PathBuf),
    #[error("{0} cannot be used: {1}; check the path and who may write it")]
    Io(PathBuf, io::Error),
}

impl Target {
    /// Takes a folder, which is made if it is missing. One on a disk is refused unless that is allowed.
    pub fn open(folder: &Path, allow_disk: bool) -> Result<Self, TargetError> {
        let wrong = |error: io::Error| TargetError::Io(folder.to_owned(), error);
        DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(wrong)?;
        let kind = rustix::fs::statfs(folder).map_err(|error| wrong(error.into()))?.f_type;
        let in_memory = [TMPFS, RAMFS].contains(&(kind as u64 & 0xffff_ffff));
        if in_memory || allow_disk {
            Ok(Self { folder: folder.to_owned() })
        } else {
            Err(TargetError::Disk(folder.to_owned()))
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what the files hold now; those that cannot be read are left out.
    pub fn read(&self) -> BTreeMap<String, Secret> {
        let listed = fs::read_dir(self.folder.join(DATA)).into_iter().flatten().flatten();
        let read = listed.filter_map(|entry| {
            let value = SecretSource::File(entry.path()).read().ok()?;
            Some((entry.file_name().into_string().ok()?, value))
        });
        read.collect()
    }

    /// Replaces the whole set by another, each secret in a file of mode 0440 with the folder's group. What is
    /// not in it is gone.
    pub fn write(&self, values: &BTreeMap<String, Secret>) -> Result<(), TargetError> {
        self.replace(values).map_err(|error| TargetError::Io(self.folder.clone(), error))
    }

    fn replace(&self, values: &BTreeMap<String, Secret>) -> io::Result<()> {
        // Two of us at once would clean up after each other.
        let folder = File::open(&self.folder)?;
        folder.lock()?;
        let group = folder.metadata()?.gid();
        let before = fs::read_link(self.folder.join(DATA)).ok();
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(io::Error::other)?;
        let fresh = format!("..{:016x}", u64::from_le_bytes(number));
        let made = fill(&self.folder.join(&fresh), values, group);
        if let Err(error) = made {
            fs::remove_dir_all(self.folder.join(&fresh)).ok();
            return Err(error);
        }
        self.point(DATA, Path::new(&fresh))?;
        for name in values.keys() {
            self.point(name, &Path::new(DATA).join(name))?;
        }
        let kept = [Some(fresh.into()), before.map(PathBuf::into_os_string)];
        self.clean(values, &kept.into_iter().flatten().collect::<Vec<_>>())
    }

    /// Has a name point elsewhere, in one step.
    fn point(&self, name: &str, to: &Path) -> io::Result<()> {
        let path = self.folder.join(name);
        if fs::read_link(&path).is_ok_and(|now| now == to) {
            return Ok(());
        }
        let beside = self.folder.join("..new");
        fs::remove_file(&beside).ok();
        symlink(to, &beside)?;
        fs::rename(&beside, &path)
    }

    /// Removes older sets, and names that point to nothing of this one.
    fn clean(&self, values: &BTreeMap<String, Secret>, kept: &[OsString]) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let shown = name.to_string_lossy();
            let points = fs::read_link(&path).ok();
            let stale = points.is_some_and(|to| to.starts_with(DATA))
                && !values.contains_key(shown.as_ref());
            if stale {
                fs::remove_file(&path)?;
            } else if shown.starts_with("..")
                && path.is_dir()
                && shown != DATA
                && !kept.contains(&name)
            {
                fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }
}

/// Makes a folder that holds the values.
fn fill(folder: &Path, values: &BTreeMap<String, Secret>, group: u32) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    for (name, value) in values {
        let path = folder.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path)?;
        file.write_all(value.expose().as_bytes())?;
        share(&path, group, 0o440)?;
        file.sync_all()?;
    }
    share(folder, group, 0o750)
}

/// Gives a file the group and the mode. Without the right to, it stays ours alone.
fn share(path: &Path, group: u32, mode: u32) -> io::Result<()> {
    if fs::metadata(path)?.gid() != group {
        chown(path, None, Some(group))?;
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(all: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        all.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        let listed = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = listed
            .map(|name| name.into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_set_is_replaced_as_one_and_what_it_no_longer_has_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::open(&dir.path().join("deep/er"), true).unwrap();
        let folder = target.folder().to_owned();
        assert!(target.read().is_empty());
        let first = set(&[("a.password", "one"), ("b.token", "two")]);
        target.write(&first).unwrap();
        assert_eq!(target.read(), first);
        assert_eq!(fs::read_to_string(folder.join("a.password")).unwrap(), "one");
        let mode = fs::metadata(folder.join("a.password")).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o440);
        let second = set(&[("a.password", "three")]);
        target.write(&second).unwrap();
        assert_eq!((target.read(), names(&folder)), (second, vec!["a.password".to_owned()]));
        for round in 0..5 {
            target.write(&set(&[("a.password", &round.to_string())])).unwrap();
        }
        let folders = fs::read_dir(&folder).unwrap().filter(|entry| {
            let entry = entry.as_ref().unwrap();
            entry.file_type().unwrap().is_dir()
        });
        assert_eq!(folders.count(), 2, "the set that counts and the one before");
    }

    #[test]
    fn a_plain_file_in_the_way_of_a_name_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "old").unwrap();
        let target = Target::open(dir.path(), true).unwrap();
        target.write(&set(&[("a", "new")])).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("a")).unwrap(), "new");
    }

    #[test]
    fn a_folder_on_a_disk_is_refused_unless_it_is_allowed() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        let refused = Target::open(&here, false).map(|_| ());
        // Where the sources lie in memory, there is nothing to refuse.
        if let Err(error) = refused {
            assert!(error.to_string().contains("--allow-disk"), "{error}");
        }
        if Path::new("/dev/shm").is_dir() {
            let memory = tempfile::tempdir_in("/dev/shm").unwrap();
            Target::open(memory.path(), false).unwrap();
        }
    }

    #[test]
    fn whoever_reads_while_sets_are_replaced_finds_whole_ones() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::open(dir.path(), true).unwrap();
        let whole = |text: &str| set(&[("cert", text), ("key", text)]);
        target.write(&whole("0")).unwrap();
        let writer = target.clone();
        let writing = std::thread::spawn(move || {
            (1..200).for_each(|round| writer.write(&whole(&round.to_string())).unwrap());
        });
        while !writing.is_finished() {
            let read = fs::read_to_string(dir.path().join("cert")).unwrap();
            assert!(!read.is_empty());
            // A reader that takes the set at once has both of one kind.
            let Ok(set) = fs::read_link(dir.path().join(DATA)) else { continue };
            let both = ["cert", "key"].map(|name| fs::read(dir.path().join(&set).join(name)).ok());
            assert!(both[0] == both[1] || both.contains(&None), "{both:?}");
        }
        writing.join().unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn after_any_sets_the_last_is_what_is_read(
            sets in proptest::collection::vec(
                proptest::collection::btree_map("[a-z]{1,3}(\\.[a-z]{1,3})?", "[!-~]{1,20}", 0..4), 1..5),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let target = Target::open(dir.path(), true).unwrap();
            for values in &sets {
                let values: BTreeMap<String, Secret> =
                    values.iter().map(|(name, value)| (name.clone(), Secret::new(value.as_str()))).collect();
                target.write(&values).unwrap();
                prop_assert_eq!(&target.read(), &values);
                prop_assert_eq!(names(dir.path()), values.keys().cloned().collect::<Vec<_>>());
            }
        }
    }
}
