//! The user's target: what `[target]`, `[[hook]]` and the
//! operations of `[load]` say of it together, and what can be done to it.

use std::path::{Path, PathBuf};

use super::diagnostics::Mistake;
use super::file::{self, File};
use super::leaf::Spanned;
use super::meaning::Reader;
use super::operations;
use super::proxies;
use super::quantities::ReadyAt;
use crate::model::fault::Hold;
use crate::model::{
    Action, Call, Called, Command, ExpectedAnswer, Hook, HttpWork, Origin, ProxyAction, Ready,
    ServiceAction, Site, Step, TargetAction, TargetSpec, Url,
};
use crate::plan::Entry;
use crate::units::Nanos;

/// The user's target that a file names; none where it is the fleet.
pub(super) fn read(reader: &mut Reader, file: &File) -> Option<TargetSpec> {
    let Some(placed) = other(reader, file) else {
        of_the_fleet(reader, file);
        return None;
    };
    one_target(reader, placed);
    let target = &placed.value;
    let sites = sites(reader, target);
    let ready = ready(target, &sites);
    let work = work(reader, file, &sites);
    let hooks = hooks(reader, file);
    let proxies = proxies::read(reader, file, &sites);
    let streams = streams(reader, file, placed);
    of_the_target(reader, file);
    Some(TargetSpec {
        origin: origin(reader, target),
        ready,
        work,
        hooks,
        proxies,
        folder: here(&reader.folder),
        ca: target.ca.as_ref().map(|ca| reader.folder.join(ca)),
        streams,
        sites,
    })
}

/// A folder that can be entered: the empty path is this one.
fn here(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() {
        return PathBuf::from(".");
    }
    folder.to_owned()
}

/// Whether a file names the user's target.
pub(super) fn names_one(reader: &Reader, file: &File) -> bool {
    other(reader, file).is_some()
}

/// Whether a file names a process of this machine as its target.
pub(super) fn has_process(reader: &Reader, file: &File) -> bool {
    other(reader, file).is_some_and(|target| is_a_process(reader, target))
}

/// The keys that name where the target serves, and those that name its process.
const PLACES: &[&str] = &["url", "urls"];
const PROCESSES: &[&str] = &["command", "pid", "port"];

/// The target, where it is not the fleet; also where the key that names it was found
/// wrong and taken out.
fn other<'a>(reader: &Reader, file: &'a File) -> Option<&'a Spanned<file::Target>> {
    file.target.as_ref().filter(|placed| {
        let target = &placed.value;
        target.url.is_some()
            || target.urls.is_some()
            || is_a_process(reader, placed)
            || reader.was_taken_out(placed, PLACES)
    })
}

/// Whether the target is a process of this machine, or may be one.
fn is_a_process(reader: &Reader, placed: &Spanned<file::Target>) -> bool {
    let target = &placed.value;
    let named = target.command.is_some() || target.pid.is_some() || target.port.is_some();
    named || reader.was_taken_out(placed, PROCESSES)
}

/// What only the user's target can have.
fn of_the_fleet(reader: &mut Reader, file: &File) {
    // What was taken out may have named another.
    if reader.file_lacks("target") {
        return;
    }
    let Some(placed) = &file.load else { return };
    let load = &placed.value;
    if load.mix.is_none() && !reader.was_taken_out(placed, &["mix"]) {
        reader.report(
            placed,
            "[load] lacks the key `mix`",
            "incomplete",
            "add `mix = [{ weight = 1, request = \"list tasks\", role = \"viewer\" }]`: what \
             operations ask the built-in fleet for",
        );
    }
    let over_http2 = "the built-in fleet speaks HTTP/1.1";
    let http2 = file.target.as_ref().filter(|target| target.value.http2);
    let by_mix = "the built-in fleet is loaded by `mix`, not by operations of your own";
    let only_a_target = [
        (
            http2.map(|target| reader.key(target, &["http2"])),
            over_http2,
        ),
        (load.streams.as_ref().map(Spanned::at), over_http2),
        (load.operation.as_ref().map(Spanned::at), by_mix),
        (load.operations.as_ref().map(Spanned::at), by_mix),
        (
            file.proxy.first().map(Spanned::at),
            "proxies are for a target of your own",
        ),
        (
            file.hook.first().map(Spanned::at),
            "hooks are for a target of your own",
        ),
    ];
    for (at, message) in only_a_target {
        if let Some(at) = at {
            reader.report(
                &at,
                message,
                "not for the fleet",
                "remove it, or name a target: `[target]` with `url = \"http://127.0.0.1:8000\"`",
            );
        }
    }
}

fn of_the_target(reader: &mut Reader, file: &File) {
    let Some(load) = &file.load else { return };
    if let Some(mix) = &load.value.mix {
        reader.report(
            mix,
            "`mix` is for the built-in fleet",
            "not for this target",
            "write [[load.operation]] with its steps instead, see docs/LOAD.md",
        );
    }
}

/// Reports a second target.
fn one_target(reader: &mut Reader, placed: &Spanned<file::Target>) {
    let target = &placed.value;
    let mut urls = Vec::new();
    urls.extend(target.url.as_ref().map(Spanned::at));
    urls.extend(target.urls.as_ref().map(Spanned::at));
    if let [_, second] = urls.as_slice() {
        let second = second.clone();
        reader.report(
            &second,
            "a target has one `url`, or `urls`",
            "second",
            "keep one of them",
        );
    }
    let mut held = Vec::new();
    held.extend(target.command.as_ref().map(Spanned::at));
    held.extend(target.pid.as_ref().map(Spanned::at));
    held.extend(target.port.as_ref().map(Spanned::at));
    if let Some(second) = held.get(1).cloned() {
        let message = "a target is found by one of `command`, `pid` and `port`";
        reader.report(&second, message, "second", "keep one of them");
    }
    if let Some(fleet) = &target.fleet {
        reader.report(
            fleet,
            "a target is the built-in fleet or your own service, not both",
            "second target",
            "remove [target.fleet], or the keys that name the other",
        );
    }
    if urls.is_empty()
        && let (Some(held), None) = (held.first().cloned(), &target.port)
        && !reader.was_taken_out(placed, &["url", "urls"])
    {
        reader.report(
            &held,
            "[target] lacks the key `url`: where it serves",
            "where?",
            "add `url = \"http://127.0.0.1:8000\"`",
        );
    }
    let of_a_command = [
        (!target.env.is_empty()).then_some("env"),
        target.directory.is_some().then_some("directory"),
    ];
    if let (None, Some(key)) = (&target.command, of_a_command.into_iter().flatten().next())
        && !reader.was_taken_out(placed, &["command"])
    {
        let message = format!("`{key}` is for a command, and [target] has none");
        reader.report(
            placed,
            message,
            "no command",
            format!("add `command`, or remove `{key}`"),
        );
    }
}

fn sites(reader: &mut Reader, target: &file::Target) -> Vec<Site> {
    if let Some(url) = &target.url {
        return vec![Site {
            url: url.value.0.clone(),
            weight: 1,
        }];
    }
    if let Some(urls) = &target.urls {
        if urls.value.is_empty() {
            reader.report(
                urls,
                "`urls` is empty",
                "empty",
                "give it at least one entry",
            );
        }
        let sites = urls.value.iter().filter_map(|site| {
            Some(Site {
                url: site.url.as_ref()?.value.0.clone(),
                weight: site.weight,
            })
        });
        return sites.collect();
    }
    let port = target.port.as_ref().map(|port| port.value);
    let url = port.and_then(|port| format!("http://127.0.0.1:{port}").parse().ok());
    url.map(|url| Site { url, weight: 1 }).into_iter().collect()
}

fn origin(reader: &Reader, target: &file::Target) -> Origin {
    if let Some(words) = &target.command {
        let folder = here(&reader.folder);
        return Origin::Command(Command {
            words: words.value.clone(),
            env: target.env.clone(),
            directory: match &target.directory {
                Some(directory) => folder.join(&directory.value),
                None => folder,
            },
            stop_within: target.stop_within.0.0,
        });
    }
    match (&target.pid, &target.port) {
        (Some(pid), _) => Origin::Process(pid.value),
        (None, Some(port)) => Origin::Port(port.value),
        (None, None) => Origin::Elsewhere,
    }
}

/// Requests at a time on each connection of HTTP/2; none where the target is loaded over
/// HTTP/1.1.
fn streams(reader: &mut Reader, file: &File, placed: &Spanned<file::Target>) -> Option<u32> {
    let load = file.load.as_ref().map(|load| &load.value);
    let stated = load.and_then(|load| load.streams.as_ref());
    if placed.value.http2 {
        return Some(stated.map_or(TargetSpec::STREAMS, |stated| stated.value));
    }
    if let Some(stated) = stated
        && !reader.was_taken_out(placed, &["http2"])
    {
        reader.report(
            stated,
            "`streams` are those of HTTP/2, and the target is loaded over HTTP/1.1",
            "no streams",
            "add `http2 = true` to [target], or remove it",
        );
    }
    None
}

fn ready(target: &file::Target, sites: &[Site]) -> Option<Ready> {
    let check = target.ready.as_ref()?;
    let url: Url = match &check.value.0.at {
        ReadyAt::Url(url) => url.clone(),
        ReadyAt::Path(path) => sites.first()?.url.with_target(path),
    };
    Some(Ready {
        method: check.value.0.method.clone(),
        url,
        within: match (target.ready_within, &target.command) {
            (Some(within), _) => within.0.0,
            (None, Some(_)) => Nanos::from_secs(30),
            (None, None) => Nanos::from_secs(5),
        },
        expect_status: target.ready_status.clone().map(|statuses| statuses.0),
    })
}

/// What users ask for: operations of the file, of another file, or the URL itself.
fn work(reader: &mut Reader, file: &File, sites: &[Site]) -> HttpWork {
    let Some(load) = file.load.as_ref().map(|load| &load.value) else {
        return HttpWork::default();
    };
    match (&load.operation, &load.operations) {
        (Some(_), Some(other)) => {
            reader.report(
                other,
                "operations are in this file or in another, not in both",
                "second",
                "keep [[load.operation]] or `operations`",
            );
            HttpWork::default()
        }
        (Some(operation), None) => {
            let (work, mistakes) =
                operations::inline(&reader.folder, &load.values, &operation.value);
            reader.mistakes.extend(mistakes);
            work
        }
        (None, Some(other)) => {
            let path = reader.folder.join(&other.value);
            match operations::load_operations(&path, false) {
                Ok(work) => work,
                Err(error) => {
                    let message = format!("the operations in {} cannot be used", path.display());
                    reader.mistakes.push(Mistake::elsewhere(
                        other.span.clone(),
                        &message,
                        "has a mistake",
                        &error.to_string(),
                    ));
                    HttpWork::default()
                }
            }
        }
        (None, None) => {
            let target = sites.first().map_or("/", |site| site.url.target.as_str());
            let path = target.split('?').next().unwrap_or_default();
            HttpWork::single(format!("GET {path}"), Step::new("GET", target))
        }
    }
}

fn hooks(reader: &mut Reader, file: &File) -> Vec<Hook> {
    let names: Vec<_> = file
        .hook
        .iter()
        .map(|hook| hook.value.name.clone())
        .collect();
    reader.unique("hook", names.iter());
    let hooks = file.hook.iter().map(|hook| {
        let keys = &hook.value;
        let own = call(reader, hook, "[[hook]]", &keys.call);
        let undo = keys.undo.as_ref();
        let undo = undo.map(|undo| call(reader, undo, "`undo`", &undo.value));
        Some(Hook {
            name: keys.name.as_ref()?.value.clone(),
            call: own?,
            undo: match undo {
                Some(undo) => Some(undo?),
                None => None,
            },
        })
    });
    hooks.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// What a hook does, or what undoes one; none where it has a mistake.
fn call<T>(
    reader: &mut Reader,
    table: &Spanned<T>,
    called: &str,
    keys: &file::Call,
) -> Option<Call> {
    let (what, usual) = match (&keys.command, &keys.request) {
        (Some(words), None) => (Called::Command(words.clone()), ExpectedAnswer::Exit(0..=0)),
        (None, Some(request)) => {
            let headers = keys.headers.iter().map(|line| line.0.parts());
            let what = Called::Request {
                method: request.0.method.clone(),
                url: request.0.url.clone(),
                headers: headers.collect(),
                body: keys.body.clone(),
            };
            (what, ExpectedAnswer::Status(200..=299))
        }
        (command, _) => {
            if !reader.was_taken_out(table, &["command", "request"]) {
                let (message, label) = match command {
                    Some(_) => ("is a `command` or a `request`, not both", "which?"),
                    None => (
                        "does nothing: it has no `command` and no `request`",
                        "what?",
                    ),
                };
                reader.report(
                    table,
                    format!("{called} {message}"),
                    label,
                    "write `command = [\"./deploy.sh\"]`, or `request = \"POST http://…\"`",
                );
            }
            return None;
        }
    };
    if let Some(name) = what.misframed() {
        reader.report(
            &reader.key(table, &["headers"]),
            format!("the header `{name}` does not say where the body ends"),
            "the body is sent as it is, with its length",
            "leave it out: `content-length` is added",
        );
    }
    let expect = keys.expect.as_ref().map(|expect| expect.0.clone());
    let by_exit = |answer: &ExpectedAnswer| matches!(answer, ExpectedAnswer::Exit(_));
    if let Some(expect) = expect.as_ref().filter(|it| by_exit(it) != by_exit(&usual)) {
        reader.report(
            &reader.key(table, &["expect"]),
            format!("`{expect}` is not an answer that this can give"),
            "wrong kind of answer",
            format!("write it like \"{usual}\""),
        );
    }
    Some(Call {
        what,
        timeout: keys.timeout.0.0,
        expect: expect.unwrap_or(usual),
    })
}

/// Reports entries of the timeline that cannot be done to this target.
pub(super) fn fits(reader: &mut Reader, file: &File, timeline: &[Option<Entry>]) {
    let hooks = reader.names("hook", file.hook.iter().map(|hook| &hook.value.name));
    for (place, entry) in file.timeline.iter().zip(timeline) {
        let Some(entry) = entry else { continue };
        if let Action::Target(TargetAction::Hook { hook, .. }) = &entry.action {
            let at = reader.key(place, &["hook"]);
            reader.known("hook", &at, hook, hooks.as_ref());
        }
        if let Some((message, suggestion)) = unfit(reader, file, &entry.action) {
            reader.report(place, message, "not for this target", suggestion);
        }
    }
}

/// What is in the way of an action on the target of the file, where that is known.
pub(super) fn unfit(
    reader: &Reader,
    file: &File,
    action: &Action,
) -> Option<(String, &'static str)> {
    let placed = other(reader, file);
    // What was taken out may be the process that an action needs.
    let complete = !reader.file_lacks("target")
        && placed.is_none_or(|placed| !reader.was_taken_out(placed, PROCESSES));
    let target = placed.map(|target| &target.value);
    complete.then(|| misfit(action, target)).flatten()
}

/// What is in the way of an action on this target, or on the built-in fleet.
fn misfit(action: &Action, target: Option<&file::Target>) -> Option<(String, &'static str)> {
    let name = action.name();
    let message = |needs: &str| format!("`{name}` needs {needs}");
    match (action, target) {
        (Action::Target(_) | Action::Proxy(_), None) => Some((
            message("a target of your own, and this is the built-in fleet"),
            "use \"push\" and \"restart\", or name another target in [target]",
        )),
        (Action::Fleet(_), Some(_)) => Some((
            message("the built-in fleet, which has releases and a balancer"),
            "use \"configure\" or \"process\" for a command, or a [[hook]] of your own",
        )),
        (Action::Target(TargetAction::Configure { .. }) | Action::Service(_), Some(target))
            if target.command.is_none() =>
        {
            Some((
                message("a target that is started by a `command`"),
                "use a [[hook]] with `as = \"push\"`, \"rollback\" or \"restart\"",
            ))
        }
        (Action::Service(ServiceAction::Restart { pause: Some(_) }), Some(_)) => Some((
            message("several instances, and a command is one"),
            "remove `pause`",
        )),
        (Action::Proxy(ProxyAction::Occupy { .. }), Some(target)) if encrypted(target) => Some((
            message("a target that speaks http, since it sends no request under https"),
            "occupy the server behind it: name it by its own url",
        )),
        (Action::Proxy(ProxyAction::Occupy { hold, .. }), Some(target))
            if target.http2 && *hold != Hold::Silent =>
        {
            Some((
                message("a target without `http2`, since it sends requests of HTTP/1.1"),
                "write `hold = \"silent\"`, which sends none, or remove `http2`",
            ))
        }
        (Action::Target(TargetAction::Process { .. }), Some(target))
            if target.command.is_none() && target.pid.is_none() && target.port.is_none() =>
        {
            Some((
                message("a process that runs here"),
                "name it in [target] with `command`, `pid` or `port`",
            ))
        }
        _ => None,
    }
}

fn encrypted(target: &file::Target) -> bool {
    let urls = target.urls.iter().flat_map(|urls| &urls.value);
    let urls = urls.filter_map(|site| site.url.as_ref());
    let mut all = urls.chain(&target.url);
    all.any(|url| url.value.0.encrypted)
}
