//! Proxies: what `[[proxy]]` says, and what the timeline does to what passes them.

use std::collections::BTreeMap;

use super::file::{self, ActionEntry, File};
use super::leaf::Spanned;
use super::meaning::Reader;
use crate::model::fault::{AttributeMistake, Effect, Hold, Mode, ProxyFault, Stream};
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
                reads_the_protocol(reader, file, placed);
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

/// Reports a proxy that cannot read what users send through it.
fn reads_the_protocol(reader: &mut Reader, file: &File, placed: &Spanned<file::Proxy>) {
    let http2 = file
        .target
        .as_ref()
        .is_some_and(|target| target.value.http2);
    if http2 && placed.value.mode.0 == Mode::Http {
        reader.report(
            &reader.key(placed, &["mode"]),
            "`mode = \"http\"` reads HTTP/1.1, and the target is loaded over HTTP/2",
            "HTTP/2",
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
                    &reader.key(entry, &["path"]),
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
                let every = reader.key(entry, &["every"]);
                reader.report(&every, message, "too short", "write at least \"1ms\"");
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
    let kind = (*fault)?.0.0;
    let Some(mut effect) = Effect::of(kind) else {
        if !with.0.is_empty() || stream.is_some() || share.is_some() {
            reader.report(
                entry,
                "a proxy is down for everybody in both directions, and has no attributes",
                "too much",
                "take `with`, `stream` and `share` out",
            );
        }
        let name = name.clone().unwrap_or_else(|| kind.to_owned());
        return Some((name, Breakage::Down));
    };
    let mistakes = effect.set(with.0.clone());
    for AttributeMistake { name, sentence } in &mistakes {
        reader.report(
            &reader.key(entry, &["with", name]),
            format!("`{name}` of the fault `{kind}` is not possible: {sentence}"),
            "not possible",
            "see the attributes of each fault in docs/PROXY.md",
        );
    }
    if !mistakes.is_empty() {
        return None;
    }
    let stream = stream.map_or(Stream::Downstream, |stream| stream.0);
    let mut fault = ProxyFault::of(effect, stream);
    fault.toxicity = share.map_or(Ratio::WHOLE, |share| share.0.0).get();
    if let Some(name) = name.as_ref().filter(|name| !name.is_empty()) {
        fault.name.clone_from(name);
    }
    Some((fault.name.clone(), Breakage::Fault(fault)))
}

/// Reports entries of the timeline that name no proxy, a fault that it cannot
/// have, or nothing that could be undone.
pub(super) fn fits(reader: &mut Reader, file: &File, timeline: &[Option<Entry>]) {
    let proxies = named_proxies(reader, file);
    let brought = brought(timeline);
    // What could not be read may be what is undone.
    let complete = !reader.file_lacks("timeline") && timeline.iter().all(Option::is_some);
    for (index, (place, entry)) in file.timeline.iter().zip(timeline).enumerate() {
        let Some(entry) = entry else { continue };
        match &entry.action {
            Action::Proxy(ProxyAction::Fault {
                proxy, breakage, ..
            }) => {
                if let Some(proxies) = &proxies {
                    fits_proxy(reader, proxies, place, proxy, breakage);
                }
            }
            Action::Proxy(ProxyAction::Undo { name }) if complete => {
                fits_undo(reader, &brought, place, name, (&entry.when, index));
            }
            _ => {}
        }
    }
    names_apart(reader, file, timeline);
}

/// The modes of the proxies by their names; none where one has a name that could not
/// be read.
fn named_proxies<'a>(reader: &Reader, file: &'a File) -> Option<BTreeMap<&'a str, Mode>> {
    let proxies = file.proxy.iter().map(|proxy| {
        let name = proxy.value.name.as_ref()?;
        Some((name.value.as_str(), proxy.value.mode.0))
    });
    let named: Option<_> = proxies.collect();
    named.filter(|_| !reader.file_lacks("proxy"))
}

fn fits_proxy(
    reader: &mut Reader,
    proxies: &BTreeMap<&str, Mode>,
    place: &Spanned<file::Entry>,
    name: &str,
    breakage: &Breakage,
) {
    let Some(mode) = proxies.get(name) else {
        let known: Vec<&str> = proxies.keys().copied().collect();
        let at = reader.key(place, &["proxy"]);
        reader.unknown("proxy", &at, name, &known);
        return;
    };
    if let Breakage::Fault(fault) = breakage
        && fault.effect.matching().is_some()
        && *mode == Mode::Tcp
    {
        reader.report(
            &reader.key(place, &["fault"]),
            format!(
                "`{}` needs HTTP, but the proxy `{name}` is in TCP mode",
                fault.effect.kind()
            ),
            "needs HTTP",
            format!("add `mode = \"http\"` to the [[proxy]] `{name}`"),
        );
    }
}

/// What entries bring that can be undone, and when each is brought first; none: after
/// an event, which may come at any time.
type Brought<'a> = BTreeMap<&'a str, Option<(Nanos, usize)>>;

fn brought(timeline: &[Option<Entry>]) -> Brought<'_> {
    let mut brought = Brought::new();
    for (index, entry) in timeline.iter().enumerate() {
        let Some(entry) = entry else { continue };
        let Some((name, _)) = brings(entry) else {
            continue;
        };
        let instant = match entry.when {
            When::At(at) => Some((at, index)),
            When::After { .. } | When::Offered => None,
        };
        let first = brought.entry(name).or_insert(instant);
        *first = (*first).min(instant);
    }
    brought
}

fn fits_undo(
    reader: &mut Reader,
    brought: &Brought<'_>,
    place: &Spanned<file::Entry>,
    name: &str,
    (when, index): (&When, usize),
) {
    match (brought.get(name), when) {
        (Some(Some(first)), When::At(end)) if *first > (*end, index) => reader.report(
            place,
            format!("`{name}` is injected only after this entry undoes it"),
            "too early",
            "put it later than what it undoes",
        ),
        (Some(_), _) => {}
        (None, _) if brought.is_empty() => reader.report(
            place,
            format!("no entry injects `{name}`, so there is nothing to undo"),
            "nothing to undo",
            "add an entry with `do = \"fault\"` or `do = \"occupy\"` before it",
        ),
        (None, _) => {
            let names: Vec<&str> = brought.keys().copied().collect();
            let at = reader.key(place, &["name"]);
            reader.unknown("fault or occupation", &at, name, &names);
        }
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
    let mut kinds: BTreeMap<&str, Kind<'_>> = BTreeMap::new();
    let mut down: BTreeMap<&str, &str> = BTreeMap::new();
    for (place, entry) in file.timeline.iter().zip(timeline) {
        let Some((name, kind)) = entry.as_ref().and_then(brings) else {
            continue;
        };
        if *kinds.entry(name).or_insert(kind) != kind {
            reader.report(
                place,
                format!("something else is called `{name}`, and it acts elsewhere"),
                "taken",
                "add a `name` of its own, so that it can be undone by it",
            );
        }
        let Kind::Down(proxy) = kind else { continue };
        let first = *down.entry(proxy).or_insert(name);
        if first != name {
            reader.report(
                place,
                format!("`{proxy}` is taken down as `{first}` elsewhere, and as `{name}` here"),
                "second name",
                format!("call it `{first}` here too: a proxy is down once"),
            );
        }
    }
}
