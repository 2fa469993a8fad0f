//! Embedded facts: models, cards, prices.
