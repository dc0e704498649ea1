//! Sealing of what must be recovered: AES-256-GCM under the appliance's own key (design.md, "On disk").
//!
//! The key lies in a file of its own (`store-key`), made at first start and readable by its owner only; a backup never
//! holds it. What is sealed is bound to the name of its record, so that one record cannot be put in another's place.
//!
//! A sealed value is `1 | nonce (12 bytes) | ciphertext | tag (16 bytes)`. Nonces are random: 2^32 values may be sealed
//! under one key (NIST SP 800-38D, 8.3), which is far beyond the secrets of one appliance.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::{Zeroize, Zeroizing};

use super::random::Random;

/// The first byte of what this version seals.
const VERSION: u8 = 1;
const KEY_LEN: usize = 32;
/// The key's file: 64 hexadecimal digits and a line end, which may be missing or one of DOS.
const FILE_MAX: u64 = 2 * KEY_LEN as u64 + 2;

/// The key that seals and opens. It is never shown.
pub struct SealKey(LessSafeKey);

/// Why a sealed value cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed by a later version, or it is no sealed value.
    #[error("the sealed value has a form that this version does not know")]
    UnknownForm,
    /// The key is another, the value belongs to another record, or it was changed.
    #[error(
        "the sealed value does not open with this store key: it is damaged, or the data file belongs to another \
         `store-key`; put the `store-key` of this data file beside it"
    )]
    DoesNotOpen,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be made or read.
    #[error("cannot {action} the store key {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody besides the owner can get at it.
    #[error("others than its owner may use the store key {path} (mode {mode:04o}): run `chmod 600 {path}`", path = path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold a key.
    #[error(
        "the store key {} is not 64 hexadecimal digits and a line end: put back the file from where you keep a copy; without \
         it what was sealed cannot be recovered, and only where nothing has been stored yet may it be deleted to get a new one",
        path.display()
    )]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

impl SealKey {
    /// The key in the file at `path`; where there is none, a new one is made and is on disk when this returns.
    /// Of several processes that start at once all get the same.
    pub fn load_or_create(path: &Path, random: &dyn Random) -> Result<Self, KeyFileError> {
        match File::open(path) {
            Ok(file) => Self::load(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path, random)?;
                let file = File::open(path).map_err(io_error("open", path))?;
                Self::load(path, file)
            }
            Err(error) => Err(io_error("open", path)(error)),
        }
    }

    /// The key in the file at `path`, which must be there.
    pub fn load_existing(path: &Path) -> Result<Self, KeyFileError> {
        Self::load(path, File::open(path).map_err(io_error("open", path))?)
    }

    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; KEY_LEN]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("32 bytes are a key of AES-256");
        bytes.zeroize();
        Self(LessSafeKey::new(key))
    }

    /// Seals `plaintext` for the record `name`.
    #[must_use]
    pub fn seal(&self, random: &dyn Random, name: &str, plaintext: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut out = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plaintext);
        let text = &mut out[1 + NONCE_LEN..];
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), text)
            .expect("a secret is shorter than the 64 GiB that AES-GCM takes");
        out.extend_from_slice(tag.as_ref());
        out
    }

    /// Opens what [`SealKey::seal`] made for the same `name` under the same key.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let Some((&VERSION, rest)) = sealed.split_first() else { return Err(SealError::UnknownForm) };
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::UnknownForm)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name), &mut text)
            .map_err(|_| SealError::DoesNotOpen)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    fn load(path: &Path, file: File) -> Result<Self, KeyFileError> {
        let mode = file.metadata().map_err(io_error("look at", path))?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
        }
        // One byte more than is allowed, so that a longer file shows.
        let mut text = Zeroizing::new(Vec::with_capacity(80));
        file.take(FILE_MAX + 1).read_to_end(&mut text).map_err(io_error("read", path))?;
        parse_hex(&text).map(Self::from_bytes).ok_or_else(|| KeyFileError::Malformed { path: path.to_owned() })
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// Makes the file with a new key, unless it is there by now.
///
/// The key is written under another name first: nobody ever sees half of it, not even after a power cut.
fn create(path: &Path, random: &dyn Random) -> Result<(), KeyFileError> {
    let mut suffix = [0; 8];
    random.fill(&mut suffix);
    let draft = path.with_added_extension(format!("{:016x}.new", u64::from_le_bytes(suffix)));
    let written = write_draft(&draft, random).and_then(|()| link(&draft, path));
    let removed = fs::remove_file(&draft);
    written.and(removed).and_then(|()| sync_directory(path)).map_err(io_error("make", path))
}

fn write_draft(draft: &Path, random: &dyn Random) -> io::Result<()> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    random.fill(&mut *key);
    let mut text = Zeroizing::new(String::with_capacity(80));
    for byte in *key {
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(digit.into(), 16).expect("a half byte is a hexadecimal digit"));
        }
    }
    text.push('\n');
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Gives the draft its name, unless another process was first: then that one's key holds.
fn link(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

fn parse_hex(text: &[u8]) -> Option<[u8; KEY_LEN]> {
    let digits = text.strip_suffix(b"\r\n").or_else(|| text.strip_suffix(b"\n")).unwrap_or(text);
    if digits.len() != 2 * KEY_LEN {
        return None;
    }
    let mut key = [0; KEY_LEN];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(key)
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |source| KeyFileError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::random::{SeededRandomness, SystemRandomness};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_sealed_opens_under_its_name_and_key_only() {
        let random = SeededRandomness::new(1);
        let key = SealKey::from_bytes([7; 32]);
        for plaintext in [b"".as_slice(), b"x", &[9; 5000]] {
            let sealed = key.seal(&random, "webhook-1", plaintext);
            assert_eq!(sealed.len(), 1 + 12 + plaintext.len() + 16);
            assert_eq!(key.open("webhook-1", &sealed).unwrap().as_slice(), plaintext);
            assert_eq!(key.open("webhook-2", &sealed), Err(SealError::DoesNotOpen));
            assert_eq!(SealKey::from_bytes([8; 32]).open("webhook-1", &sealed), Err(SealError::DoesNotOpen));
        }
    }

    #[test]
    fn the_same_value_never_looks_the_same() {
        let random = SeededRandomness::new(1);
        let key = SealKey::from_bytes([7; 32]);
        assert_ne!(key.seal(&random, "a", b"s3cret"), key.seal(&random, "a", b"s3cret"));
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let key = SealKey::from_bytes([7; 32]);
        let sealed = key.seal(&SeededRandomness::new(1), "a", b"s3cret");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.open("a", &changed).is_err(), "byte {index}");
            assert!(key.open("a", &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", SealKey::from_bytes([7; 32])), "SealKey(…)");
    }

    #[test]
    fn a_made_key_is_found_again_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store-key");
        let sealed = SealKey::load_or_create(&path, &SystemRandomness::default()).unwrap().seal(
            &SystemRandomness::default(),
            "a",
            b"s3cret",
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read(&path).unwrap().len(), 65);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let again = SealKey::load_or_create(&path, &SystemRandomness::default()).unwrap();
        assert_eq!(again.open("a", &sealed).unwrap().as_slice(), b"s3cret");
    }

    #[test]
    fn starts_at_the_same_time_get_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store-key");
        let barrier = Arc::new(std::sync::Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (path, barrier) = (path.clone(), Arc::clone(&barrier));
                std::thread::spawn(move || {
                    barrier.wait();
                    SealKey::load_or_create(&path, &SystemRandomness::default()).unwrap()
                })
            })
            .collect();
        let keys: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        let sealed = keys[0].seal(&SystemRandomness::default(), "a", b"s3cret");
        assert!(keys.iter().all(|key| key.open("a", &sealed).is_ok()));
    }

    #[test]
    fn a_key_that_others_may_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store-key");
        fs::write(&path, format!("{}\n", "ab".repeat(32))).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            chmod(&path, mode);
            let error = SealKey::load_or_create(&path, &SystemRandomness::default()).unwrap_err().to_string();
            assert!(error.contains("chmod 600") && error.contains(&format!("{mode:04o}")), "{error}");
        }
        chmod(&path, 0o400);
        SealKey::load_or_create(&path, &SystemRandomness::default()).unwrap();
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store-key");
        let (short, long) = ("a".repeat(63), "a".repeat(65));
        let bad = ["", "\n", &short, &long, &format!("{}\n\n", "a".repeat(64)), &"é".repeat(32), &"g".repeat(64)];
        for text in bad {
            fs::write(&path, text).unwrap();
            chmod(&path, 0o600);
            let error = SealKey::load_or_create(&path, &SystemRandomness::default()).unwrap_err();
            assert!(matches!(error, KeyFileError::Malformed { .. }), "{text:?}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        for good in ["A".repeat(64), format!("{}\r\n", "0f".repeat(32))] {
            fs::write(&path, good).unwrap();
            SealKey::load_or_create(&path, &SystemRandomness::default()).unwrap();
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/store-key");
        let error = SealKey::load_or_create(&path, &SystemRandomness::default()).unwrap_err().to_string();
        assert!(error.contains("missing/store-key"), "{error}");
    }
}
