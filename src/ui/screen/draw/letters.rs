//! Letters that can be read from the back of a room: three pixels wide, five high.

/// Pixels of a letter across.
pub(super) const WIDTH: u16 = 3;
/// Pixels of a letter from top to bottom.
pub(super) const HEIGHT: u16 = 5;

/// A letter's rows, each of three bits.
pub(super) type Glyph = [u8; 5];

/// The letter's pixels; a blank where there are none for it.
pub(super) const fn glyph(letter: char) -> Glyph {
    match letter.to_ascii_uppercase() {
        'A' => [0b010, 0b101, 0b111, 0b101, 0b101],
        'C' => [0b011, 0b100, 0b100, 0b100, 0b011],
        'D' => [0b110, 0b101, 0b101, 0b101, 0b110],
        'E' => [0b111, 0b100, 0b110, 0b100, 0b111],
        'G' => [0b011, 0b100, 0b101, 0b101, 0b011],
        'H' => [0b101, 0b101, 0b111, 0b101, 0b101],
        'I' => [0b111, 0b010, 0b010, 0b010, 0b111],
        'L' => [0b100, 0b100, 0b100, 0b100, 0b111],
        'M' => [0b101, 0b111, 0b111, 0b101, 0b101],
        'N' => [0b110, 0b101, 0b101, 0b101, 0b101],
        'O' => [0b111, 0b101, 0b101, 0b101, 0b111],
        'P' => [0b110, 0b101, 0b110, 0b100, 0b100],
        'R' => [0b110, 0b101, 0b110, 0b101, 0b101],
        'S' => [0b011, 0b100, 0b010, 0b001, 0b110],
        'T' => [0b111, 0b010, 0b010, 0b010, 0b010],
        'U' => [0b101, 0b101, 0b101, 0b101, 0b111],
        'V' => [0b101, 0b101, 0b101, 0b101, 0b010],
        'W' => [0b101, 0b101, 0b111, 0b111, 0b101],
        '-' => [0b000, 0b000, 0b111, 0b000, 0b000],
        _ => [0; 5],
    }
}

/// Whether a pixel of a letter is set.
pub(super) fn is_set(glyph: Glyph, column: u16, row: u16) -> bool {
    let row = glyph.get(usize::from(row)).copied().unwrap_or(0);
    row & (0b100 >> column) != 0
}
