//! What keys do: a pure machine from keys to orders. Nothing here knows a terminal.

use super::keys::Key;
use crate::model::{GameOrder, Offer};

/// Actions on keys at a time: 1 to 9.
pub(super) const PAGE: usize = 9;
/// Characters of a note at most: as much as is read aloud in a minute.
const NOTE_MAX: usize = 500;

/// What the next key is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Prompt {
    /// A command.
    #[default]
    None,
    /// Whether the offer at this place is meant.
    Act(usize),
    /// Whether the run is to stop.
    Stop,
    /// The text of a note.
    Note(String),
    /// To read on.
    Help,
}

/// The result of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pressed {
    /// Nothing, or only what is drawn.
    Shown,
    /// An order to the run.
    Order(GameOrder),
    /// As Ctrl-C.
    Interrupt,
}

/// What can be ordered, and what is being asked.
#[derive(Debug, Default)]
pub(super) struct Controls {
    /// What the plan offers, in the order of the list.
    pub offers: Vec<Offer>,
    /// Whether orders are taken at all.
    pub acts: bool,
    pub prompt: Prompt,
    /// The first offer on the keys.
    pub first: usize,
}

impl Controls {
    /// The offers on the keys, with their places in the whole list.
    pub(super) fn page(&self) -> impl Iterator<Item = (usize, &Offer)> {
        self.offers.iter().enumerate().skip(self.first).take(PAGE)
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: Key) -> Pressed {
        match std::mem::take(&mut self.prompt) {
            Prompt::None => self.command(key),
            Prompt::Stop if is_yes(key) => Pressed::Order(GameOrder::Stop),
            Prompt::Act(place) if is_yes(key) => self.act(place),
            Prompt::Help | Prompt::Stop | Prompt::Act(_) => Pressed::Shown,
            Prompt::Note(text) => self.write(text, key),
        }
    }

    fn act(&self, place: usize) -> Pressed {
        self.offers.get(place).map_or(Pressed::Shown, |offer| {
            Pressed::Order(GameOrder::Act { offer: offer.id })
        })
    }

    fn command(&mut self, key: Key) -> Pressed {
        match key {
            Key::Char('q') => return Pressed::Interrupt,
            Key::Char('?') => self.prompt = Prompt::Help,
            _ if !self.acts => {}
            Key::Char('h') => return Pressed::Order(GameOrder::Hold),
            Key::Char('g') => return Pressed::Order(GameOrder::GoOn),
            Key::Char('s') => self.prompt = Prompt::Stop,
            Key::Char('n') => self.prompt = Prompt::Note(String::new()),
            Key::Char(digit @ '1'..='9') => {
                let number = u8::try_from(digit).unwrap_or(b'1') - b'1';
                let place = self.first + usize::from(number);
                match self.offers.get(place) {
                    Some(offer) if offer.dangerous => self.prompt = Prompt::Act(place),
                    Some(_) => return self.act(place),
                    None => {}
                }
            }
            Key::Next if self.first + PAGE < self.offers.len() => self.first += PAGE,
            Key::Previous => self.first = self.first.saturating_sub(PAGE),
            _ => {}
        }
        Pressed::Shown
    }

    fn write(&mut self, mut text: String, key: Key) -> Pressed {
        match key {
            Key::Enter => {
                let text = text.trim().to_owned();
                if !text.is_empty() {
                    return Pressed::Order(GameOrder::Note { text });
                }
            }
            Key::Escape => {}
            Key::Backspace => {
                text.pop();
                self.prompt = Prompt::Note(text);
            }
            Key::Char(character) | Key::Pasted(character) => {
                if text.chars().count() < NOTE_MAX {
                    text.push(character);
                }
                self.prompt = Prompt::Note(text);
            }
            Key::Next | Key::Previous => self.prompt = Prompt::Note(text),
        }
        Pressed::Shown
    }
}

const fn is_yes(key: Key) -> bool {
    matches!(key, Key::Char('y' | 'Y') | Key::Enter)
}
