//! Waits until a socket is ready, an instant has come or a command has arrived.
//!
//! One epoll with edge-triggered sockets, a timerfd and an eventfd. The timer
//! is a timerfd and not the wait's own timeout, which this machine's kernel
//! interface rounds to milliseconds: arrivals are to be met within
//! microseconds.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, read, write};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::clock::Clock;
use crate::units::Nanos;

/// Token of the timer; a socket's is made of two numbers that never reach it.
const TIMER: u64 = u64::MAX;
/// Token of the eventfd that wakes the loop for a command.
const WAKE: u64 = u64::MAX - 1;
/// Events taken at a time: enough for one wake-up, few enough to look at the time between.
const EVENTS_MAX: usize = 256;

/// No time to wait.
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// What a wait brought.
#[derive(Default)]
pub(super) struct Ready {
    events: Vec<Event>,
    /// Whether somebody asked for attention.
    pub(super) woken: bool,
}

impl Ready {
    /// Tokens of ready sockets with what they are ready for.
    pub(super) fn sockets(&self) -> impl Iterator<Item = (u64, EventFlags)> + '_ {
        self.events
            .iter()
            .map(|event| (event.data.u64(), event.flags))
            .filter(|(token, _)| *token < WAKE)
    }
}

/// The way to wake a [`Poller`] from another thread.
#[derive(Debug)]
pub(super) struct Waker(OwnedFd);

impl Waker {
    pub(super) fn wake(&self) {
        // It only fails when the counter is full, and then the loop is awake.
        let _ = write(&self.0, &1u64.to_ne_bytes());
    }
}

#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    timer: OwnedFd,
    wake: OwnedFd,
    clock: Clock,
    armed: Option<Nanos>,
}

impl Poller {
    /// A poller whose instants are those of `clock`, and the way to wake it.
    pub(super) fn new(clock: Clock) -> Result<(Self, Waker), Errno> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let edge = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), edge)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), edge)?;
        let waker = Waker(rustix::io::fcntl_dupfd_cloexec(&wake, 0)?);
        let poller = Self {
            epoll,
            timer,
            wake,
            clock,
            armed: None,
        };
        Ok((poller, waker))
    }

    /// Watches a socket for bytes and for its end; where `writing`, also for room to write.
    pub(super) fn add(&self, socket: impl AsFd, token: u64, writing: bool) -> Result<(), Errno> {
        epoll::add(
            &self.epoll,
            socket,
            EventData::new_u64(token),
            interest(writing),
        )
    }

    /// Watches a socket for room to write as well from now on.
    pub(super) fn watch_writing(&self, socket: impl AsFd, token: u64) -> Result<(), Errno> {
        epoll::modify(
            &self.epoll,
            socket,
            EventData::new_u64(token),
            interest(true),
        )
    }

    /// Waits until something is ready or `until` has come.
    pub(super) fn wait(&mut self, until: Nanos, ready: &mut Ready) -> Result<(), Errno> {
        self.arm(until)?;
        self.take(None, ready)
    }

    /// Waits until `until` has come or somebody asks for attention, whatever
    /// the sockets do, and then takes all that is ready.
    pub(super) fn sleep(&mut self, until: Nanos, ready: &mut Ready) -> Result<(), Errno> {
        self.arm(until)?;
        let mut clocks = [
            PollFd::new(&self.timer, PollFlags::IN),
            PollFd::new(&self.wake, PollFlags::IN),
        ];
        match poll(&mut clocks, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        // Reading makes the timer quiet until it is set again.
        let _ = read(&self.timer, &mut [0u8; 8]);
        self.look(ready)
    }

    /// Takes what is ready, and waits for nothing.
    pub(super) fn look(&mut self, ready: &mut Ready) -> Result<(), Errno> {
        self.take(Some(&AT_ONCE), ready)
    }

    fn take(&mut self, mut timeout: Option<&Timespec>, ready: &mut Ready) -> Result<(), Errno> {
        ready.events.clear();
        ready.events.reserve(EVENTS_MAX);
        loop {
            match epoll::wait(&self.epoll, spare_capacity(&mut ready.events), timeout) {
                Ok(_) => break,
                // Who was stopped in a wait is told nothing but this (signal(7)), though much
                // may have come.
                Err(Errno::INTR) => timeout = Some(&AT_ONCE),
                Err(error) => return Err(error),
            }
        }
        ready.woken = ready.events.iter().any(|event| event.data.u64() == WAKE);
        if ready.woken {
            // The count does not matter; reading it makes the next one an edge again.
            let _ = read(&self.wake, &mut [0u8; 8]);
        }
        Ok(())
    }

    /// Sets the timer; setting it to where it stands would be a system call for nothing.
    fn arm(&mut self, until: Nanos) -> Result<(), Errno> {
        if self.armed == Some(until) {
            return Ok(());
        }
        let instant = self.clock.origin().saturating_add(until.0);
        let value = Timespec {
            tv_sec: i64::try_from(instant / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(instant % 1_000_000_000).unwrap_or(0),
        };
        let never = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let setting = Itimerspec {
            it_interval: never,
            it_value: value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &setting)?;
        self.armed = Some(until);
        Ok(())
    }
}

fn interest(writing: bool) -> EventFlags {
    let reading = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
    if writing {
        reading | EventFlags::OUT
    } else {
        reading
    }
}
