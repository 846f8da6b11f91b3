//! Flags whose values are secrets by the program that they are given to.

use super::announces;

/// Flags of programs whose values are secrets though their names do not say so.
const FLAGS: [(&str, &str, Takes); 27] = [
    ("7z", "-p", Takes::Joined),
    ("cqlsh", "-p", Takes::Apart),
    ("curl", "-b", Takes::Either),
    ("curl", "-u", Takes::Either),
    ("ldapadd", "-w", Takes::Apart),
    ("ldapdelete", "-w", Takes::Apart),
    ("ldapmodify", "-w", Takes::Apart),
    ("ldapsearch", "-w", Takes::Apart),
    // Of docker, podman, helm and others.
    ("login", "-p", Takes::Apart),
    ("mariadb", "-p", Takes::Joined),
    ("mongo", "-p", Takes::Either),
    ("mongodump", "-p", Takes::Either),
    ("mongorestore", "-p", Takes::Either),
    ("mongosh", "-p", Takes::Either),
    ("mosquitto_pub", "-P", Takes::Apart),
    ("mosquitto_sub", "-P", Takes::Apart),
    ("mysql", "-p", Takes::Joined),
    ("mysqladmin", "-p", Takes::Joined),
    ("mysqldump", "-p", Takes::Joined),
    ("openssl", "-passin", Takes::Apart),
    ("openssl", "-passout", Takes::Apart),
    ("rabbitmqadmin", "-p", Takes::Apart),
    ("redis-cli", "-a", Takes::Apart),
    ("sqlcmd", "-P", Takes::Either),
    ("sshpass", "-p", Takes::Either),
    ("unzip", "-P", Takes::Apart),
    ("zip", "-P", Takes::Apart),
];
/// Flags after which a user comes, and after a colon a password.
const USER_FLAGS: [&str; 3] = ["-u", "--user", "--proxy-user"];

/// How a flag takes its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// As a word of its own.
    Apart,
    /// In the same word.
    Joined,
    Either,
}

/// The program that a word names, of those with a flag for a secret.
pub(super) fn program_of(word: &str) -> Option<&'static str> {
    let name = word.rsplit('/').next().unwrap_or(word);
    let mut known = FLAGS.iter().map(|(program, ..)| *program);
    known.find(|program| *program == name)
}

/// Its flags for a secret, and how each takes it.
fn flags(program: Option<&str>) -> impl Iterator<Item = (&'static str, Takes)> {
    let flags = FLAGS.iter().filter(move |(own, ..)| Some(*own) == program);
    flags.map(|(_, flag, takes)| (*flag, *takes))
}

/// Where in a word the secret begins that the word before it, of this program, announces.
pub(super) fn value_after(before: &str, program: Option<&str>, word: &str) -> Option<usize> {
    if word.starts_with('-') {
        return None;
    }
    if takes_user(before) {
        return word.find(':').map(|colon| colon + 1);
    }
    // Several flags of one letter may be one word: the last of them takes the value.
    let among = |flag: &str| {
        let letters = before.strip_prefix('-').unwrap_or_default();
        letters.len() > 1
            && flag.len() == 2
            && letters.bytes().all(|it| it.is_ascii_alphabetic())
            && letters.ends_with(&flag[1..])
    };
    let mut apart = flags(program).filter(|(_, takes)| *takes != Takes::Joined);
    let announced = announces(before) || apart.any(|(flag, _)| flag == before || among(flag));
    announced.then_some(0)
}

/// Where in a word the secret begins that a flag of this program takes in the same word.
pub(super) fn joined(program: Option<&str>, word: &str) -> Option<usize> {
    let mut joined = flags(program).filter(|(_, takes)| *takes != Takes::Apart);
    let (flag, _) = joined.find(|(flag, _)| word.starts_with(*flag) && word.len() > flag.len())?;
    Some(flag.len())
}

/// Whether a user comes after this flag, and after a colon a password.
pub(super) fn takes_user(flag: &str) -> bool {
    USER_FLAGS.contains(&flag)
}
