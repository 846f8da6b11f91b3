//! Users, roles, projects and tasks in `SQLite`, seeded from the run's seed.
//!
//! Write-ahead logging with `synchronous = NORMAL`: a write that was
//! acknowledged has been handed to the kernel, so it survives the death of the
//! process that made it (a crash of the whole machine it may not). Every
//! statement is one transaction, so no two writers wait for each other in a
//! circle.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rand::RngExt as _;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::{FleetSpec, Role};
use crate::rng;

/// How long a statement waits for another writer before it gives up; writes
/// take well under a millisecond.
const BUSY_MAX: Duration = Duration::from_secs(5);
/// Tasks in a list at most: a page, so that an answer's size says nothing of load.
const LIST_MAX: u32 = 20;

const SCHEMA: &str = "
    CREATE TABLE users (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        token_hash BLOB NOT NULL UNIQUE,
        role TEXT NOT NULL
    ) STRICT;
    CREATE TABLE permissions (
        role TEXT NOT NULL,
        action TEXT NOT NULL,
        PRIMARY KEY (role, action)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE projects (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        closed INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE tasks (
        id INTEGER PRIMARY KEY,
        project INTEGER NOT NULL REFERENCES projects (id),
        title TEXT NOT NULL,
        done INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX tasks_of_project ON tasks (project);
";

/// What a role may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    List,
    Contribute,
    Manage,
}

impl Permission {
    const ALL: [(Self, &'static str, Role); 3] = [
        (Self::List, "list", Role::Viewer),
        (Self::Contribute, "contribute", Role::Contributor),
        (Self::Manage, "manage", Role::Manager),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Contribute => "contribute",
            Self::Manage => "manage",
        }
    }
}

/// The users' tokens, by role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    by_role: [Vec<String>; 3],
    service: String,
}

impl Tokens {
    /// The tokens of every user of this role.
    pub fn of(&self, role: Role) -> &[String] {
        &self.by_role[role as usize]
    }

    /// The token of the service user that monitors probe with; it may list.
    pub fn service(&self) -> &str {
        &self.service
    }
}

/// A task as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Task {
    id: i64,
    project: i64,
    title: String,
    done: bool,
}

/// Makes the database with users 0 to n − 1 in turn over the roles, a service
/// user, and projects and tasks that are numbered from 1.
pub(super) fn seed(path: &Path, spec: &FleetSpec, seed: u64) -> Result<Tokens> {
    let failed = |cause: &dyn std::fmt::Display| {
        Error::failed(format!(
            "failed to make the fleet's database {}: {cause}",
            path.display()
        ))
    };
    make_private_file(path).map_err(|cause| failed(&cause))?;
    fill(path, spec, seed).map_err(|cause| failed(&cause))
}

/// An empty file that only its owner can read: `SQLite` would make one as the
/// umask allows. The files that it puts beside it get the same mode.
fn make_private_file(path: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

fn fill(path: &Path, spec: &FleetSpec, seed: u64) -> rusqlite::Result<Tokens> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    for (_, permission, least) in Permission::ALL {
        for (role, _) in Role::ALL.into_iter().filter(|(role, _)| *role >= least) {
            transaction.execute(
                "INSERT INTO permissions VALUES (?1, ?2)",
                [role.word(), permission],
            )?;
        }
    }
    let tokens = fill_users(&transaction, spec, seed)?;
    fill_projects(&transaction, spec, seed)?;
    transaction.commit()?;
    Ok(tokens)
}

fn fill_users(connection: &Connection, spec: &FleetSpec, seed: u64) -> rusqlite::Result<Tokens> {
    let mut rng = rng::stream(seed, "tokens");
    let mut add = |id: u32, kind: &str, role: Role| -> rusqlite::Result<String> {
        let token = format!("{kind}-{:032x}", rng.random::<u128>());
        connection
            .prepare_cached("INSERT INTO users VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                id,
                format!("{kind} {id}"),
                hash(&token),
                role.word()
            ])?;
        Ok(token)
    };
    let mut by_role = [const { Vec::new() }; 3];
    for (id, (role, _)) in (0..spec.users).zip(Role::ALL.into_iter().cycle()) {
        by_role[role as usize].push(add(id, role.word(), role)?);
    }
    let service = add(spec.service_user(), "service", Role::Viewer)?;
    Ok(Tokens { by_role, service })
}

fn fill_projects(connection: &Connection, spec: &FleetSpec, seed: u64) -> rusqlite::Result<()> {
    for project in 1..=spec.projects {
        connection
            .prepare_cached("INSERT INTO projects (id, name) VALUES (?1, ?2)")?
            .execute(params![project, format!("project {project}")])?;
    }
    let mut rng = rng::stream(seed, "tasks");
    for task in 1..=spec.tasks {
        let project = rng.random_range(1..=spec.projects.max(1));
        let done = rng.random_bool(0.5);
        connection
            .prepare_cached("INSERT INTO tasks VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![task, project, format!("task {task}"), done])?;
    }
    Ok(())
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// One worker's connection to the database.
#[derive(Debug)]
pub(super) struct Database(Connection);

impl Database {
    /// Opens the database that [`seed`] made.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_MAX)?;
        connection.pragma_update(None, "synchronous", "normal")?;
        Ok(Self(connection))
    }

    /// The user whose token this is.
    pub(super) fn user(&self, token: &str) -> rusqlite::Result<Option<u32>> {
        self.0
            .prepare_cached("SELECT id FROM users WHERE token_hash = ?1")?
            .query_row([hash(token)], |row| row.get(0))
            .optional()
    }

    /// Whether the user's role has the permission.
    pub(super) fn allows(&self, user: u32, permission: Permission) -> rusqlite::Result<bool> {
        self.0
            .prepare_cached(
                "SELECT 1 FROM users JOIN permissions USING (role) \
                 WHERE users.id = ?1 AND permissions.action = ?2",
            )?
            .exists(params![user, permission.name()])
    }

    /// The project's newest tasks; none where there is no such project.
    pub(super) fn list(&self, project: u32) -> rusqlite::Result<Option<Vec<Task>>> {
        let tasks: Vec<Task> = self
            .0
            .prepare_cached(
                "SELECT id, project, title, done FROM tasks WHERE project = ?1 \
                 ORDER BY id DESC LIMIT ?2",
            )?
            .query_map([project, LIST_MAX], task)?
            .collect::<rusqlite::Result<_>>()?;
        let known = !tasks.is_empty() || self.closed(project)?.is_some();
        Ok(known.then_some(tasks))
    }

    /// A new task; none where there is no such project.
    pub(super) fn create(&self, project: u32, title: &str) -> rusqlite::Result<Option<Task>> {
        if self.closed(project)?.is_none() {
            return Ok(None);
        }
        self.0
            .prepare_cached(
                "INSERT INTO tasks (project, title) VALUES (?1, ?2) \
                 RETURNING id, project, title, done",
            )?
            .query_row(params![project, title], task)
            .optional()
    }

    /// The task with its title or its state changed; none where there is none.
    pub(super) fn update(
        &self,
        id: u32,
        title: Option<&str>,
        done: Option<bool>,
    ) -> rusqlite::Result<Option<Task>> {
        self.0
            .prepare_cached(
                "UPDATE tasks SET title = coalesce(?2, title), done = coalesce(?3, done) \
                 WHERE id = ?1 RETURNING id, project, title, done",
            )?
            .query_row(params![id, title, done], task)
            .optional()
    }

    /// Closes the project, if it is not closed; false where there is none.
    pub(super) fn close(&self, project: u32) -> rusqlite::Result<bool> {
        // A project that is closed already is not written again.
        if let Some(closed) = self.closed(project)? {
            if !closed {
                self.0
                    .prepare_cached("UPDATE projects SET closed = 1 WHERE id = ?1")?
                    .execute([project])?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether the project is closed; none where there is none.
    fn closed(&self, project: u32) -> rusqlite::Result<Option<bool>> {
        self.0
            .prepare_cached("SELECT closed FROM projects WHERE id = ?1")?
            .query_row([project], |row| row.get(0))
            .optional()
    }

    /// Reads something, to see that the database answers.
    pub(super) fn touch(&self) -> rusqlite::Result<()> {
        self.0
            .prepare_cached("SELECT count(*) FROM permissions")?
            .query_row([], |_| Ok(()))
    }
}

fn task(row: &rusqlite::Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        id: row.get(0)?,
        project: row.get(1)?,
        title: row.get(2)?,
        done: row.get(3)?,
    })
}
