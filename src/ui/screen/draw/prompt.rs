//! The last row: what the keys are for, and above it what is asked just now.

use ratatui::layout::Rect;

use super::pen::{Ink, Pen, rows, wrap};
use crate::model::Offer;
use crate::ui::screen::board::Board;
use crate::ui::screen::controls::Prompt;

pub(super) fn draw(board: &Board, area: Rect, pen: &mut Pen<'_>) {
    let bottom = rows(area, area.height.saturating_sub(1), 1);
    match &board.controls.prompt {
        Prompt::None => keys(board, bottom, pen),
        Prompt::Act(place) => {
            let offer = board.controls.offers.get(*place);
            let text = offer.map_or_else(Vec::new, |offer| {
                vec![
                    offer.action.in_words(),
                    offer.does.clone(),
                    undone_by(offer),
                ]
            });
            asked(
                area,
                pen,
                &text,
                "Do it?  y or Enter: yes   any other key: no",
            );
        }
        Prompt::Stop => asked(
            area,
            pen,
            &[
                "Stop the run".to_owned(),
                "The load ends now, everything that was done is undone, and the report is made of \
                 what was measured."
                    .to_owned(),
            ],
            "Stop and undo everything?  y or Enter: yes   any other key: no",
        ),
        Prompt::Note(text) => note(bottom, pen, text),
        Prompt::Help => help(board, area, pen),
    }
}

/// What takes it back; what has no sentence for that leaves nothing behind.
fn undone_by(offer: &Offer) -> String {
    let undone = offer.undone_by.as_deref();
    undone.map_or_else(
        || "Nothing of it has to be undone.".to_owned(),
        |by| format!("Undone by: {by}"),
    )
}

fn keys(board: &Board, row: Rect, pen: &mut Pen<'_>) {
    pen.clear(row, Ink::Bar);
    let text = if board.interrupted {
        " ending, and undoing what was done   q again: end at once"
    } else if board.stopping {
        " ending, and undoing what was done   n note   q interrupt"
    } else if board.controls.acts {
        " 1-9 act   h hold   g go on   n note   s stop and undo   ? help   q interrupt"
    } else {
        " ? help   q interrupt"
    };
    pen.text(row, (0, 0), text, Ink::Bar);
}

/// A question over the lowest rows.
fn asked(area: Rect, pen: &mut Pen<'_>, text: &[String], question: &str) {
    let width = area.width.saturating_sub(2);
    let lines: Vec<_> = text.iter().flat_map(|text| wrap(text, width)).collect();
    let most = area.height.saturating_sub(6);
    let count = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(most);
    let place = rows(area, area.height.saturating_sub(count + 2), count + 2);
    pen.clear(place, Ink::Plain);
    super::heading(pen, place, 0, "", "");
    for (row, line) in (1..=count).zip(&lines) {
        let ink = if row == 1 { Ink::Bold } else { Ink::Plain };
        pen.text(place, (1, row), line, ink);
    }
    let bottom = rows(place, count + 1, 1);
    pen.clear(bottom, Ink::Bar);
    pen.text(bottom, (1, 0), question, Ink::Bar);
}

fn note(row: Rect, pen: &mut Pen<'_>, text: &str) {
    pen.clear(row, Ink::Bar);
    let start = pen.text(row, (0, 0), " note: ", Ink::Bar);
    // The end is what is being written.
    let room = usize::from(row.width.saturating_sub(start + 22));
    let skipped = text.chars().count().saturating_sub(room);
    let shown: String = text.chars().skip(skipped).collect();
    let end = pen.text(row, (start, 0), &shown, Ink::Bar);
    pen.text(row, (end, 0), "▏", Ink::Bar);
    pen.right(row, 0, "Enter: keep  Esc: no ", Ink::Bar);
}

fn help(board: &Board, area: Rect, pen: &mut Pen<'_>) {
    pen.clear(area, Ink::Plain);
    super::heading(pen, area, 0, "help", "any key: back");
    let mut texts: Vec<(String, Ink)> = Vec::new();
    let mut say = |text: String, ink| texts.push((text, ink));
    if board.controls.acts {
        for line in [
            "h  hold: the timeline waits, the target and its load go on",
            "g  go on",
            "n  write a note; it is in the report with its time and your name",
            "s  stop the run, and undo everything",
            "← →  more actions",
        ] {
            say(line.to_owned(), Ink::Plain);
        }
    }
    say(
        "q  interrupt, as Ctrl-C: the load ends, everything is undone; twice ends at once"
            .to_owned(),
        Ink::Plain,
    );
    say(
        "Figures of users are by intended start. Pale ones are by what has ended so far."
            .to_owned(),
        Ink::Plain,
    );
    for (key, (_, offer)) in (1..).zip(board.controls.page()) {
        say(format!("{key}  {}", offer.action.in_words()), Ink::Bold);
        say(format!("{} {}", offer.does, undone_by(offer)), Ink::Pale);
        if let Some(told) = &offer.inject {
            say(
                format!("Nobody else knows of it. To the room: {told}"),
                Ink::Pale,
            );
        }
    }
    let mut row = 1;
    for (text, ink) in texts {
        row += pen.wrapped(area, row, &text, ink);
    }
}
