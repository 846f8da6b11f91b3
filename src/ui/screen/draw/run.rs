//! The screen of a run: what users get, what the target was asked and what held its
//! workers on the left, what can be done and what happened on the right.

use ratatui::layout::Rect;

use super::pen::{Ink, Pen, columns, grouped, per_second, percent, rows};
use super::{Row, chart_width, events, figure, heading, machine, points, users};
use crate::analysis::ServiceState;
use crate::model::Offer;
use crate::plan::When;
use crate::record::story_time;
use crate::ui::screen::board::{Board, Mark};
use crate::ui::screen::controls::PAGE;
use crate::ui::screen::series::{Sums, WorkerSums, rate};
use crate::units::{Nanos, whole};

/// From so many rows on, letters and charts are taller.
const TALL: u16 = 34;
/// Letters of five rows need so many columns.
const WIDE: u16 = 110;

pub(super) fn draw(board: &Board, area: Rect, pen: &mut Pen<'_>) {
    let tall = area.height >= TALL && area.width >= WIDE;
    title(board, pen, rows(area, 0, 1));
    let letters = if tall { 5 } else { 3 };
    state(board, pen, rows(area, 1, letters), tall);
    let body = rows(area, 1 + letters, area.height.saturating_sub(2 + letters));
    let left = (area.width * 11 / 20).max(46);
    figures(board, pen, columns(body, 0, left));
    let right = columns(body, left + 1, area.width);
    let actions = offers(board, pen, right, tall);
    heading(pen, right, actions, "events", "");
    events(board, pen, rows(right, actions + 1, right.height));
}

fn title(board: &Board, pen: &mut Pen<'_>, area: Rect) {
    let plan = &board.plan;
    let left = format!(" {}  seed {}", plan.scenario, plan.seed);
    pen.clear(area, Ink::Bar);
    pen.text(area, (0, 0), &left, Ink::Bar);
    let story = plan.story.as_ref().map_or_else(String::new, |story| {
        format!("  {}", story_time(story, board.time()))
    });
    let right = format!(
        "{:.1} s{story}  {:.0} s left ",
        board.time().as_secs_f64(),
        board.left().as_secs_f64()
    );
    pen.right(area, 0, &right, Ink::Bar);
}

/// The word, and the incident's clock beside it.
fn state(board: &Board, pen: &mut Pen<'_>, area: Rect, tall: bool) {
    let state = board.watch.state(board.time());
    let ink = match state {
        ServiceState::Normal | ServiceState::Recovered => Ink::Good,
        ServiceState::Degraded | ServiceState::Recovering => Ink::Warning,
        ServiceState::Down => Ink::Bad,
        _ => Ink::Bold,
    };
    let widest = if tall { 82 } else { 42 };
    pen.word(columns(area, 0, widest), state.word(), tall, ink);
    let beside = columns(area, widest + 1, area.width);
    let mut column = pen.text(beside, (0, 0), "phase ", Ink::Pale);
    column = pen.text(beside, (column, 0), &board.phase(), Ink::Bold);
    if board.interrupted {
        pen.text(beside, (column + 1, 0), "INTERRUPTED", Ink::Bad);
    } else if board.stopping {
        pen.text(beside, (column + 1, 0), "STOPPING", Ink::Bad);
    } else if board.held.is_some() {
        pen.text(beside, (column + 1, 0), " HELD ", Ink::Bar);
    }
    let clock = board.watch.clock();
    let Some(began) = clock.began else {
        pen.text(beside, (0, 1), "no incident yet", Ink::Pale);
        return;
    };
    let until = clock.recovered.unwrap_or_else(|| board.time());
    let mut column = pen.text(beside, (0, 1), "incident ", Ink::Pale);
    column = pen.text(beside, (column, 1), &told(board, began, until), Ink::Bold);
    if board.plan.story.is_some() {
        let seconds = until.saturating_sub(began).as_secs_f64();
        pen.text(
            beside,
            (column, 1),
            &format!(" ({seconds:.0} s)"),
            Ink::Pale,
        );
    }
    let mut column = 0;
    for (name, at) in [
        ("detect", clock.detected),
        ("mitigate", clock.mitigated),
        ("recover", clock.recovered),
    ] {
        let time = at.map_or_else(|| "–".to_owned(), |at| told(board, began, at));
        column = pen.text(beside, (column, 2), &format!("{name} "), Ink::Pale);
        column = pen.text(beside, (column, 2), &time, Ink::Bold) + 1;
    }
}

/// How long something took, in the incident's own time where there is one.
fn told(board: &Board, from: Nanos, to: Nanos) -> String {
    let seconds = to.saturating_sub(from).as_secs_f64();
    let Some(story) = &board.plan.story else {
        return format!("{seconds:.1} s");
    };
    let minutes = whole((seconds * story.scale / 60.0).round());
    if minutes < 100 {
        format!("{minutes} min")
    } else {
        format!("{}:{:02} h", minutes / 60, minutes % 60)
    }
}

fn figures(board: &Board, pen: &mut Pen<'_>, area: Rect) {
    // Nineteen rows at least; what is more makes charts taller and lists instances singly.
    let more = area.height.saturating_sub(19);
    let users_height = 1 + u16::from(more >= 5);
    let asked_height = 1 + u16::from(more >= 10);
    heading(
        pen,
        area,
        0,
        "users",
        "by intended start; pale: not all ended",
    );
    let row = users(board, pen, area, 1, users_height);
    heading(pen, area, row, "requests to the target", "");
    let row = asked(board, pen, area, row + 1, asked_height);
    let row = workers(board, pen, area, row);
    let room = area.height.saturating_sub(row + 1);
    instances(board, pen, rows(area, row, room));
    machine(board, pen, area, area.height.saturating_sub(1));
}

/// What the target was asked: its name, its count, its colour.
type RequestCount = (&'static str, fn(&Sums) -> u64, Ink);

fn asked(board: &Board, pen: &mut Pen<'_>, area: Rect, mut row: u16, height: u16) -> u16 {
    let series = &board.series;
    let sums = series.columns(board.time(), chart_width(area), board.span());
    let last = series.last(board.time());
    let counts: [RequestCount; 3] = [
        ("first tries", |it| it.first_tries, Ink::Live),
        ("retries", |it| it.retries, Ink::Gone),
        ("probes", |it| it.probes, Ink::Probes),
    ];
    let rates = counts.map(|(_, count, _)| points(&sums, false, |it| rate(series, it, count(it))));
    let all = rates.iter().flatten().flatten();
    let most = all.map(|point| point.value).fold(0.0, f64::max);
    for ((name, count, ink), points) in counts.into_iter().zip(rates) {
        let of = Row {
            name,
            points,
            // One scale for the three, since they are added up by the target.
            most: Some(most),
            value: per_second(rate(series, &last, count(&last))),
            ink,
        };
        figure(pen, area, row, height, &of);
        row += height;
    }
    row
}

fn workers(board: &Board, pen: &mut Pen<'_>, area: Rect, row: u16) -> u16 {
    let last = board.series.last(board.time()).workers;
    let busy = format!(
        "{} busy of {}",
        percent(last.share()),
        grouped(whole(last.workers))
    );
    if last.total <= 0.0 {
        heading(pen, area, row, "workers", "not known");
    } else {
        heading(pen, area, row, "what holds the workers", &busy);
    }
    let (live, cold) = last.live_and_cold();
    let parts: &[(&str, f64, Ink)] = &[
        ("live callers", live, Ink::Live),
        ("callers gone", last.gone, Ink::Gone),
        ("detached", last.detached, Ink::Detached),
        ("cold cache", cold, Ink::Cold),
        ("probes", last.probes, Ink::Probes),
    ];
    let unknown: &[(&str, f64, Ink)] = &[("busy", last.busy, Ink::Live)];
    let parts = if last.parts { parts } else { unknown };
    let mut row = row + 1;
    for (name, part, ink) in parts {
        pen.text(area, (1, row), name, Ink::Plain);
        let share = if last.total > 0.0 {
            part / last.total
        } else {
            0.0
        };
        pen.bar(area, (super::NAME, row), chart_width(area), share, *ink);
        let held = last.held(*part);
        let held = held.map_or_else(|| "–".to_owned(), |held| format!("{held:.1}"));
        pen.right(rows(area, row, 1), 0, &held, Ink::Bold);
        row += 1;
    }
    waiting(board, pen, area, row, &last);
    row + 1
}

fn waiting(board: &Board, pen: &mut Pen<'_>, area: Rect, row: u16, last: &WorkerSums) {
    let sums = board
        .series
        .columns(board.time(), chart_width(area), board.span());
    let queue = last.queue();
    let of = Row {
        name: "jobs waiting",
        points: points(&sums, false, |it| it.workers.queue()),
        most: None,
        value: queue.map_or_else(
            || "–".to_owned(),
            |queue| {
                if queue < 10.0 {
                    format!("{queue:.1}")
                } else {
                    grouped(whole(queue.round()))
                }
            },
        ),
        ink: Ink::Warning,
    };
    figure(pen, area, row, 1, &of);
}

/// A bar for each instance: one below the other where there is room, else side by side.
fn instances(board: &Board, pen: &mut Pen<'_>, area: Rect) {
    let all: Vec<_> = board.series.instances.iter().collect();
    let count = u16::try_from(all.len()).unwrap_or(u16::MAX);
    if count == 0 || area.height == 0 {
        return;
    }
    let across = count.div_ceil(area.height).min(area.width / 8).max(1);
    let width = area.width / across;
    let newest = all
        .iter()
        .map(|(_, (bucket, _))| *bucket)
        .max()
        .unwrap_or(0);
    let room = usize::from(across) * usize::from(area.height);
    for (place, (name, (bucket, sums))) in (0_u16..).zip(all.into_iter().take(room)) {
        let own = columns(rows(area, place / across, 1), place % across * width, width);
        let text = name.to_string();
        let short = text.strip_prefix("instance-").unwrap_or(&text);
        // One that has not told for two intervals is down, paused or restarting.
        let silent = newest > bucket + 2;
        let end = pen.text(own, (1, 0), short, Ink::Plain);
        if silent {
            pen.text(own, (end + 1, 0), "silent", Ink::Bad);
            continue;
        }
        let wide = width >= 30;
        let from = if wide { super::NAME } else { end + 1 };
        let figure = if wide { 20 } else { 1 };
        let bar = width.saturating_sub(from + figure);
        let share = sums.share().unwrap_or(0.0);
        let ink = if share > 0.95 { Ink::Bad } else { Ink::Live };
        pen.bar(own, (from, 0), bar, share, ink);
        if wide {
            let queue = sums
                .queue()
                .map_or_else(|| "–".to_owned(), |it| format!("{it:.0}"));
            let text = format!("{:>5} {queue:>6} wait", percent(sums.share()));
            pen.right(own, 0, &text, Ink::Plain);
        }
    }
}

/// What can be done, on keys; returns the rows that it took.
fn offers(board: &Board, pen: &mut Pen<'_>, area: Rect, tall: bool) -> u16 {
    let controls = &board.controls;
    if !controls.acts {
        return 0;
    }
    let pages = controls.offers.len().div_ceil(PAGE);
    let page = if pages > 1 {
        format!("page {} of {pages}: ← →", controls.first / PAGE + 1)
    } else {
        String::new()
    };
    heading(pen, area, 0, "actions", &page);
    let mut row = 1;
    if controls.offers.is_empty() {
        pen.text(area, (1, row), "the scenario offers none", Ink::Pale);
        return row + 1;
    }
    for (key, (_, offer)) in (1..).zip(controls.page()) {
        let (sign, ink) = match board.marks.get(&offer.id) {
            None => (" ", Ink::Plain),
            Some(Mark::Running) => ("…", Ink::Warning),
            Some(Mark::Applied) => ("✓", Ink::Good),
            Some(Mark::Refused | Mark::Failed) => ("✗", Ink::Bad),
        };
        pen.text(area, (0, row), &format!("{key}"), Ink::Bold);
        pen.text(area, (1, row), sign, ink);
        let kind = if offer.inject.is_some() {
            "◆"
        } else if offer.dangerous {
            "!"
        } else {
            " "
        };
        pen.text(area, (2, row), kind, Ink::Warning);
        let due = due(board, offer);
        let room = u16::try_from(due.chars().count()).unwrap_or(0) + 1;
        let name = columns(area, 0, area.width.saturating_sub(room));
        pen.text(name, (3, row), &offer.action.in_words(), Ink::Plain);
        pen.right(rows(area, row, 1), 0, &due, Ink::Pale);
        row += 1;
        if tall {
            let does = columns(area, 4, area.width);
            pen.text(does, (0, row), &offer.does, Ink::Pale);
            row += 1;
        }
    }
    row
}

/// When the timeline does it by itself.
fn due(board: &Board, offer: &Offer) -> String {
    let plan = &board.plan;
    let entry = plan.entry_for(offer.entry, |entry| board.done.contains(&entry));
    let entry = entry
        .filter(|_| !plan.manual)
        .and_then(|it| plan.timeline.get(it));
    match entry.map(|entry| &entry.when) {
        Some(When::At(at)) => {
            let at = at.saturating_add(board.held_before);
            format!("at {:.0} s", at.as_secs_f64())
        }
        Some(When::After { .. }) => "by an event".to_owned(),
        Some(When::Offered) | None => String::new(),
    }
}
