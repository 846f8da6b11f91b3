//! Proxies: what `[[proxy]]` says, and what the timeline does to what passes them.

use serde_json::json;

use super::file::{self, ActionEntry, BreakageName, File};
use super::leaf::Spanned;
use super::meaning::Reader;
use crate::model::fault::{Hold, Mode, ProxyFault};
use crate::model::{Action, Breakage, Front, HostPort, Proxied, ProxyAction, Site, When};
use crate::plan::Entry;
use crate::units::{Nanos, Ratio};

/// The proxies of a target that serves at these sites.
pub(super) fn read(reader: &mut Reader, file: &File, sites: &[Site]) -> Vec<Proxied> {
    let names: Vec<_> = file.proxy.iter().map(|it| it.value.name.clone()).collect();
    reader.unique("proxy", names.iter());
    let mut in_front = false;
    let mut listening: Vec<HostPort> = Vec::new();
    let mut proxies = Vec::new();
    for placed in &file.proxy {
        let keys = &placed.value;
        let listen = keys.listen.as_ref().map(|listen| listen.value.0.clone());
        if let (Some(at), Some(listen)) = (&keys.listen, &listen) {
            let serves = |site: &Site| site.url.host == listen.host && site.url.port == listen.port;
            if listening.contains(listen) {
                let message = format!("another proxy listens on {listen}");
                reader.report(at, message, "taken", "give it a port of its own");
            } else if sites.iter().any(serves) {
                let message = format!("the target serves on {listen}");
                reader.report(at, message, "taken", "give the proxy a port of its own");
            }
            listening.push(listen.clone());
        }
        let front = match (&keys.to, listen) {
            (Some(to), Some(listen)) if to.value.0 == listen => {
                let message = format!("this proxy leads to {listen}, where it listens itself");
                reader.report(to, message, "a circle", "write where the dependency is");
                continue;
            }
            (Some(to), Some(listen)) => Front::Dependency {
                listen,
                to: to.value.0.clone(),
            },
            (Some(_), None) => {
                if !reader.was_taken_out(placed, &["listen"]) {
                    reader.report(
                        placed,
                        "a proxy of a dependency lacks the key `listen`",
                        "where?",
                        "add `listen = \"127.0.0.1:15432\"`, and let the target connect there",
                    );
                }
                continue;
            }
            (None, listen) => {
                if reader.was_taken_out(placed, &["to"]) {
                    continue;
                }
                one_in_front(reader, placed, sites, in_front);
                in_front = true;
                Front::Target(listen)
            }
        };
        let Some(name) = &keys.name else { continue };
        proxies.push(Proxied {
            name: name.value.clone(),
            front,
            mode: keys.mode.0,
        });
    }
    proxies
}

/// Reports what cannot stand in front of the target.
fn one_in_front(reader: &mut Reader, placed: &Spanned<file::Proxy>, sites: &[Site], second: bool) {
    if second {
        reader.report(
            placed,
            "another proxy stands in front of the target",
            "second",
            "keep one of them, or say with `to` what this one leads to",
        );
    }
    if sites.len() > 1 {
        reader.report(
            placed,
            "a proxy in front of the target needs one `url`, and there are several",
            "which?",
            "name one `url` in [target], or say with `to` what the proxy leads to",
        );
    }
    if placed.value.mode.0 == Mode::Http && sites.iter().any(|site| site.url.encrypted) {
        reader.report(
            placed,
            "`mode = \"http\"` cannot read what is sent under https",
            "encrypted",
            "take `mode` out: faults of connections work",
        );
    }
}

/// A fault, an occupation, or the end of one; none where it has a mistake.
pub(super) fn action(
    reader: &mut Reader,
    entry: &Spanned<file::Entry>,
    action: &ActionEntry,
) -> Option<Action> {
    Some(match action {
        ActionEntry::Fault { proxy, .. } => {
            let (name, breakage) = breakage(reader, entry, action)?;
            Action::Proxy(ProxyAction::Fault {
                proxy: proxy.clone()?,
                name,
                breakage,
            })
        }
        ActionEntry::Occupy {
            hold,
            path,
            connections,
            every,
            name,
        } => {
            if hold.0 == Hold::SlowEndpoint && path.is_none() {
                reader.report(
                    entry,
                    "`hold = \"slow-endpoint\"` lacks the key `path`: which endpoint is slow?",
                    "incomplete",
                    "add `path = \"/report\"`, of an endpoint that keeps a worker busy",
                );
            }
            let path = path.as_deref().unwrap_or("/");
            if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
                reader.report(
                    entry,
                    format!(
                        "`path` is `{}`, which cannot be asked for",
                        path.escape_debug()
                    ),
                    "no path",
                    "a path begins with / and has no blanks, such as \"/report?year=2020\"",
                );
            }
            if every.0.0 < Nanos::from_millis(1) {
                let message = format!("`every` is {}, and the shortest pause is 1ms", every.0.0);
                reader.report(entry, message, "too short", "write at least \"1ms\"");
            }
            Action::Proxy(ProxyAction::Occupy {
                name: name.clone(),
                hold: hold.0,
                path: path.to_owned(),
                connections: (*connections)?,
                every: every.0.0,
            })
        }
        ActionEntry::Undo { name } => Action::Proxy(ProxyAction::Undo {
            name: name.clone()?,
        }),
        _ => return None,
    })
}

/// How an entry breaks what passes a proxy, and the name of that.
fn breakage(
    reader: &mut Reader,
    entry: &Spanned<file::Entry>,
    action: &ActionEntry,
) -> Option<(String, Breakage)> {
    let ActionEntry::Fault {
        fault,
        with,
        stream,
        share,
        name,
        ..
    } = action
    else {
        return None;
    };
    let fault = (*fault)?.0;
    if fault == BreakageName::DOWN {
        let none = serde_json::to_value(with).is_ok_and(|with| with == json!({}));
        if !none || stream.is_some() || share.is_some() {
            reader.report(
                entry,
                "a proxy is down for everybody in both directions, and has no attributes",
                "too much",
                "take `with`, `stream` and `share` out",
            );
        }
        let name = name.clone().unwrap_or_else(|| fault.0.to_owned());
        return Some((name, Breakage::Down));
    }
    let kind = fault.0;
    let sent = json!({
        "type": kind,
        "name": name,
        "stream": stream.map(|stream| stream.0.name()),
        "toxicity": share.map_or(Ratio::WHOLE, |share| share.0.0).get(),
        "attributes": with,
    });
    match ProxyFault::read(&sent) {
        Ok(fault) => Some((fault.name.clone(), Breakage::Fault(fault))),
        Err(cause) => {
            reader.report(
                entry,
                format!("the fault `{kind}` is not possible: {cause}"),
                "a mistake in `with`",
                "see the attributes of each fault in docs/PROXY.md",
            );
            None
        }
    }
}

/// Reports entries of the timeline that name no proxy, a fault that it cannot
/// have, or nothing that could be undone.
pub(super) fn fits(reader: &mut Reader, file: &File, timeline: &[Option<Entry>]) {
    for (place, entry) in file.timeline.iter().zip(timeline) {
        match entry.as_ref().map(|entry| &entry.action) {
            Some(Action::Proxy(ProxyAction::Fault {
                proxy, breakage, ..
            })) => fits_proxy(reader, file, place, proxy, breakage),
            Some(Action::Proxy(ProxyAction::Undo { name })) => {
                fits_undo(reader, file, place, name, timeline);
            }
            _ => {}
        }
    }
    names_apart(reader, file, timeline);
}

fn fits_proxy(
    reader: &mut Reader,
    file: &File,
    place: &Spanned<file::Entry>,
    name: &str,
    breakage: &Breakage,
) {
    let of = |proxy: &Spanned<file::Proxy>| proxy.value.name.as_ref().map(|it| it.value.clone());
    // One whose name could not be read may be it.
    if reader.file_lacks("proxy") || file.proxy.iter().any(|proxy| of(proxy).is_none()) {
        return;
    }
    let Some(proxy) = file
        .proxy
        .iter()
        .find(|proxy| of(proxy).as_deref() == Some(name))
    else {
        let known: Vec<String> = file.proxy.iter().filter_map(of).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        reader.unknown("proxy", &named(place, name), &known);
        return;
    };
    if let Breakage::Fault(fault) = breakage
        && fault.effect.matching().is_some()
        && proxy.value.mode.0 == Mode::Tcp
    {
        reader.report(
            place,
            format!(
                "`{}` meets HTTP requests, and the proxy `{name}` reads bytes only",
                fault.effect.kind()
            ),
            "needs HTTP",
            format!("add `mode = \"http\"` to the [[proxy]] `{name}`"),
        );
    }
}

fn fits_undo(
    reader: &mut Reader,
    file: &File,
    place: &Spanned<file::Entry>,
    name: &str,
    timeline: &[Option<Entry>],
) {
    // What could not be read may be what is undone.
    if reader.file_lacks("timeline") || timeline.iter().any(Option::is_none) {
        return;
    }
    let known: Vec<&str> = timeline
        .iter()
        .flatten()
        .filter_map(brings)
        .map(|(name, _)| name)
        .collect();
    let own = file.timeline.iter().position(|it| it.span == place.span);
    let own = own.and_then(|own| Some((own, timeline.get(own)?.as_ref()?)));
    let before = |index: usize, entry: &Entry| match (&entry.when, own.map(|(_, own)| &own.when)) {
        (When::At(at), Some(When::At(end))) => {
            (*at, index) < (*end, own.map_or(usize::MAX, |(own, _)| own))
        }
        _ => true,
    };
    let mut brought = timeline.iter().enumerate().filter_map(|(index, entry)| {
        let entry = entry.as_ref()?;
        brings(entry).filter(|(brought, _)| *brought == name && before(index, entry))
    });
    if known.contains(&name) && brought.next().is_none() {
        reader.report(
            place,
            format!("`{name}` is brought only after this undoes it"),
            "too early",
            "put it later than what it undoes",
        );
    }
    if !known.contains(&name) {
        if file.timeline.len() == 1 || known.is_empty() {
            reader.report(
                place,
                format!("`{name}` is brought by no entry, so there is nothing to undo"),
                "nothing to undo",
                "add an entry with `do = \"fault\"` or `do = \"occupy\"` before it",
            );
            return;
        }
        reader.unknown("fault or occupation", &named(place, name), &known);
    }
}

/// What an entry brings that can be undone: its name, and what it is.
fn brings(entry: &Entry) -> Option<(&str, Kind<'_>)> {
    match &entry.action {
        Action::Proxy(ProxyAction::Fault {
            name,
            proxy,
            breakage: Breakage::Down,
        }) => Some((name, Kind::Down(proxy))),
        Action::Proxy(ProxyAction::Fault { name, proxy, .. }) => Some((name, Kind::Fault(proxy))),
        Action::Proxy(ProxyAction::Occupy { name, .. }) => Some((name, Kind::Occupation)),
        _ => None,
    }
}

/// What is brought: one of the same kind takes the place of another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind<'a> {
    Down(&'a str),
    Fault(&'a str),
    Occupation,
}

/// Reports one name for different things (which would be undone?), and two names
/// for a proxy that is down (it is up once either is undone).
fn names_apart(reader: &mut Reader, file: &File, timeline: &[Option<Entry>]) {
    let mut seen: Vec<(&str, Kind<'_>)> = Vec::new();
    for (place, entry) in file.timeline.iter().zip(timeline) {
        let Some((name, kind)) = entry.as_ref().and_then(brings) else {
            continue;
        };
        if seen.iter().any(|(other, is)| *other == name && *is != kind) {
            reader.report(
                place,
                format!("something else is called `{name}`, and it acts elsewhere"),
                "taken",
                "add a `name` of its own, so that it can be undone by it",
            );
        }
        if let Kind::Down(proxy) = kind
            && let Some((other, _)) = seen
                .iter()
                .find(|(other, is)| *is == kind && *other != name)
        {
            reader.report(
                place,
                format!("`{proxy}` is taken down as `{other}` elsewhere, and as `{name}` here"),
                "second name",
                format!("call it `{other}` here too: a proxy is down once"),
            );
        }
        seen.push((name, kind));
    }
}

fn named(place: &Spanned<file::Entry>, name: &str) -> Spanned<String> {
    Spanned {
        value: name.to_owned(),
        span: place.span.clone(),
    }
}
