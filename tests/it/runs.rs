//! Full syncs by hand and by the clock, what people decide about them, and how they are told.

mod by_hand;
mod by_itself;
mod clock_change;
