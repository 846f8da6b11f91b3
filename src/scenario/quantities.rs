//! Quantities that only scenario files have: texts that narrow or join those of
//! [`crate::units`] and [`crate::model`].

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::model::{AlertRule, Signal, Trigger, Url, is_loopback};
use crate::units::{ClockTime, Nanos, Ratio, UnitError};

/// A duration that is not zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Positive(pub(super) Nanos);

impl FromStr for Positive {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match text.parse()? {
            Nanos::ZERO => Err(UnitError::new(
                text,
                "a duration above zero, for example \"500ms\"",
            )),
            duration => Ok(Self(duration)),
        }
    }
}

impl fmt::Display for Positive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A share of a whole: never above 100 %.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share(pub(super) Ratio);

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let ratio: Ratio = text.parse()?;
        if ratio > Ratio::WHOLE {
            return Err(UnitError::new(
                text,
                "a share between 0 % and 100 %, for example \"45 %\"",
            ));
        }
        Ok(Self(ratio))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instant: since the start of the run, or a time of the story's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Run(Nanos),
    Story(ClockTime),
}

impl FromStr for Moment {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parsed = if text.contains(':') {
            text.parse().map(Self::Story)
        } else {
            text.parse().map(Self::Run)
        };
        parsed.map_err(|_| {
            UnitError::new(
                text,
                "an instant: a time of the story's day, for example \"16:30\", \
                 or a duration since the start of the run, for example \"18s\"",
            )
        })
    }
}

/// What an alert watches, and the threshold it fires above.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    pub(super) signal: Signal,
    pub(super) above: Ratio,
}

impl FromStr for Condition {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let expected = "a condition: `error share`, `probe failures` or `saturation`, \
             then `>` and a share, for example \"error share > 50 %\"";
        let parse = || {
            let (signal, above) = text.split_once('>')?;
            let (signal, _) = Signal::ALL
                .into_iter()
                .find(|(_, name)| *name == signal.trim())?;
            let above: Share = above.parse().ok()?;
            Some(Self {
                signal,
                above: above.0,
            })
        };
        parse().ok_or_else(|| UnitError::new(text, expected))
    }
}

/// The event that an entry waits for.
#[derive(Debug, Clone)]
pub(super) struct After(pub(super) Trigger);

impl FromStr for After {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let trigger = match text.trim() {
            "rollback rejected" => Trigger::RollbackRejected,
            "rollback applied" => Trigger::RollbackApplied,
            "restarted" => Trigger::Restarted,
            other => match other.strip_prefix("alert ").map(str::trim) {
                Some(name) if !name.is_empty() => Trigger::Alert(name.to_owned()),
                _ => {
                    return Err(UnitError::new(
                        text,
                        "an event: \"rollback rejected\", \"rollback applied\", \"restarted\" \
                         or \"alert NAME\"",
                    ));
                }
            },
        };
        Ok(Self(trigger))
    }
}

/// A port of this machine that datagrams are received on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loopback(pub(super) SocketAddr);

impl FromStr for Loopback {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        // Anybody who reaches the port can say anything: nobody else may.
        let address = text.parse::<SocketAddr>().ok();
        let address = address.filter(|it| is_loopback(it.ip()) && it.port() > 0);
        address.map(Self).ok_or_else(|| {
            UnitError::new(
                text,
                "a loopback address with a port, for example \"127.0.0.1:8125\"",
            )
        })
    }
}

/// The path of a probe.
#[derive(Debug, Clone)]
pub(super) struct ProbePath(pub(super) String);

impl FromStr for ProbePath {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        // What a request line can hold: no spaces, nothing that ends the line.
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.starts_with('/') && visible {
            return Ok(Self(text.to_owned()));
        }
        Err(UnitError::new(
            text,
            "a path that begins with `/`, without spaces, for example \"/readyz?deep=true\"",
        ))
    }
}

/// A condition that must have held for a time: `error share > 50 % for 30s`.
#[derive(Debug, Clone, Copy)]
pub(super) struct StopCondition {
    condition: Condition,
    hold: Nanos,
}

impl StopCondition {
    /// The rule; it is called as it is written.
    pub(super) fn rule(&self) -> AlertRule {
        AlertRule {
            name: self.to_string(),
            signal: self.condition.signal,
            above: self.condition.above,
            hold: self.hold,
        }
    }
}

impl FromStr for StopCondition {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parse = || {
            let (condition, hold) = text.rsplit_once(" for ")?;
            Some(Self {
                condition: condition.parse().ok()?,
                hold: hold.trim().parse().ok()?,
            })
        };
        parse().ok_or_else(|| {
            UnitError::new(
                text,
                "a condition and for how long it must have held, for example \
                 \"error share > 50 % for 30s\"",
            )
        })
    }
}

impl fmt::Display for StopCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = self.condition.signal.word();
        write!(f, "{signal} > {} for {}", self.condition.above, self.hold)
    }
}

/// A word of capital letters, as methods are.
fn method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `POST http://127.0.0.1:9000/deploy`
#[derive(Debug, Clone)]
pub(super) struct UrlRequest {
    pub(super) method: String,
    pub(super) url: Url,
}

impl FromStr for UrlRequest {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError::new(
                text,
                "a method and a URL of http or https, for example \"POST \
                 http://127.0.0.1:9000/deploy\"",
            )
        };
        let (method_text, url) = text.split_once(' ').ok_or_else(wrong)?;
        let url: Url = url.trim().parse().map_err(|_| wrong())?;
        if !method(method_text) {
            return Err(wrong());
        }
        Ok(Self {
            method: method_text.to_owned(),
            url,
        })
    }
}

/// `GET /health`, or with a whole URL.
#[derive(Debug, Clone)]
pub(super) struct ReadyCheck {
    pub(super) method: String,
    pub(super) at: ReadyAt,
}

/// Where a ready check asks.
#[derive(Debug, Clone)]
pub(super) enum ReadyAt {
    /// At this path of the target's own URL.
    Path(String),
    /// At a URL of its own.
    Url(Url),
}

impl FromStr for ReadyCheck {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parse = || {
            let (method_text, place) = text.split_once(' ')?;
            let place = place.trim();
            let at = match place.parse::<ProbePath>() {
                Ok(path) => ReadyAt::Path(path.0),
                Err(_) => ReadyAt::Url(place.parse().ok()?),
            };
            method(method_text).then(|| Self {
                method: method_text.to_owned(),
                at,
            })
        };
        parse().ok_or_else(|| {
            UnitError::new(
                text,
                "a method and a path, or a URL, for example \"GET /health\"",
            )
        })
    }
}
