//! How a mutex is locked here: whether or not a thread panicked while it held it.
//!
//! In a process of the fleet a panic ends the whole process, and elsewhere what is
//! locked is only ever replaced as a whole, so the content is good. What it does
//! not do: wait with a bound.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The mutex's content, also after a panic of who held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
