//! Files of a run directory: for their owner only, and opened only where they are
//! what they should be.
//!
//! Another user may have prepared a directory: with a link that leads elsewhere, a pipe
//! that nobody reads, a device that never ends. So nothing is asked of a path. A file is
//! opened without following a link and without waiting, and what was opened is looked at
//! before a byte is read, cut or written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::error::{Error, Result};
use crate::files::check_regular;

/// Opens a file to be written anew, readable by its owner only.
///
/// # Errors
///
/// Where it cannot be written, or is not a file of this user's alone.
pub(crate) fn open_anew(path: &Path) -> io::Result<File> {
    let file = opened(OpenOptions::new().write(true).create(true), path)?;
    check_own(&file)?;
    file.set_len(0)?;
    Ok(file)
}

/// Opens a file to be read and added to, readable by its owner only.
///
/// # Errors
///
/// As [`open_anew`].
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    let file = opened(
        OpenOptions::new().read(true).append(true).create(true),
        path,
    )?;
    check_own(&file)?;
    Ok(file)
}

/// Writes a file of the run directory, readable by its owner only.
///
/// # Errors
///
/// Where it cannot be written, for example because the disk is full.
pub(crate) fn write_private(directory: &Path, name: &str, content: &[u8]) -> Result<()> {
    let path = directory.join(name);
    open_anew(&path)
        .and_then(|mut file| file.write_all(content))
        .map_err(|cause| write_error(&path, &cause))
}

/// The same of a file that may be there and be another's, as one that a container has
/// checked out: a new one takes its name once it is whole, and nothing is written into the
/// old one.
///
/// # Errors
///
/// As [`write_private`].
pub(crate) fn replace_private(directory: &Path, name: &str, content: &[u8]) -> Result<()> {
    let new = format!(".{name}.{}", std::process::id());
    write_private(directory, &new, content)?;
    let (new, path) = (directory.join(new), directory.join(name));
    fs::rename(&new, &path).map_err(|cause| {
        let _ = fs::remove_file(&new);
        write_error(&path, &cause)
    })
}

/// Makes the directory, or takes an empty one, readable by its owner only either way;
/// false, and nothing is changed, where it holds something already.
///
/// Of several who claim the same at once, one has it: who could make the file `first`
/// there, and saw nothing beside it. That file is empty until it is written.
///
/// # Errors
///
/// Where it cannot be made, or belongs to another user.
pub(crate) fn claim_directory(directory: &Path, first: &str) -> io::Result<bool> {
    if directory.exists() && entries(directory) != Some(0) {
        return Ok(false);
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    if fs::metadata(directory)?.uid() != geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    let claim = directory.join(first);
    let mut made = OpenOptions::new();
    match made.write(true).create_new(true).mode(0o600).open(&claim) {
        Ok(_) => {}
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(cause) => return Err(cause),
    }
    if entries(directory) != Some(1) {
        fs::remove_file(&claim)?;
        return Ok(false);
    }
    // The mode above is that of a new directory; one that was there has its own.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    Ok(true)
}

/// What failed, and what to do about it.
pub(super) fn write_error(path: &Path, cause: &io::Error) -> Error {
    Error::failed(format!(
        "failed to write {}: {cause}; free some space or name another directory with --out",
        path.display()
    ))
}

/// How many entries a directory has; none where it cannot be read.
fn entries(directory: &Path) -> Option<usize> {
    Some(fs::read_dir(directory).ok()?.count())
}

fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let options = options
        .mode(0o600)
        .custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK));
    options.open(path).map_err(|cause| {
        // The kernel says "too many levels of symbolic links" of the one that is not followed.
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => io::Error::other("it is a symbolic link"),
            _ => cause,
        }
    })
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

/// What was opened is a regular file of this user's, and has no second name.
fn check_own(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    check_regular(&found)?;
    if found.uid() != geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if found.nlink() > 1 {
        return Err(io::Error::other("it is a hard link to another file"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn nothing_is_written_through_a_link_or_into_a_pipe() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = root.path().join("elsewhere");
        fs::write(&elsewhere, "as it was").unwrap();
        let run = root.path().join("run");
        fs::create_dir(&run).unwrap();
        std::os::unix::fs::symlink(&elsewhere, run.join("link")).unwrap();
        std::os::unix::fs::symlink(root.path().join("none"), run.join("dangling")).unwrap();
        fs::hard_link(&elsewhere, run.join("hard")).unwrap();
        let pipe = run.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
        for name in ["link", "dangling", "hard", "pipe"] {
            let error = write_private(&run, name, b"new").unwrap_err();
            assert_eq!(error.exit_code(), 1, "{error}");
            assert!(open_to_append(&run.join(name)).is_err(), "{name}");
        }
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "as it was");
        assert!(!root.path().join("none").exists());
        let read = |path: &Path| crate::files::read_regular(path, &crate::bounds::UNDOS);
        assert!(read(&pipe).is_err());
        assert!(read(Path::new("/dev/zero")).is_err());
        // Its own file is written anew, and none of the old is left.
        write_private(&run, "own", b"longer").unwrap();
        write_private(&run, "own", b"new").unwrap();
        assert_eq!(read(&run.join("own")).unwrap(), b"new");
    }

    #[test]
    fn what_is_replaced_is_not_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "as it was").unwrap();
        let folder = folder.path();
        fs::hard_link(&elsewhere, folder.join("hard")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.join("link")).unwrap();
        for name in ["hard", "link", "new", "new"] {
            replace_private(folder, name, b"whole").unwrap();
            assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "whole");
        }
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "as it was");
        // Nothing else is left, also where it failed.
        fs::create_dir(folder.join("folder")).unwrap();
        assert!(replace_private(folder, "folder", b"whole").is_err());
        assert_eq!(entries(folder), Some(5));
    }

    #[test]
    fn of_many_who_claim_a_directory_at_once_one_has_it() {
        let root = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let directory = root.path().join(round.to_string());
            if round % 2 == 0 {
                fs::create_dir(&directory).unwrap();
            }
            let start = Barrier::new(4);
            let claims: Vec<bool> = thread::scope(|scope| {
                let all = [(); 4].map(|()| {
                    scope.spawn(|| {
                        start.wait();
                        claim_directory(&directory, "run.json").unwrap()
                    })
                });
                all.map(|one| one.join().unwrap()).into()
            });
            let had = claims.into_iter().filter(|had| *had).count();
            assert_eq!(had, 1, "round {round}");
        }
    }
}
